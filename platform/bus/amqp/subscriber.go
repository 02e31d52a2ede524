package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// subscriber is a member of a group, or hears without one.
type subscriber struct {
	bus   *Bus
	group string

	mu            sync.Mutex
	closed        bool
	subscriptions map[*subscription]struct{}
}

// SubscribeInitialize makes the subscriber's group hear the topic from now on. If the broker is away, it fails only for a group that
// Config.Groups does not name; publishers make the queues of the others.
func (s *subscriber) SubscribeInitialize(topic string) error {
	if s.group == "" {
		return nil
	}
	err := s.declare(topic)
	if err == nil || s.waits(topic, err) {
		return nil
	}
	return fmt.Errorf("%s hears %s: %w", s.group, topic, err)
}

func (s *subscriber) declare(topic string) error {
	conn, err := s.bus.in.get(s.bus.closing)
	if err != nil {
		return err
	}
	return within(conn, func() error {
		ch, err := conn.Channel()
		if err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		defer closeChannel(conn, ch)
		return s.bus.declareGroup(ch, topic, s.group)
	})
}

// waits reports whether a failure is no reason to give up: nothing is lost until the broker is there.
func (s *subscriber) waits(topic string, err error) bool {
	if s.bus.closing.Err() != nil || refuses(err) {
		return false
	}
	return s.group == "" || s.bus.knows(topic, s.group)
}

// refuses reports whether the broker answered, and will always answer so: wrong credentials, or a queue that is not as it should be.
func refuses(err error) bool {
	var answer *amqp091.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code {
	case amqp091.AccessRefused, amqp091.PreconditionFailed, amqp091.NotAllowed, amqp091.InvalidPath, amqp091.NotImplemented:
		return true
	}
	return false
}

// Subscribe implements message.Subscriber. The context of a message ends when it is acked or nacked, and when the subscription or the
// connection that it came by ends. Subscribe does not wait for a broker that is away, unless the group is one that Config.Groups does not
// name; then it fails.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	sub, err := s.add(ctx, topic)
	if err != nil {
		return nil, err
	}
	first, err := sub.open()
	if err != nil && !s.waits(topic, err) {
		sub.end()
		if s.bus.closing.Err() != nil {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("%q subscribes to %s: %w", s.group, topic, err)
	}
	go sub.run(first)
	return sub.out, nil
}

func (s *subscriber) add(ctx context.Context, topic string) (*subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.bus.closing.Err() != nil {
		return nil, ErrClosed
	}
	sub := &subscription{subscriber: s, topic: topic, out: make(chan *message.Message), done: make(chan struct{}),
		log:       s.bus.log.With("topic", topic, "group", s.group),
		delivered: s.bus.metrics.delivered.WithLabelValues(topic, s.group), redelivered: s.bus.metrics.redelivered.WithLabelValues(topic, s.group)}
	sub.ctx, sub.cancel = context.WithCancel(ctx)
	s.subscriptions[sub] = struct{}{}
	return sub, nil
}

func (s *subscriber) forget(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subscriptions, sub)
}

// Close ends the subscriptions and waits until their channels are closed. Messages in flight go to the group's next member.
func (s *subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	open := make([]*subscription, 0, len(s.subscriptions))
	for sub := range s.subscriptions {
		open = append(open, sub)
	}
	s.mu.Unlock()
	for _, sub := range open {
		sub.cancel()
	}
	for _, sub := range open {
		<-sub.done
	}
	s.bus.forget(s)
	return nil
}
