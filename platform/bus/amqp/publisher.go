package amqp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
)

const (
	// publishTimeout bounds the sending of a batch, until the broker has confirmed all of it.
	publishTimeout = 10 * time.Second
	// batch is how many messages are sent before their confirms are awaited.
	batch = 256
)

var errUnconfirmed = errors.New("the broker does not confirm")

type publisher struct {
	bus     *Bus
	closing context.Context // ends with this publisher, and with the bus
	close   context.CancelFunc
}

// Publish returns when the broker has stored the messages for every group that hears the topic. They are all sent before the first
// confirm is awaited, so after an error some may be stored, and not only the first ones if it is the broker that refuses one. Publish
// fails at once while the broker is known to be away, within seconds if it does not answer, and when the first message's context or this
// publisher ends.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	for len(messages) > 0 {
		part := messages[:min(batch, len(messages))]
		messages = messages[len(part):]
		if err := p.publish(topic, part); err != nil {
			if p.closing.Err() != nil {
				return ErrClosed
			}
			return fmt.Errorf("publish on %s: %w", topic, err)
		}
		p.bus.metrics.published.WithLabelValues(topic).Add(float64(len(part)))
	}
	return nil
}

func (p *publisher) publish(topic string, messages []*message.Message) error {
	if p.closing.Err() != nil {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeoutCause(messages[0].Context(), publishTimeout, errUnconfirmed)
	defer cancel()
	defer context.AfterFunc(p.closing, cancel)()
	o, err := p.bus.pool.take(ctx)
	if err != nil {
		return err
	}
	defer p.bus.pool.put(o)
	if err = p.bus.pool.declare(o, topic); err == nil {
		if err = p.send(o, topic, messages); err == nil {
			err = o.confirmed(ctx)
		}
	}
	switch {
	case errors.Is(err, errNoQueue):
		p.bus.pool.forget(o, topic)
	case err != nil && o.conn.IsClosed():
		return fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
	}
	return err
}

// send writes the messages. Those that a group must hear are mandatory: the broker returns them if it has no queue for them.
func (p *publisher) send(o *outlet, topic string, messages []*message.Message) error {
	mandatory := len(p.bus.cfg.Groups[topic]) > 0
	for _, msg := range messages {
		out, err := marshaler.Marshal(msg)
		if err != nil {
			return fmt.Errorf("message %s: %w", msg.UUID, err)
		}
		key := routingKey(bus.Partition(p.bus.cfg.Key(msg), p.bus.cfg.Partitions))
		confirm, err := o.ch.PublishWithDeferredConfirm(topic, key, mandatory, false, out)
		if err != nil {
			return fmt.Errorf("message %s: %w", msg.UUID, err)
		}
		o.pending = append(o.pending, confirm)
	}
	return nil
}

// Close makes calls of Publish that wait, and later ones, fail.
func (p *publisher) Close() error {
	p.close()
	return nil
}
