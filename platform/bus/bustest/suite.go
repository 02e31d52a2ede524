package bustest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus"
)

// Options are what a test asks of the bus that it opens.
type Options struct {
	// Topic is fresh; Groups hear it before anything is published.
	Topic  string
	Groups []string
	// Queue is how many messages a partition holds, for a driver that is Bounded.
	Queue int
}

// Driver is the bus under test.
type Driver struct {
	// Open returns a new bus, which the suite closes.
	Open func(t *testing.T, o Options) bus.Bus
	// Bounded says that publishers wait when a partition is full.
	Bounded bool
	// Restart ends the broker as a crash would and returns when it answers again, with its data; nil if there is none to end.
	Restart func(t *testing.T)
	// Patience is how long anything may take; 10 s if zero.
	Patience time.Duration
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	if d.Patience == 0 {
		d.Patience = 10 * time.Second
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, Driver)
	}{
		{"attributes and payload arrive unchanged", attributes},
		{"each group hears every message", groups},
		{"order per key is kept with many consumers", order},
		{"a nacked message comes again before later ones", redelivery},
		{"nothing is delivered before the last message is acked", inFlight},
		{"what a member leaves unacked goes to another", handover},
		{"a group goes on where its last member stopped", resumption},
		{"order per key is kept while members come and go", comingAndGoing},
		{"a message that is refused again and again holds up no other partition", poison},
		{"a full bus makes publishers wait and drops nothing", backPressure},
		{"a subscriber without a group hears all and holds up nobody", groupless},
		{"a message is settled when every group has acked it", settling},
		{"closing under load ends everything", closing},
		{"a restart of the broker loses nothing and keeps order per key", restart},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, d) })
	}
}

// harness is an open bus with the test's patience.
type harness struct {
	*testing.T
	bus   bus.Bus
	topic string
	Driver
}

