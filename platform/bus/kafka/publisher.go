package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/segmentio/kafka-go"

	"kerf/platform/bus"
)

type publisher struct {
	bus     *Bus
	closing context.Context
	close   context.CancelFunc
}

// Publish returns when all in-sync replicas have all messages. An error means that at least one was not published, or that it is not
// known whether it was, which is so if the error is ErrUnavailable, ErrClosed or that of a message's context; messages of other keys
// may have been. It fails at the latest after Timing.Publish. Messages of one key that are published one call after the other keep
// their order, also if calls fail and are made again.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closing.Err() != nil {
		return ErrClosed
	}
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := p.context(messages)
	defer cancel()
	t := p.bus.topic(topic)
	err := p.bus.ensure(ctx, t)
	if err == nil {
		err = t.outlet.publish(ctx, messages)
	}
	switch {
	case err == nil:
		p.bus.metrics.published.WithLabelValues(topic).Add(float64(len(messages)))
		return nil
	case p.closing.Err() != nil:
		return ErrClosed
	default:
		return fmt.Errorf("publish %d messages on %s: %w", len(messages), topic, err)
	}
}

// context ends with that of any of the messages, with the publisher, and after Timing.Publish.
func (p *publisher) context(messages []*message.Message) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(p.closing, p.bus.cfg.Timing.Publish, ErrUnavailable)
	ctx, end := context.WithCancelCause(ctx)
	stops := []func() bool{}
	var last <-chan struct{}
	for _, msg := range messages {
		// Most often one ends all of them.
		if of := msg.Context(); of.Done() != last {
			stops = append(stops, context.AfterFunc(of, func() { end(of.Err()) }))
			last = of.Done()
		}
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		end(nil)
		cancel()
	}
}

// Close makes calls of Publish that wait, and later ones, fail.
func (p *publisher) Close() error {
	p.close()
	return nil
}

// call is one call of Publish on its way.
type call struct {
	mu   sync.Mutex
	left int // messages that are not acknowledged
	err  error
	over bool
	done chan struct{}
}

// end ends the call, unless it has ended. Its messages that were not sent are not sent any more.
func (c *call) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over, c.err = true, err
		close(c.done)
	}
}

func (c *call) acknowledged(n int) {
	c.mu.Lock()
	c.left -= n
	left := c.left
	c.mu.Unlock()
	if left == 0 {
		c.end(nil)
	}
}

// failing remembers why the call does not get on.
func (c *call) failing(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.err = err
	}
}

func (c *call) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// result is valid after the call was ended.
func (c *call) result() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// outgoing is a message of a call.
type outgoing struct {
	call       *call
	partition  int
	key, value []byte
	headers    []kafka.Header
}

// size is about that of the message in a request.
func (o outgoing) size() int {
	n := 16 + len(o.key) + len(o.value)
	for _, h := range o.headers {
		n += 4 + len(h.Key) + len(h.Value)
	}
	return n
}

// outlet sends a topic's messages in the order in which they come, one round at a time. A round is all that came while the last was on
// its way, so that a lone message does not wait for others and many share a request.
type outlet struct {
	bus   *Bus
	topic *topic

	mu      sync.Mutex
	pending []outgoing
	sending bool
}

// publish sends the messages and waits until all are acknowledged.
func (o *outlet) publish(ctx context.Context, messages []*message.Message) error {
	c := &call{left: len(messages), done: make(chan struct{})}
	out := make([]outgoing, len(messages))
	for i, msg := range messages {
		key := o.bus.cfg.Key(msg)
		out[i] = outgoing{c, bus.Partition(key, o.bus.cfg.Partitions), []byte(key), msg.Payload, headers(msg)}
	}
	o.mu.Lock()
	o.pending = append(o.pending, out...)
	begin := !o.sending
	o.sending = true
	o.mu.Unlock()
	if begin && !o.bus.work(o.send) {
		return ErrClosed
	}
	select {
	case <-c.done:
		return c.result()
	case <-ctx.Done():
	}
	last := c.result()
	c.end(ErrUnavailable)
	if why := context.Cause(ctx); last == nil || errors.Is(last, why) {
		return why
	} else {
		return fmt.Errorf("%w: %w", why, last)
	}
}

// maxRound bounds the bytes of a round, and so of a request: brokers take 1 MiB by default.
const maxRound = 768 << 10

// take returns the next round; if there is nothing to send, sending has ended.
func (o *outlet) take() []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	var round []outgoing
	size, n := 0, 0
	for ; n < len(o.pending); n++ {
		next := o.pending[n]
		if next.call.isOver() {
			continue
		}
		if size += next.size(); size > maxRound && len(round) > 0 {
			break
		}
		round = append(round, next)
	}
	o.pending = o.pending[n:]
	if len(o.pending) == 0 {
		o.pending = nil
	}
	o.sending = len(round) > 0
	return round
}

// putBack makes messages the next to be sent.
func (o *outlet) putBack(failed []outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = append(failed, o.pending...)
}

// send sends rounds until nothing is left, or the bus is closed.
func (o *outlet) send() {
	for failures := 0; ; {
		round := o.take()
		if round == nil {
			return
		}
		failed := o.bus.produce(o.topic, round)
		if len(failed) == 0 {
			failures = 0
			continue
		}
		o.putBack(failed)
		o.bus.transport.CloseIdleConnections() // to learn who leads, and not to use what a broker closed
		if !wait(o.bus.closing, growing(o.bus.cfg.Timing.Retry/8, failures, o.bus.cfg.Timing.Retry)) {
			return
		}
		failures++
	}
}
