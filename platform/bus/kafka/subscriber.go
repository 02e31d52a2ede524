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
	return s.ensure(context.Background(), topic)
}

func (s *subscriber) ensure(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.bus.cfg.Timing.Publish, ErrUnavailable)
	defer cancel()
	defer context.AfterFunc(s.bus.closing, cancel)()
	err := s.bus.ensure(ctx, s.bus.topic(topic))
	if s.bus.closing.Err() != nil {
		return ErrClosed
	}
	return err
}

// Subscribe implements message.Subscriber. It makes the topic, unless it exists, and fails if that cannot be done within
// Timing.Publish. The context of a message ends when it is acked or nacked, when its partition moves to another member, and when the
// subscription ends.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if s.isClosed() {
		return nil, ErrClosed
	}
	if err := s.ensure(ctx, topic); err != nil {
		return nil, err
	}
	sub := newSubscription(ctx, s.bus, s.group, topic)
	read, err := sub.begin()
	if err != nil {
		sub.cancel()
		return nil, err
	}
	added := s.add(sub)
	if !added {
		sub.cancel() // and so read returns at once
	}
	go func() {
		read()
		sub.cancel()
		s.forget(sub)
		close(sub.out)
		close(sub.done)
	}()
	if !added {
		<-sub.done
		return nil, ErrClosed
	}
	return sub.out, nil
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
