//go:build !race

package kafka_test

import (
	"context"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
)

// TestReconnect of Watermill's suite reads a slice that another goroutine appends to, so it has no place under the race detector.

func TestWatermillReconnectOnKfake(t *testing.T) { reconnect(t, kfakeProcess(t)) }

func TestWatermillReconnectOnApacheKafka(t *testing.T) {
	b := apacheKafka(t)
	if b.restart == nil {
		t.Skip("KERF_TEST_KAFKA_RESTART is not set: it takes a command that kills the Apache Kafka of KERF_TEST_KAFKA and starts it again with its data")
	}
	reconnect(t, b)
}

// reconnect publishes 10,000 messages while the broker is killed twice.
func reconnect(t *testing.T, b *broker) {
	features := tests.Features{ConsumerGroups: true, Persistent: true, RestartServiceCommand: b.restart}
	tests.TestReconnect(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		bus := newBus(t, b, nil)
		sub, err := bus.Subscriber("suite")
		if err != nil {
			t.Fatal(err)
		}
		p := &published{ids: map[string]bool{}}
		p.changed = sync.NewCond(&p.mu)
		return noting{bus.Publisher(), p}, patient{sub, p}
	})
}

// published are the messages whose Publish has returned. The suite takes it that none is heard before, and counts wrongly if one is.
type published struct {
	mu      sync.Mutex
	changed *sync.Cond
	ids     map[string]bool
}

// noting notes what was published.
type noting struct {
	message.Publisher
	*published
}

func (n noting) Publish(topic string, messages ...*message.Message) error {
	err := n.Publisher.Publish(topic, messages...)
	if err == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, msg := range messages {
			n.ids[msg.UUID] = true
		}
		n.changed.Broadcast()
	}
	return err
}

// patient hands messages out when their Publish has returned.
type patient struct {
	message.Subscriber
	*published
}

func (p patient) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := p.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for msg := range in {
			p.mu.Lock()
			for !p.ids[msg.UUID] {
				p.changed.Wait()
			}
			p.mu.Unlock()
			out <- msg
		}
	}()
	return out, nil
}
