package amqp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"kerf/platform/bus"
)

// ErrClosed is returned by what is used after it was closed.
var ErrClosed = errors.New("amqp bus is closed")

// Config says which broker, and who hears what.
type Config struct {
	// URL of the broker: amqp://user:password@host:port/vhost, or amqps:// for TLS.
	URL string
	// Groups that hear a topic, by topic. Every publisher must know all of them: a group that is not named here misses what was
	// published before it first subscribed.
	Groups map[string][]string
	// Partitions of each topic; 8 if zero. It must be the same everywhere, and may change only while all queues are empty.
	Partitions int
	// TLS is used with amqps://; nil for the system's authorities and no certificate of one's own.
	TLS *tls.Config
	// Key returns the key of a message; bus.KeyOf if nil.
	Key func(*message.Message) string
}

// Bus is a bus.Bus on an AMQP broker. It connects when it is first used and again whenever the connection was lost.
type Bus struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	closing context.Context
	close   context.CancelFunc
	// Publishing has a connection of its own, since a broker that is short of memory stops reading from those that publish, and
	// acks must still get through.
	out, in *link
	pool    *pool

	prepare sync.Once
	workers sync.WaitGroup

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
}

var _ bus.Bus = (*Bus)(nil)

// New returns a bus. It fails only for a URL that cannot be used; whether the broker answers is found out later. reg may be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Bus, error) {
	uri, err := amqp091.ParseURI(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("amqp: URL of the broker: %w", err)
	}
	if cfg.TLS != nil && uri.Scheme != "amqps" {
		return nil, fmt.Errorf("amqp: TLS is configured, but the URL is %s://, not amqps://", uri.Scheme)
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = 8
	}
	if cfg.Key == nil {
		cfg.Key = bus.KeyOf
	}
	b := &Bus{cfg: cfg, log: log, metrics: newMetrics(reg), subscribers: map[*subscriber]struct{}{}}
	b.closing, b.close = context.WithCancel(context.Background())
	b.out, b.in = newLink(cfg, "publishing", log), newLink(cfg, "consuming", log)
	b.pool = &pool{bus: b}
	return b, nil
}

// Publisher implements bus.Bus. With the first one the bus begins to make all groups' queues, without waiting for what is published: a
// RabbitMQ that is killed forgets queues, with what is in them, that were made less than two or three seconds before.
func (b *Bus) Publisher() message.Publisher {
	b.prepare.Do(func() { b.workers.Go(b.pool.prepare) })
	p := &publisher{bus: b}
	p.closing, p.close = context.WithCancel(b.closing)
	return p
}

// Subscriber implements bus.Bus. It fails if the bus is closed.
func (b *Bus) Subscriber(group string) (message.Subscriber, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.Err() != nil {
		return nil, ErrClosed
	}
	s := &subscriber{bus: b, group: group, subscriptions: map[*subscription]struct{}{}}
	b.subscribers[s] = struct{}{}
	return s, nil
}

// closeTimeout bounds each of the two steps of Close if the broker does not answer.
const closeTimeout = 2 * time.Second

// Close implements bus.Bus. What was delivered and not acked goes back to its place in the queue. It takes seconds at most, even if the
// broker does not answer.
func (b *Bus) Close() error {
	b.mu.Lock()
	b.close()
	open := make([]*subscriber, 0, len(b.subscribers))
	for s := range b.subscribers {
		open = append(open, s)
	}
	b.mu.Unlock()
	var ending sync.WaitGroup
	for _, s := range open {
		ending.Go(func() { _ = s.Close() }) // never fails
	}
	ended := make(chan struct{})
	go func() {
		ending.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeTimeout):
	}
	// Ends whatever still waits for the broker.
	b.in.end()
	b.out.end()
	<-ended
	b.workers.Wait()
	return nil
}

func (b *Bus) forget(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscribers, s)
}

// knows reports whether every publisher declares the group's queues.
func (b *Bus) knows(topic, group string) bool { return slices.Contains(b.cfg.Groups[topic], group) }
