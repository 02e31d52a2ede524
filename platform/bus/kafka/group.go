package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// join makes the subscription a member of its group. The function that it returns works until the subscription ends, and leaves.
func (s *subscription) join() (func(), error) {
	timing := s.bus.cfg.Timing
	l := newLine(s.bus.network)
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                s.id(),
		Brokers:           s.bus.cfg.Brokers,
		Dialer:            l.dialer(s.bus),
		Topics:            []string{s.topic},
		StartOffset:       kafka.FirstOffset,
		HeartbeatInterval: timing.Heartbeat,
		SessionTimeout:    timing.Session,
		RebalanceTimeout:  timing.Session * 2 / 3, // longer, and kfake would miss the members that wait for it
		JoinGroupBackoff:  timing.Retry,
		Timeout:           dialTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", s.id(), err)
	}
	return func() {
		// Leaving waits for the broker's answers, but not without end.
		context.AfterFunc(s.ctx, func() { time.AfterFunc(timing.Close, l.close) })
		s.attend(group)
		_ = group.Close() // never fails
		l.close()
	}, nil
}

// attend takes part in the group's generations until the subscription ends. A generation is the time in which the members of a group,
// and who has which partition, are the same. The group is to be closed when attend returns.
//
// kafka-go does not leave a group that is closed while it is joined, or whose generation has ended a moment before: its member stays
// until its session ends, and the others wait for it. So attend returns in the middle of a generation, if need be of the next.
func (s *subscription) attend(group *kafka.ConsumerGroup) {
	member, joined := "", func() {}
	defer func() { joined() }()
	for {
		g, err := group.Next(context.Background())
		ending := s.ctx.Err() != nil
		switch {
		case errors.Is(err, kafka.RebalanceInProgress):
			continue
		case ending:
			return
		case err != nil:
			s.bus.network.trouble(s.id(), "group cannot be joined, trying again", "topic", s.topic, "group", s.group, "error", err)
			if member != "" {
				member, joined = "", s.leave(member)
			}
			continue
		}
		joined()
		member, joined = g.MemberID, func() {}
		ended := make(chan struct{})
		g.Start(func(generation context.Context) {
			defer close(ended)
			newTurn(s, g).run(generation.Done())
		})
		select {
		case <-ended:
		case <-s.ctx.Done():
			return
		}
	}
}

// leave makes a member leave the group that kafka-go has given up, because it could not reach the broker: the member that replaces it
// would else wait until the old one's session ends. kafka-go misreads the answer, so this is repeated until joined is called.
func (s *subscription) leave(member string) (joined func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		members := []kafka.LeaveGroupRequestMember{{ID: member}}
		for wait(ctx, s.bus.cfg.Timing.Retry) {
			if _, err := s.bus.client.LeaveGroup(ctx, &kafka.LeaveGroupRequest{GroupID: s.id(), Members: members}); err != nil {
				s.bus.transport.CloseIdleConnections()
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// id is the group's name in Kafka.
func (s *subscription) id() string { return s.group + "." + s.topic }
