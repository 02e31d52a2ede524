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
	id := s.group + "." + s.topic
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                id,
		Brokers:           s.bus.cfg.Brokers,
		Dialer:            l.dialer(s.bus),
		Topics:            []string{s.topic},
		StartOffset:       kafka.FirstOffset,
		HeartbeatInterval: timing.Heartbeat,
		SessionTimeout:    timing.Session,
		RebalanceTimeout:  timing.Session,
		JoinGroupBackoff:  timing.Retry,
		Timeout:           dialTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", id, err)
	}
	return func() {
		// Leaving waits for the broker's answers, but not without end.
		context.AfterFunc(s.ctx, func() { time.AfterFunc(timing.Close, l.close) })
		s.attend(group)
		_ = group.Close() // never fails
		l.close()
	}, nil
}

// attend takes part in the group's generations until the subscription ends, and closes the group. A generation is the time in which
// the members of a group, and who has which partition, are the same.
//
// A group that is closed while it is joined, or whose generation has ended a moment before, is not left: its member stays until its
// session ends, and all others wait for it. So it is closed in the middle of a generation, if need be of the next.
func (s *subscription) attend(group *kafka.ConsumerGroup) {
	for {
		g, err := group.Next(context.Background())
		ending := s.ctx.Err() != nil
		switch {
		case errors.Is(err, kafka.RebalanceInProgress):
			continue
		case ending:
			return
		case err != nil:
			s.bus.network.trouble(s.group+"."+s.topic, "group cannot be joined, trying again", "topic", s.topic, "group", s.group, "error", err)
			continue
		}
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
