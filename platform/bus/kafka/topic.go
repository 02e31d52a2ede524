package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
)

// topic is what the bus knows of a topic.
type topic struct {
	name   string
	making chan struct{} // has room for who makes it
	made   atomic.Bool   // it exists, and all its partitions had leaders

	outlet outlet
}

func (b *Bus) topic(name string) *topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	if t == nil {
		t = &topic{name: name, making: make(chan struct{}, 1)}
		t.outlet = outlet{bus: b, topic: t}
		b.topics[name] = t
	}
	return t
}

// ensure makes the topic, unless it exists, and waits until each of its partitions has a leader.
func (b *Bus) ensure(ctx context.Context, t *topic) error {
	if t.made.Load() {
		return nil
	}
	select {
	case t.making <- struct{}{}:
		defer func() { <-t.making }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.made.Load() {
		return nil
	}
	if err := b.insist(ctx, func() error { return b.makeTopic(ctx, t.name) }); err != nil {
		return fmt.Errorf("kafka topic %s: %w", t.name, err)
	}
	t.made.Store(true)
	return nil
}

// insist asks the brokers again and again, until they answer, refuse for good, or ctx ends.
func (b *Bus) insist(ctx context.Context, ask func() error) error {
	var last error
	for attempt := 0; ; attempt++ {
		err := ask()
		if err == nil || !transient(err) {
			return err
		}
		if last == nil || ctx.Err() == nil { // else it tells only that ctx has ended
			last = err
		}
		b.transport.CloseIdleConnections() // to ask for the metadata again, and not to use what a broker closed
		if !wait(ctx, growing(b.cfg.Timing.Retry/8, attempt, b.cfg.Timing.Retry)) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		}
	}
}

// makeTopic returns nil when the topic is there and complete.
func (b *Bus) makeTopic(ctx context.Context, name string) error {
	partitions, err := b.partitions(ctx, name)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		if err := b.createTopic(ctx, name); err != nil {
			return err
		}
		partitions, err = b.partitions(ctx, name)
	}
	if err != nil {
		return err
	}
	if len(partitions) != b.cfg.Partitions {
		return wrongPartitions{has: len(partitions), wants: b.cfg.Partitions}
	}
	for _, p := range partitions {
		if p.Error != nil {
			return p.Error
		}
		if p.Leader.Host == "" {
			return kafka.LeaderNotAvailable
		}
	}
	return nil
}

func (b *Bus) createTopic(ctx context.Context, name string) error {
	answer, err := b.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic:             name,
		NumPartitions:     b.cfg.Partitions,
		ReplicationFactor: b.cfg.Replication,
		ConfigEntries:     []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(b.cfg.Retention.Milliseconds(), 10)}},
	}}})
	if err != nil {
		return err
	}
	if err := answer.Errors[name]; errors.Is(err, kafka.TopicAlreadyExists) {
		return errMade
	} else if err != nil {
		return err
	}
	return nil
}

// errMade says that another process was faster; the metadata at hand are of the time before.
var errMade = errors.New("the topic was made by somebody else")

// partitions returns a topic's partitions as the transport knows them.
func (b *Bus) partitions(ctx context.Context, name string) ([]kafka.Partition, error) {
	answer, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return nil, err
	}
	for _, t := range answer.Topics {
		if t.Name == name {
			return t.Partitions, t.Error
		}
	}
	return nil, kafka.UnknownTopicOrPartition
}

// wrongPartitions is an error that no time mends.
type wrongPartitions struct{ has, wants int }

func (e wrongPartitions) Error() string {
	return fmt.Sprintf("it has %d partitions and not %d as configured, so the order of keys would break", e.has, e.wants)
}

// transient tells errors of the network and those that Kafka calls temporary from those that will stay.
func transient(err error) bool {
	if errors.As(err, &wrongPartitions{}) {
		return false
	}
	var refusal kafka.Error
	return !errors.As(err, &refusal) || refusal.Temporary()
}
