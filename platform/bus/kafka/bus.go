package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"

	"kerf/platform/bus"
)

// ErrClosed is returned by what is used after it was closed.
var ErrClosed = errors.New("kafka bus is closed")

// ErrUnavailable is in the chain of errors that tell nothing against a message: the brokers could not be reached, or did not answer in
// time. Whether a message was published is then unknown.
var ErrUnavailable = fmt.Errorf("kafka does not answer: %w", bus.ErrUnavailable)

// Bus is a bus.Bus on Kafka. It connects when it is first used, and again whenever a connection was lost.
type Bus struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	network   *network
	line      *line // of the transport
	sasl      sasl.Mechanism
	transport *kafka.Transport
	client    *kafka.Client

	closing context.Context
	close   context.CancelFunc
	workers sync.WaitGroup // that publish

	mu          sync.Mutex
	topics      map[string]*topic
	subscribers map[*subscriber]struct{}
}

var _ bus.Bus = (*Bus)(nil)

// New returns a bus. It fails only for a configuration that cannot be used; whether the brokers answer is found out later. reg may be
// nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Bus, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	b := &Bus{
		cfg:         cfg.withDefaults(),
		log:         log,
		network:     newNetwork(log),
		sasl:        mechanism,
		topics:      map[string]*topic{},
		subscribers: map[*subscriber]struct{}{},
	}
	b.metrics = newMetrics(b, reg)
	b.closing, b.close = context.WithCancel(context.Background())
	b.line = newLine(b.network)
	b.transport = &kafka.Transport{
		Dial:        b.line.dial,
		DialTimeout: dialTimeout,
		IdleTimeout: 5 * time.Minute, // brokers close what is idle for ten
		MetadataTTL: time.Minute,     // asked sooner when a request went to the wrong broker
		ClientID:    b.cfg.ClientID,
		TLS:         b.cfg.TLS,
		SASL:        mechanism,
		Context:     b.closing,
	}
	b.client = &kafka.Client{Addr: kafka.TCP(b.cfg.Brokers...), Transport: b.transport}
	return b, nil
}

// Publisher implements bus.Bus.
func (b *Bus) Publisher() message.Publisher {
	p := &publisher{bus: b}
	p.closing, p.close = context.WithCancel(b.closing)
	return p
}

// Subscriber implements bus.Bus. It fails if the bus is closed. A group that is new to a topic hears all that the topic still holds.
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

// Close implements bus.Bus. What was acked is committed and the groups are left; if the brokers do not answer, that is given up after
// some seconds.
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
	ending.Wait()
	b.workers.Wait()
	b.transport.CloseIdleConnections()
	b.line.close()
	return nil
}

func (b *Bus) forget(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscribers, s)
}

// reading names who reads what.
type reading struct{ topic, group string }

// lags returns how far the groups of this process are behind.
func (b *Bus) lags() map[reading]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	lags := map[reading]int64{}
	for s := range b.subscribers {
		for _, sub := range s.open() {
			if t := sub.current.Load(); t != nil {
				lags[reading{sub.topic, sub.group}] += t.lag()
			}
		}
	}
	return lags
}

// work runs f in a goroutine that Close waits for; false if the bus is closed.
func (b *Bus) work(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.Err() != nil {
		return false
	}
	b.workers.Go(f)
	return true
}

// wait pauses for d; false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// growing returns the n-th of pauses that double from first up to the longest.
func growing(first time.Duration, n int, longest time.Duration) time.Duration {
	return min(first<<min(n, 20), longest)
}
