package amqp_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
	"kerf/platform/bus/amqp"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// newTopic returns a name that no other test uses.
func newTopic() string { return bus.Topic(fmt.Sprintf("amqp%d", time.Now().UnixNano())) }

// event is the nth of its key.
func event(key string, n int) *message.Message {
	return bus.NewMessage(bus.Meta{
		ID: fmt.Sprintf("%s-%d", key, n), Type: "kerf.test.Happened", Source: "test", Subject: key, Key: key, Sequence: int64(n),
		Time: time.UnixMicro(1_700_000_000_123_456).UTC(), ContentType: bus.Protobuf.ContentType(), SchemaVersion: 1,
	}, []byte(key))
}

func subscribe(t *testing.T, b *amqp.Bus, group, topic string) (<-chan *message.Message, message.Subscriber) {
	t.Helper()
	sub, err := b.Subscriber(group)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return messages, sub
}

// next returns the next message, unacked.
func next(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-messages:
		if !open {
			t.Fatal("the subscription ended")
		}
		return msg
	case <-time.After(patience):
		t.Fatal("no message came")
	}
	return nil
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain until %s", what)
	}
}

// publishAll publishes n events of the key, and each again until that succeeds.
func publishAll(t *testing.T, p message.Publisher, topic, key string, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		publishSurely(t, p, topic, event(key, i))
	}
}

// publishSurely publishes a message, again until that succeeds.
func publishSurely(t *testing.T, p message.Publisher, topic string, msg *message.Message) {
	deadline := time.Now().Add(patience)
	for {
		err := p.Publish(topic, msg)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("publishers do not recover: %v", err)
			return
		}
	}
}

// ledger notes the events that a group hears. Each may come again, but none may be left out.
type ledger struct {
	mu   sync.Mutex
	more *sync.Cond
	last map[string]int
	all  int
}

func newLedger() *ledger {
	l := &ledger{last: map[string]int{}}
	l.more = sync.NewCond(&l.mu)
	return l
}

// await waits until so many events were heard.
func (l *ledger) await(t *testing.T, events int) {
	t.Helper()
	heard := make(chan struct{})
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for l.all < events {
			l.more.Wait()
		}
		close(heard)
	}()
	await(t, fmt.Sprintf("%d events are heard", events), heard)
}

func (l *ledger) hear(t *testing.T, messages <-chan *message.Message) {
	for msg := range messages {
		meta, err := bus.MetaOf(msg)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		switch last := l.last[meta.Key]; {
		case int(meta.Sequence) == last+1:
			l.last[meta.Key]++
			l.all++
			l.more.Broadcast()
		case int(meta.Sequence) > last:
			t.Errorf("%s: %d came after %d", meta.Key, meta.Sequence, last)
		}
		l.mu.Unlock()
		msg.Ack()
	}
}

// traffic publishes events of several keys, and hears them in two groups of two members, until disturb has returned; then all that was
// published must be heard. disturb is given what waits until so many more events were heard.
func traffic(t *testing.T, b *amqp.Bus, topic string, disturb func(flow func(events int))) {
	const keys = 8
	var hearing, publishing sync.WaitGroup
	defer hearing.Wait()
	defer b.Close()
	ledgers := map[string]*ledger{"a": newLedger(), "b": newLedger()}
	for group, l := range ledgers {
		for range 2 {
			messages, _ := subscribe(t, b, group, topic)
			hearing.Go(func() { l.hear(t, messages) })
		}
	}
	stop, published := make(chan struct{}), make([]int, keys)
	for k := range keys {
		publishing.Go(func() {
			publisher := b.Publisher()
			for {
				select {
				case <-stop:
					return
				default:
				}
				published[k]++
				publishSurely(t, publisher, topic, event(fmt.Sprint("key-", k), published[k]))
			}
		})
	}
	heard := 0
	disturb(func(events int) {
		heard += events
		ledgers["a"].await(t, heard)
	})
	close(stop)
	publishing.Wait()
	all := 0
	for _, n := range published {
		all += n
	}
	for _, l := range ledgers {
		l.await(t, all)
	}
}
