package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// idleOutlets is how many channels are kept for later calls of Publish.
const idleOutlets = 16

// pool has channels for publishing, all of one connection.
type pool struct {
	bus *Bus

	declaring sync.Mutex // one declares, and those who wait find it done

	mu   sync.Mutex
	conn *amqp091.Connection
	idle []*outlet
	// declared are the topics whose queues are known to the broker at the other end of conn.
	declared map[string]bool
}

// outlet is a channel in confirm mode. One call of Publish at a time has it, so what the broker returns on it belongs to that call.
type outlet struct {
	conn    *amqp091.Connection
	ch      *amqp091.Channel
	pending []*amqp091.DeferredConfirmation
	// returns has room for a whole batch, since the connection's only reader waits until there is room. A message's return comes
	// before its confirm.
	returns chan amqp091.Return
}

// take returns an outlet for the caller alone, who gives it back with put.
func (p *pool) take(ctx context.Context) (*outlet, error) {
	conn, err := p.bus.out.get(ctx)
	if err != nil {
		return nil, err
	}
	if o := p.idler(conn); o != nil {
		return o, nil
	}
	o := &outlet{conn: conn}
	return o, within(conn, func() error {
		var err error
		if o.ch, err = conn.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		o.returns = o.ch.NotifyReturn(make(chan amqp091.Return, batch))
		return o.ch.Confirm(false)
	})
}

// idler returns an outlet that nobody uses, if there is one. A new connection makes all that is known of the old one void.
func (p *pool) idler(conn *amqp091.Connection) *outlet {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != conn {
		p.conn, p.idle, p.declared = conn, nil, map[string]bool{}
	}
	for len(p.idle) > 0 {
		o := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !o.ch.IsClosed() {
			return o
		}
	}
	return nil
}

// put takes an outlet back. One with something unconfirmed is of no use to others.
func (p *pool) put(o *outlet) {
	if len(o.pending) == 0 && !o.ch.IsClosed() && p.keep(o) {
		return
	}
	closeChannel(o.conn, o.ch)
}

func (p *pool) keep(o *outlet) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != o.conn || len(p.idle) == idleOutlets {
		return false
	}
	p.idle = append(p.idle, o)
	return true
}

// prepare declares all topics that groups hear, as soon as the broker can be reached. Publish declares what it needs all the same.
func (p *pool) prepare() {
	for failures := 0; p.bus.closing.Err() == nil; {
		o, err := p.take(p.bus.closing)
		if err == nil {
			for topic := range p.bus.cfg.Groups {
				err = errors.Join(err, p.declare(o, topic))
			}
			p.put(o)
		}
		if err == nil || refuses(err) {
			return
		}
		failures++
		sleep(p.bus.closing, pauseAfter(failures))
	}
}

// declare makes sure that every group that hears the topic has its queues, once for each connection.
func (p *pool) declare(o *outlet, topic string) error {
	if p.knows(o, topic) {
		return nil
	}
	p.declaring.Lock()
	defer p.declaring.Unlock()
	if p.knows(o, topic) {
		return nil
	}
	if err := within(o.conn, func() error { return p.bus.declareTopic(o.ch, topic) }); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == o.conn {
		p.declared[topic] = true
	}
	return nil
}

func (p *pool) knows(o *outlet, topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn == o.conn && p.declared[topic]
}

// forget has the topic declared anew.
func (p *pool) forget(o *outlet, topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == o.conn {
		delete(p.declared, topic)
	}
}

// confirmed waits until the broker has confirmed what is pending. If it does not before ctx's own time is over, the connection is given
// up, so that others learn it at once.
func (o *outlet) confirmed(ctx context.Context) error {
	for _, confirm := range o.pending {
		select {
		case <-confirm.Done():
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errUnconfirmed) {
				giveUp(o.conn)
			}
			return context.Cause(ctx)
		}
		if confirm.Acked() {
			continue
		}
		if o.ch.IsClosed() {
			return fmt.Errorf("unconfirmed: %w", amqp091.ErrClosed)
		}
		return errors.New("the broker could not store a message")
	}
	select {
	case back := <-o.returns:
		return fmt.Errorf("message %s was returned: %w", back.MessageId, errNoQueue)
	default:
		o.pending = o.pending[:0]
		return nil
	}
}

// errNoQueue says that queues which were declared are there no more.
var errNoQueue = errors.New("no queue takes it")
