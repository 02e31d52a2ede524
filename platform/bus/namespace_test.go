package bus_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
	"kerf/platform/bus/memory"
)

func TestNamespacesDoNotHearEachOther(t *testing.T) {
	shared := memory.New(memory.Config{})
	t.Cleanup(func() {
		if err := shared.Close(); err != nil {
			t.Error(err)
		}
	})
	heard := map[string]<-chan *message.Message{}
	for _, name := range []string{"one", "two", ""} {
		subscriber, err := bus.In(name, shared).Subscriber("group")
		if err != nil {
			t.Fatal(err)
		}
		if heard[name], err = subscriber.Subscribe(t.Context(), "topic"); err != nil {
			t.Fatal(err)
		}
	}
	for name, messages := range heard {
		sent := message.NewMessage("to "+name, nil)
		if err := bus.In(name, shared).Publisher().Publish("topic", sent); err != nil {
			t.Fatal(err)
		}
		got := <-messages
		got.Ack()
		if got.UUID != sent.UUID {
			t.Errorf("%q heard %q", name, got.UUID)
		}
	}
}
