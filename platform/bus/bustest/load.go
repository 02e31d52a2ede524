package bustest

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus"
)

func backPressure(t *testing.T, d Driver) {
	if !d.Bounded {
		return
	}
	const queue = 4
	h := open(t, d, Options{Groups: []string{"a", "b"}, Queue: queue})
	var want []string
	for i := range queue {
		msg := event("k", i+1)
		want = append(want, msg.UUID)
		h.publish(msg)
	}
	late := event("k", queue+1)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	late.SetContext(ctx)
	if err := h.bus.Publisher().Publish(h.topic, late); err == nil {
		t.Fatal("publishing to a full partition did not wait")
	}
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		h.publish(event("k", queue+1))
	}()
	want = append(want, "k-5")
	// One group alone frees nothing: the other would lose what it has not heard.
	if diff := cmp.Diff(want[:queue], h.ids(h.subscribe("a"), queue)); diff != "" {
		t.Errorf("group a: %s", diff)
	}
	if diff := cmp.Diff(want, h.ids(h.subscribe("b"), queue+1)); diff != "" {
		t.Errorf("group b: %s", diff)
	}
	h.await("the waiting publisher goes on", waited)
}

func groupless(t *testing.T, d Driver) {
	const n = 100
	h := open(t, d, Options{Groups: []string{"a"}, Queue: n})
	one, two, slow := h.subscribe(""), h.subscribe(""), h.subscribe("")
	group := h.subscribe("a")
	var want []string
	for i := range n {
		msg := event("k", i+1)
		want = append(want, msg.UUID)
		h.publish(msg)
		h.ids(group, 1)
	}
	for name, messages := range map[string]<-chan *message.Message{"one": one, "two": two} {
		if diff := cmp.Diff(want, h.ids(messages, n)); diff != "" {
			t.Errorf("subscriber %s: %s", name, diff)
		}
	}
	// The slow one has read nothing, and nobody waited for it, though more was published than it has room for.
	for i := range 3 * n {
		h.publish(event("k", n+i+1))
		h.ids(group, 1)
	}
	h.next(slow).Ack()
}

func settling(t *testing.T, d Driver) {
	h := open(t, d, Options{Groups: []string{"a", "b"}})
	settler, ok := h.bus.Publisher().(bus.Settler)
	if !ok {
		return
	}
	a, b := h.subscribe("a"), h.subscribe("b")
	settled := make(chan *message.Message, 1)
	sent := event("k", 1)
	if err := settler.PublishSettling(h.topic, func(msg *message.Message) { settled <- msg }, sent); err != nil {
		t.Fatal(err)
	}
	h.ids(a, 1)
	last := h.next(b)
	h.quiet(settled)
	last.Ack()
	if got := h.next(settled); got != sent {
		t.Errorf("%p was settled, %p was sent", got, sent)
	}
}

// closing closes the bus while publishers wait, messages are in flight and members come and go.
func closing(t *testing.T, d Driver) {
	before := runtime.NumGoroutine()
	h := open(t, d, Options{Groups: []string{"a", "b"}, Queue: 4})
	var wg sync.WaitGroup
	var heard atomic.Int64
	enough := make(chan struct{})
	for p := range 8 {
		wg.Go(func() {
			publisher := h.bus.Publisher()
			for i := 1; publisher.Publish(h.topic, event(string(rune('a'+p)), i)) == nil; i++ {
			}
		})
	}
	for _, group := range []string{"a", "a", "b", "b", ""} {
		messages := h.subscribe(group)
		wg.Go(func() {
			for msg := range messages {
				if n := heard.Add(1); n == 1000 {
					close(enough)
				} else if n%7 == 0 {
					msg.Nack()
				}
				msg.Ack()
			}
		})
	}
	h.await("messages flow", enough)
	for range 3 {
		wg.Go(func() {
			if err := h.bus.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	h.await("publishers and consumers end", ended)
	h.noMoreGoroutinesThan(before)
}

func (h *harness) noMoreGoroutinesThan(before int) {
	h.Helper()
	deadline := time.Now().Add(h.Patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			h.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}