func open(t *testing.T, d Driver, o Options) *harness {
	t.Helper()
	o.Topic = bus.Topic(fmt.Sprintf("test%d", time.Now().UnixNano()))
	h := &harness{T: t, bus: d.Open(t, o), topic: o.Topic, Driver: d}
	t.Cleanup(func() {
		if err := h.bus.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

func (h *harness) subscribe(group string) <-chan *message.Message {
	h.Helper()
	messages, _ := h.member(group)
	return messages
}

func (h *harness) member(group string) (<-chan *message.Message, message.Subscriber) {
	h.Helper()
	sub, err := h.bus.Subscriber(group)
	if err != nil {
		h.Fatalf("subscriber of %q: %v", group, err)
	}
	messages, err := sub.Subscribe(context.Background(), h.topic)
	if err != nil {
		h.Fatalf("subscribe %q: %v", group, err)
	}
	return messages, sub
}

func event(key string, sequence int) *message.Message {
	return bus.NewMessage(bus.Meta{
		ID: fmt.Sprintf("%s-%d", key, sequence), Type: "kerf.test.Happened", Source: "test", Subject: key, Key: key,
		Sequence: int64(sequence), Time: time.UnixMicro(1_700_000_000_123_456).UTC(), ContentType: bus.Protobuf.ContentType(), SchemaVersion: 1,
	}, []byte(key))
}

func (h *harness) publish(messages ...*message.Message) {
	h.Helper()
	if err := h.bus.Publisher().Publish(h.topic, messages...); err != nil {
		h.Fatalf("publish: %v", err)
	}
}

// next returns the next message, unacked.
func (h *harness) next(messages <-chan *message.Message) *message.Message {
	h.Helper()
	select {
	case msg, ok := <-messages:
		if !ok {
			h.Fatal("the subscription ended")
		}
		return msg
	case <-time.After(h.Patience):
		h.Fatal("no message came")
	}
	return nil
}

func (h *harness) await(what string, done <-chan struct{}) {
	h.Helper()
	select {
	case <-done:
	case <-time.After(h.Patience):
		h.Fatalf("waited in vain until %s", what)
	}
}

// quiet fails if a message comes within a moment. It cannot prove that none will.
func (h *harness) quiet(messages <-chan *message.Message) {
	h.Helper()
	select {
	case msg, ok := <-messages:
		if ok {
			h.Fatalf("%s came too early", msg.UUID)
		}
	case <-time.After(50 * time.Millisecond):
	}
}

// ids acks n messages and returns their ids in the order in which they came.
func (h *harness) ids(messages <-chan *message.Message, n int) []string {
	h.Helper()
	ids := make([]string, 0, n)
	for range n {
		msg := h.next(messages)
		ids = append(ids, msg.UUID)
		msg.Ack()
	}
	return ids
}

func attributes(t *testing.T, d Driver) {
	h := open(t, d, Options{Groups: []string{"a"}})
	messages := h.subscribe("a")
	sent := event("order-1", 7)
	h.publish(sent)
	got := h.next(messages)
	defer got.Ack()
	want, err := bus.MetaOf(sent)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := bus.MetaOf(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, meta); diff != "" {
		t.Errorf("attributes changed: %s", diff)
	}
	if string(got.Payload) != "order-1" {
		t.Errorf("payload is %q", got.Payload)
	}
}

func groups(t *testing.T, d Driver) {
	h := open(t, d, Options{Groups: []string{"a", "b"}})
	a := h.subscribe("a")
	var want []string
	for i := range 20 {
		msg := event("k", i+1)
		want = append(want, msg.UUID)
		h.publish(msg)
	}
	// b was not there yet; what its group hears was kept for it.
	b := h.subscribe("b")
	for name, messages := range map[string]<-chan *message.Message{"a": a, "b": b} {
		if diff := cmp.Diff(want, h.ids(messages, len(want))); diff != "" {
			t.Errorf("group %s: %s", name, diff)
		}
		h.quiet(messages)
	}
}

// order has several members in each of two groups, and publishers that own their keys.
func order(t *testing.T, d Driver) {
	const publishers, keys, perKey, members = 4, 8, 40, 4
	h := open(t, d, Options{Groups: []string{"a", "b"}, Queue: 16})
	var wg, publishing sync.WaitGroup
	defer wg.Wait()
	defer h.bus.Close()
	for p := range publishers {
		publishing.Go(func() {
			publisher := h.bus.Publisher()
			for i := range perKey {
				for k := range keys {
					if err := publisher.Publish(h.topic, event(fmt.Sprintf("%d-%d", p, k), i+1)); err != nil {
						t.Errorf("publish: %v", err)
					}
				}
			}
		})
	}
	var heard []*sequences
	for _, group := range []string{"a", "b"} {
		seen := &sequences{last: map[string]int64{}, left: publishers * keys * perKey, done: make(chan struct{})}
		heard = append(heard, seen)
		for range members {
			messages := h.subscribe(group)
			wg.Go(func() { seen.consume(t, messages) })
		}
	}
	for _, seen := range heard {
		h.await("each group has heard everything", seen.done)
	}
	publishing.Wait() // the last message may be heard before its publisher knows that it is stored
}

// sequences checks that the events of each key come in order. A member may see one again that another had, if a driver moves
// partitions between members; it may not miss one.
type sequences struct {
	mu   sync.Mutex
	last map[string]int64
	left int
	done chan struct{}
}

func (s *sequences) consume(t *testing.T, messages <-chan *message.Message) {
	for msg := range messages {
		meta, err := bus.MetaOf(msg)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		switch {
		case meta.Sequence == s.last[meta.Key]+1:
			s.last[meta.Key]++
			if s.left--; s.left == 0 {
				close(s.done)
			}
		case meta.Sequence > s.last[meta.Key]:
			t.Errorf("%s: %d came after %d", meta.Key, meta.Sequence, s.last[meta.Key])
		}
		s.mu.Unlock()
		msg.Ack()
	}
}

func redelivery(t *testing.T, d Driver) {
	h := open(t, d, Options{Groups: []string{"a"}})
	messages := h.subscribe("a")
	h.publish(event("k", 1), event("k", 2))
	for range 3 {
		msg := h.next(messages)
		if msg.UUID != "k-1" {
			t.Fatalf("%s came while k-1 was not acked", msg.UUID)
		}
		msg.Nack()
	}
	if diff := cmp.Diff([]string{"k-1", "k-2"}, h.ids(messages, 2)); diff != "" {
		t.Error(diff)
	}
}

func inFlight(t *testing.T, d Driver) {
	h := open(t, d, Options{Groups: []string{"a"}})
	messages := h.subscribe("a")
	h.publish(event("k", 1), event("k", 2))
	first := h.next(messages)
	h.quiet(messages)
	if first.Context().Err() != nil {
		t.Error("the message's context ended before it was acked")
	}
	first.Ack()
	h.await("the message's context ends", first.Context().Done())
	if second := h.next(messages); second.UUID != "k-2" {
		t.Errorf("%s came after k-1", second.UUID)
	}
}

func handover(t *testing.T, d Driver) {
	h := open(t, d, Options{Groups: []string{"a"}})
	messages, sub := h.member("a")
	h.publish(event("k", 1))
	left := h.next(messages)
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	h.await("the message's context ends", left.Context().Done())
	if _, ok := <-messages; ok {
		t.Error("the closed subscriber's channel is open")
	}
	if got := h.next(h.subscribe("a")); got.UUID != "k-1" {
		t.Errorf("%s came", got.UUID)
	}
}
