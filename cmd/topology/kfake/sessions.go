package kfake

import (
	"context"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessions sees to it that members who died are missed. kfake begins a member's session when it has answered it, so whoever dies while
// it waits for the answer to its join has no session that could end: it stays in the group for good, with partitions that nobody reads.
// Therefore each member gets one heartbeat in its name when the group is stable, and that begins its session.
type sessions struct {
	cluster *kfake.Cluster
	client  *kafka.Client
	cancel  context.CancelFunc
	ended   chan struct{}

	mu     sync.Mutex
	joined map[string]struct{} // groups that somebody has joined since they were seen to
	wake   chan struct{}
}

// settling is how long groups are left to settle before they are looked at.
const settling = 200 * time.Millisecond

func watchSessions(cluster *kfake.Cluster) *sessions {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sessions{
		cluster: cluster,
		client:  &kafka.Client{Addr: kafka.TCP(cluster.ListenAddrs()...), Transport: &kafka.Transport{ClientID: "kfake"}, Timeout: time.Second},
		cancel:  cancel,
		ended:   make(chan struct{}),
		joined:  map[string]struct{}{},
		wake:    make(chan struct{}, 1),
	}
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		s.add(r.(*kmsg.JoinGroupRequest).Group)
		return nil, nil, false
	})
	go s.run(ctx)
	return s
}

func (s *sessions) close() {
	s.cancel()
	<-s.ended
	s.client.Transport.(*kafka.Transport).CloseIdleConnections()
}

func (s *sessions) add(group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined[group] = struct{}{}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sessions) run(ctx context.Context) {
	defer close(s.ended)
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(settling):
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		groups := s.joined
		s.joined = map[string]struct{}{}
		s.mu.Unlock()
		for group := range groups {
			if !s.begin(ctx, group) {
				s.add(group)
			}
		}
	}
}

// begin begins the sessions of a group's members; false if the group is not stable.
func (s *sessions) begin(ctx context.Context, group string) bool {
	info := s.cluster.GroupInfo(group)
	if info == nil || len(info.Members) == 0 {
		return true
	}
	if info.State != "Stable" {
		return false
	}
	for _, member := range info.Members {
		answer, err := s.client.Heartbeat(ctx, &kafka.HeartbeatRequest{GroupID: group, GenerationID: info.Epoch, MemberID: member.MemberID})
		if err != nil || answer.Error != nil {
			return false // the group moves, or the broker ends
		}
	}
	return true
}
