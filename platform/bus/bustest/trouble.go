package bustest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus"
)

// resumption has a group whose members have all left.
func resumption(t *testing.T, d Driver) {
	const n, before = 20, 7
	h := open(t, d, Options{Groups: []string{"a"}})
	messages, sub := h.member("a")
	var want []string
	for i := range n {
		msg := event("k", i+1)
		want = append(want, msg.UUID)
		h.publish(msg)
	}
	if diff := cmp.Diff(want[:before], h.ids(messages, before)); diff != "" {
		t.Error(diff)
	}
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[before:], h.ids(h.subscribe("a"), n-before)); diff != "" {
		t.Errorf("the next member: %s", diff)
	}
}

// comingAndGoing replaces the members of a group one after the other while messages flow.
func comingAndGoing(t *testing.T, d Driver) {
	const keys, perKey, members, replaced = 16, 60, 3, 9
	h := open(t, d, Options{Groups: []string{"a"}, Queue: 16})
	seen := &sequences{last: map[string]int64{}, left: keys * perKey, done: make(chan struct{})}
	var consumers, others sync.WaitGroup
	defer consumers.Wait()
	defer h.bus.Close()
	defer others.Wait()
	var present []message.Subscriber
	join := func() {
		messages, sub := h.member("a")
		present = append(present, sub)
		consumers.Go(func() { seen.consume(t, messages) })
	}
	for range members {
		join()
	}
	half := make(chan struct{})
	others.Go(func() {
		publisher := h.bus.Publisher()
		for i := range perKey {
			if i == perKey/2 {
				<-half
			}
			for k := range keys {
				if err := publisher.Publish(h.topic, event(fmt.Sprint("k", k), i+1)); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		}
	})
	for i := range replaced {
		if i == replaced/2 {
			close(half)
		}
		if err := present[0].Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		present = present[1:]
		join()
	}
	h.await("the group has heard everything", seen.done)
}

// poison refuses one message again and again.
func poison(t *testing.T, d Driver) {
	const n, nacks = 40, 8
	h := open(t, d, Options{Groups: []string{"a"}, Queue: n})
	messages := h.subscribe("a")
	h.publish(event("poison", 1), event("poison", 2))
	left := 0
	for i := range n {
		key := fmt.Sprint("k", i)
		// What shares its partition waits; no bus promises otherwise.
		if bus.Partition(key, partitions) != bus.Partition("poison", partitions) {
			h.publish(event(key, 1))
			left++
		}
	}
	for refused := 0; left > 0 || refused < nacks; {
		switch msg := h.next(messages); msg.UUID {
		case "poison-1":
			refused++
			msg.Nack()
		case "poison-2":
			t.Fatal("poison-2 came while poison-1 was not acked")
		default:
			left--
			msg.Ack()
		}
	}
	if diff := cmp.Diff([]string{"poison-1", "poison-2"}, h.ids(messages, 2)); diff != "" {
		t.Error(diff)
	}
}

// partitions of a topic, on every bus.
const partitions = 8

// restart ends the broker twice while messages flow. A publisher that gets an error publishes again, as an outbox does.
func restart(t *testing.T, d Driver) {
	if d.Restart == nil {
		return
	}
	const publishers, keys, perKey, members = 4, 4, 60, 2
	h := open(t, d, Options{Groups: []string{"a"}})
	seen := &sequences{last: map[string]int64{}, left: publishers * keys * perKey, done: make(chan struct{})}
	var consumers, producers sync.WaitGroup
	defer consumers.Wait()
	defer h.bus.Close()
	for range members {
		messages := h.subscribe("a")
		consumers.Go(func() { seen.consume(t, messages) })
	}
	for p := range publishers {
		producers.Go(func() {
			publisher := h.bus.Publisher()
			for i := range perKey {
				if p == 0 && (i == perKey/3 || i == perKey*2/3) {
					d.Restart(t)
				}
				for k := range keys {
					h.insist(publisher, event(fmt.Sprintf("%d-%d", p, k), i+1))
				}
			}
		})
	}
	producers.Wait()
	h.await("the group has heard everything", seen.done)
}

// insist publishes until it succeeds.
func (h *harness) insist(publisher message.Publisher, msg *message.Message) {
	deadline := time.After(h.Patience)
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		err := publisher.Publish(h.topic, msg)
		if err == nil {
			return
		}
		select {
		case <-pause.C:
		case <-deadline:
			h.Errorf("publish %s: %v", msg.UUID, err)
			return
		}
	}
}
