package memory

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// subscriber is a member of a group, or a listener without one.
type subscriber struct {
	bus   *Bus
	group string

	mu            sync.Mutex
	closed        bool
	subscriptions map[*subscription]struct{}
}

// SubscribeInitialize makes the subscriber's group hear the topic from now on.
func (s *subscriber) SubscribeInitialize(topic string) error {
	if s.group != "" {
		s.bus.topic(topic).group(s.group)
	}
	return nil
}

// Subscribe implements message.Subscriber. The context of a message ends when it is acked or nacked and when the subscription ends.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	t := s.bus.topic(topic)
	ctx, cancel := context.WithCancel(ctx)
	sub := &subscription{
		ctx:       ctx,
		cancel:    cancel,
		out:       make(chan *message.Message, s.bus.cfg.Partitions),
		done:      make(chan struct{}),
		duplicate: s.bus.cfg.Duplicate,
	}
	s.subscriptions[sub] = struct{}{}
	if s.group == "" {
		sub.listen(t, s.bus.cfg.Queue)
	} else {
		for _, l := range t.group(s.group) {
			sub.workers.Go(func() { sub.serve(l) })
		}
	}
	go func() {
		sub.workers.Wait()
		s.forget(sub)
		cancel()
		sub.end()
	}()
	return sub.out, nil
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

// subscription is one call of Subscribe: a worker for each partition, which share a channel. That has room for a message from each
// of them, so handing one out never waits: only its ack is waited for.
type subscription struct {
	ctx       context.Context
	cancel    context.CancelFunc
	out       chan *message.Message
	workers   sync.WaitGroup
	done      chan struct{} // closed after out
	duplicate bool
}

// end closes the channel, without the messages that nobody took: others will get them.
func (s *subscription) end() {
	for {
		select {
		case <-s.out:
			continue
		default:
		}
		break
	}
	close(s.out)
	close(s.done)
}

// serve delivers the messages of a lane, one at a time, and leaves the lane to other members in between.
func (s *subscription) serve(l *lane) {
	for l.enter(s.ctx.Done()) {
		ended := s.serveTurn(l)
		l.turn <- struct{}{}
		if ended {
			return
		}
	}
}

// serveTurn delivers until another member waits for the lane, or returns true when the subscription ends.
func (s *subscription) serveTurn(l *lane) (ended bool) {
	for s.ctx.Err() == nil {
		e := l.head(s.ctx.Done())
		if e == nil || !s.deliver(e.msg) {
			return true
		}
		l.advance(e)
		if l.waiting.Load() > 0 {
			return false
		}
	}
	return true
}

// deliver sends the message until it is acked; false if the subscription ends first.
func (s *subscription) deliver(msg *message.Message) bool {
	if s.duplicate && !s.deliverOnce(msg) {
		return false
	}
	return s.deliverOnce(msg)
}

func (s *subscription) deliverOnce(msg *message.Message) bool {
	for nacks := 0; ; nacks++ {
		switch s.send(msg) {
		case acked:
			return true
		case abandoned:
			return false
		}
		if !s.pause(nacks) {
			return false
		}
	}
}

type outcome int

const (
	acked outcome = iota
	nacked
	abandoned
)

// send hands out one copy of the message and waits for the answer.
func (s *subscription) send(msg *message.Message) outcome {
	out := msg.Copy()
	ctx := &delivery{Context: s.ctx}
	defer ctx.end()
	out.SetContext(ctx)
	s.out <- out
	select {
	case <-out.Acked():
		return acked
	case <-out.Nacked():
		return nacked
	case <-s.ctx.Done():
	}
	select {
	case <-out.Acked(): // both happened, and an ack must not be lost
		return acked
	default:
		return abandoned
	}
}

const longestPause = 50 * time.Millisecond

// pause waits before a nacked message is sent again: not at all at first, then longer and longer, so that a consumer that keeps
// refusing does not spin. It returns false if the subscription ends meanwhile.
func (s *subscription) pause(nacks int) bool {
	if nacks == 0 {
		return s.ctx.Err() == nil
	}
	timer := time.NewTimer(min(time.Millisecond<<min(nacks-1, 10), longestPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
