package amqp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"kerf/platform/bus"
)

// prefetch is how many messages of a queue are under way to the consumer, so that the next is there when one was acked. They are still
// handed out one at a time.
const prefetch = 16

// subscription is one call of Subscribe. It has a session with the broker, and another after that was lost.
type subscription struct {
	*subscriber
	topic       string
	ctx         context.Context
	cancel      context.CancelFunc
	out         chan *message.Message
	done        chan struct{} // closed after out
	log         *slog.Logger
	delivered   prometheus.Counter
	redelivered prometheus.Counter
}

// session is a channel with a consumer for each queue. They end together, so that what one of them has not acked can go back in order.
type session struct {
	conn   *amqp091.Connection
	ch     *amqp091.Channel
	queues []<-chan amqp091.Delivery
}

// end forgets the subscription, after its last session.
func (s *subscription) end() {
	s.cancel()
	s.forget(s)
	close(s.out)
	close(s.done)
}

// run delivers until the subscription ends. current is its first session, nil if there is none yet.
func (s *subscription) run(current *session) {
	defer s.end()
	for failures := 0; ; {
		if current != nil {
			failures = 0
			s.serve(current)
			sleep(s.ctx, firstPause) // not at once, lest a queue that comes and goes keeps both sides busy
		}
		if s.ctx.Err() != nil {
			return
		}
		var err error
		if current, err = s.open(); err != nil {
			failures++
			s.tell(failures, err)
			sleep(s.ctx, pauseAfter(failures))
		}
	}
}

// tell logs the first failure in a row, unless the connection is what is missing: that is logged once for all.
func (s *subscription) tell(failures int, err error) {
	if failures == 1 && s.ctx.Err() == nil && refuses(err) {
		s.log.Error("broker refuses a subscription, trying again", "error", err)
	}
}

// open makes the queues known and consumes from them.
func (s *subscription) open() (*session, error) {
	conn, err := s.bus.in.get(s.ctx)
	if err != nil {
		return nil, err
	}
	o := &session{conn: conn}
	err = within(conn, func() error {
		if o.ch, err = conn.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		if err := o.ch.Qos(prefetch, 0, false); err != nil {
			return fmt.Errorf("prefetch: %w", err)
		}
		return s.consume(o)
	})
	if err == nil {
		return o, nil
	}
	if o.ch != nil {
		closeChannel(conn, o.ch)
	}
	return nil, err
}

func (s *subscription) consume(o *session) error {
	if s.group == "" {
		queue := s.topic + "." + watermill.NewShortUUID()
		if err := declareQueue(o.ch, s.topic, queue, everyPartition, lossyQueue); err != nil {
			return err
		}
		return o.consume(queue)
	}
	if err := s.bus.declareGroup(o.ch, s.topic, s.group); err != nil {
		return err
	}
	for partition := range s.bus.cfg.Partitions {
		if err := o.consume(queueOf(s.topic, s.group, partition)); err != nil {
			return err
		}
	}
	return nil
}

func (o *session) consume(queue string) error {
	deliveries, err := o.ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume from %s: %w", queue, err)
	}
	o.queues = append(o.queues, deliveries)
	return nil
}

// serve delivers until the subscription ends, or any of its queues or the connection is lost.
func (s *subscription) serve(o *session) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var workers sync.WaitGroup
	for _, deliveries := range o.queues {
		workers.Go(func() {
			defer cancel()
			s.drain(ctx, deliveries)
		})
	}
	workers.Wait()
	if s.ctx.Err() == nil {
		s.log.Debug("lost the queues, taking them again")
	}
	closeChannel(o.conn, o.ch)
}

// drain hands out the messages of one queue, one after another, until ctx ends or the queue is lost.
func (s *subscription) drain(ctx context.Context, deliveries <-chan amqp091.Delivery) {
	for {
		select {
		case d, open := <-deliveries:
			if !open || !s.deliver(ctx, d) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// deliver hands a message out until it is acked; false if ctx ends first or the ack cannot be sent. Without a group it is handed out once.
func (s *subscription) deliver(ctx context.Context, d amqp091.Delivery) bool {
	if d.Redelivered {
		s.redelivered.Inc()
	}
	for nacks := 0; ; nacks++ {
		if nacks > 0 {
			s.redelivered.Inc()
		}
		switch bus.HandOut(ctx, s.out, messageOf(d), s.delivered.Inc) {
		case bus.Abandoned:
			return false
		case bus.Nacked:
			if s.group != "" {
				sleep(ctx, hold(nacks))
				continue
			}
		}
		if err := d.Ack(false); err != nil {
			s.log.Debug("message was handled, but its ack was lost; it comes again", "message", d.MessageId, "error", err)
			return false
		}
		return true
	}
}

// longestHold bounds the wait before a refused message is handed out again.
const longestHold = 50 * time.Millisecond

// hold is how long a refused message waits before it is handed out again: not at all at first, then longer and longer, so that a consumer
// that keeps refusing does not spin.
func hold(nacks int) time.Duration {
	if nacks == 0 {
		return 0
	}
	return min(time.Millisecond<<min(nacks-1, 10), longestHold)
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
