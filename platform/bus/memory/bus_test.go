package memory_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"kerf/platform/bus"
	"kerf/platform/bus/bustest"
	"kerf/platform/bus/memory"
)

func TestConformance(t *testing.T) {
	bustest.Run(t, bustest.Driver{
		Bounded: true,
		Open: func(_ *testing.T, o bustest.Options) bus.Bus {
			return memory.New(memory.Config{Queue: o.Queue, Groups: map[string][]string{o.Topic: o.Groups}})
		},
	})
}

// TestWatermill runs Watermill's own suite. Messages outlive the publishers and subscribers that it closes, since the bus
// stays; its ordering test wants one order for each payload, so that is the key.
func TestWatermill(t *testing.T) {
	b := memory.New(memory.Config{
		Queue: 1 << 14, // it publishes 10,000 messages before it subscribes
		Key:   func(msg *message.Message) string { return string(msg.Payload) },
	})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		sub, err := b.Subscriber(group)
		if err != nil {
			t.Fatal(err)
		}
		return b.Publisher(), sub
	}
	tests.TestPubSub(t,
		tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true},
		func(t *testing.T) (message.Publisher, message.Subscriber) { return inGroup(t, "suite") },
		inGroup,
	)
}

func TestDuplicateDeliversEachMessageTwiceInOrder(t *testing.T) {
	b := memory.New(memory.Config{Duplicate: true, Groups: map[string][]string{"t": {"a"}}})
	defer b.Close()
	sub, err := b.Subscriber("a")
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2"} {
		msg := bus.NewMessage(bus.Meta{ID: id, Key: "k"}, nil)
		if err := b.Publisher().Publish("t", msg); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"1", "1", "2", "2"} {
		msg := <-messages
		if msg.UUID != want {
			t.Errorf("%s came, want %s", msg.UUID, want)
		}
		msg.Ack()
	}
}
