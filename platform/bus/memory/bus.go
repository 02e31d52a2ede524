package memory

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
)

// ErrClosed is returned by what is used after it was closed.
var ErrClosed = errors.New("memory bus is closed")

// Config shapes a Bus. Its zero value is usable.
type Config struct {
	// Partitions of each topic; 8 if zero.
	Partitions int
	// Queue is how many messages a partition holds before publishers wait, and a subscriber without a group before it loses its
	// oldest; 1024 if zero.
	Queue int
	// Groups that hear a topic, by topic. A group that is named here gets messages that were published before it first subscribed;
	// any other from its first SubscribeInitialize or Subscribe on. What no group hears is dropped at once.
	Groups map[string][]string
	// Key returns the key of a message; bus.KeyOf if nil.
	Key func(*message.Message) string
	// Duplicate delivers every message to each group once more after it was acked, to expose handlers that are not idempotent.
	Duplicate bool
}

// Bus is a bus.Bus in memory.
type Bus struct {
	cfg     Config
	closing chan struct{}

	mu          sync.RWMutex
	closed      bool
	topics      map[string]*topic
	subscribers map[*subscriber]struct{}
}

var (
	_ bus.Bus     = (*Bus)(nil)
	_ bus.Settler = (*publisher)(nil)
)

// New returns an open bus.
func New(cfg Config) *Bus {
	if cfg.Partitions == 0 {
		cfg.Partitions = 8
	}
	if cfg.Queue == 0 {
		cfg.Queue = 1024
	}
	if cfg.Key == nil {
		cfg.Key = bus.KeyOf
	}
	b := &Bus{
		cfg:         cfg,
		closing:     make(chan struct{}),
		topics:      map[string]*topic{},
		subscribers: map[*subscriber]struct{}{},
	}
	for name, groups := range cfg.Groups {
		t := b.topic(name)
		for _, group := range groups {
			t.group(group)
		}
	}
	return b
}

// Publisher implements bus.Bus; the publisher is a bus.Settler.
func (b *Bus) Publisher() message.Publisher {
	return &publisher{bus: b, closing: make(chan struct{})}
}

// Subscriber implements bus.Bus. It fails if the bus is closed.
func (b *Bus) Subscriber(group string) (message.Subscriber, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	s := &subscriber{bus: b, group: group, subscriptions: map[*subscription]struct{}{}}
	b.subscribers[s] = struct{}{}
	return s, nil
}

// Close implements bus.Bus.
func (b *Bus) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.closing)
	}
	open := make([]*subscriber, 0, len(b.subscribers))
	for s := range b.subscribers {
		open = append(open, s)
	}
	b.mu.Unlock()
	for _, s := range open {
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) forget(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscribers, s)
}

// topic returns the topic of that name, and makes it if need be.
func (b *Bus) topic(name string) *topic {
	b.mu.RLock()
	t := b.topics[name]
	b.mu.RUnlock()
	if t != nil {
		return t
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.topics[name]; t != nil {
		return t
	}
	t = newTopic(b.cfg)
	b.topics[name] = t
	return t
}

// topic holds the partitions of a topic, and who hears it.
type topic struct {
	partitions []*partition

	mu        sync.RWMutex
	groups    map[string][]*lane
	listeners []*listener
}

func newTopic(cfg Config) *topic {
	t := &topic{groups: map[string][]*lane{}}
	for range cfg.Partitions {
		t.partitions = append(t.partitions, newPartition(cfg.Queue))
	}
	return t
}

// group returns the group's places in the partitions, and makes them at the partitions' ends if the group is new.
func (t *topic) group(name string) []*lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	lanes := t.groups[name]
	if lanes == nil {
		for _, p := range t.partitions {
			lanes = append(lanes, p.join())
		}
		t.groups[name] = lanes
	}
	return lanes
}

func (t *topic) listen(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, l)
}

func (t *topic) unlisten(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = slices.DeleteFunc(t.listeners, func(other *listener) bool { return other == l })
}

// offer hands a message to the listeners without a group; it never waits.
func (t *topic) offer(msg *message.Message) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, l := range t.listeners {
		l.offer(msg)
	}
}

type publisher struct {
	bus     *Bus
	closing chan struct{}
	once    sync.Once
}

// Publish returns when each message is queued for every group that hears the topic. It waits while a partition is full, until the
// message's context ends or the bus or this publisher is closed; the messages before the one that waited are then published.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	return p.PublishSettling(topic, nil, messages...)
}

// PublishSettling implements bus.Settler.
func (p *publisher) PublishSettling(topic string, settled func(*message.Message), messages ...*message.Message) error {
	t := p.bus.topic(topic)
	for _, msg := range messages {
		if err := p.usable(); err != nil {
			return err
		}
		at := t.partitions[bus.Partition(p.bus.cfg.Key(msg), len(t.partitions))]
		if err := p.reserve(msg.Context(), at); err != nil {
			return err
		}
		at.append(msg, settled)
		t.offer(msg)
	}
	return nil
}

// usable reports whether the bus and the publisher are open.
func (p *publisher) usable() error {
	select {
	case <-p.closing:
		return ErrClosed
	case <-p.bus.closing:
		return ErrClosed
	default:
		return nil
	}
}

// reserve waits for room in the partition.
func (p *publisher) reserve(ctx context.Context, at *partition) error {
	select {
	case at.room <- struct{}{}:
		return nil
	default:
	}
	select {
	case at.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.closing:
		return ErrClosed
	case <-p.bus.closing:
		return ErrClosed
	}
}

// Close makes calls of Publish that wait, and later ones, fail.
func (p *publisher) Close() error {
	p.once.Do(func() { close(p.closing) })
	return nil
}
