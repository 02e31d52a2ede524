package kafka

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// subscriber is a member of a group for each topic that it subscribes to, or a listener without one.
type subscriber struct {
	bus   *Bus
	group string

	mu            sync.Mutex
	closed        bool
	subscriptions map[*subscription]struct{}
}

var _ message.SubscribeInitializer = (*subscriber)(nil)

// SubscribeInitialize makes the topic, unless it exists.
func (s *subscriber) SubscribeInitialize(topic string) error {
	ctx, cancel := context.WithTimeout(s.bus.closing, s.bus.cfg.Timing.Publish)
	defer cancel()
	return s.bus.ensure(ctx, s.bus.topic(topic))
}

// Subscribe implements message.Subscriber. It makes the topic, unless it exists, and fails if that cannot be done within
// Timing.Publish. The context of a message ends when it is acked or nacked, when its partition moves to another member, and when the
// subscription ends.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if s.isClosed() {
		return nil, ErrClosed
	}
	if err := s.SubscribeInitialize(topic); err != nil {
		return nil, err
	}
	sub := newSubscription(ctx, s.bus, s.group, topic)
	run, err := sub.begin()
	if err != nil {
		sub.cancel()
		return nil, err
	}
	if !s.add(sub) {
		sub.cancel() // and so run returns at once
		err = ErrClosed
	}
	go func() {
		run()
		sub.cancel()
		s.forget(sub)
		close(sub.out)
		close(sub.done)
	}()
	return sub.out, err
}

func (s *subscriber) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// add makes Close wait for the subscription; false if the subscriber is closed.
func (s *subscriber) add(sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.subscriptions[sub] = struct{}{}
	return true
}

func (s *subscriber) forget(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subscriptions, sub)
}

func (s *subscriber) open() []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.subscriptions))
}

// Close ends the subscriptions and waits until what was acked is committed and their channels are closed. Messages in flight go to the
// group's next member.
func (s *subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	open := s.open()
	for _, sub := range open {
		sub.cancel()
	}
	for _, sub := range open {
		<-sub.done
	}
	s.bus.forget(s)
	return nil
}
