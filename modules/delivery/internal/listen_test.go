package internal

import (
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/ids"
	"kerf/platform/inbox"
)

func TestDeliveryHearsTheKitchen(t *testing.T) {
	b := newBench(t)
	events := memory.New(memory.Config{Groups: map[string][]string{bus.Topic("kitchen"): {"delivery"}}, Duplicate: true})
	t.Cleanup(func() { _ = events.Close() })
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	subscriber, err := events.Subscriber("delivery")
	if err != nil {
		t.Fatal(err)
	}
	listener := inbox.NewListener("delivery", b.db, b.Subscriptions(), inbox.Config{}, b.clock.Clock, slog.New(slog.DiscardHandler), nil)
	if err := listener.AddTo(router, subscriber); err != nil {
		t.Fatal(err)
	}
	b.run(router.Run)

	sequence := map[string]int64{}
	say := func(orderID string, event proto.Message) {
		t.Helper()
		payload, err := bus.Protobuf.Encode(event)
		if err != nil {
			t.Fatal(err)
		}
		sequence[orderID]++
		kind, version := bus.TypeOf(event)
		err = events.Publisher().Publish(bus.Topic("kitchen"), bus.NewMessage(bus.Meta{
			ID: ids.New(), Type: kind, Source: "kitchen", Subject: orderID, Key: orderID, Sequence: sequence[orderID],
			Time: noon.Add(40 * time.Minute), ContentType: bus.Protobuf.ContentType(), SchemaVersion: version,
		}, payload))
		if err != nil {
			t.Fatal(err)
		}
	}
	ready, handed := b.schedule(10*time.Minute), b.schedule(10*time.Minute)

	say(ready, &kitchenapi.TicketDelayed{OrderId: ready, ReadyBy: timestamppb.New(noon.Add(25 * time.Minute))})
	b.await("the delay", func() bool { return b.delivery(ready).ReadyBy.Equal(noon.Add(25 * time.Minute)) })
	say(ready, &kitchenapi.TicketReady{OrderId: ready, ReadyAt: timestamppb.New(noon.Add(22 * time.Minute))})
	b.await("the food", func() bool { return b.delivery(ready).ReadyAt.Equal(noon.Add(22 * time.Minute)) })
	say(handed, &kitchenapi.TicketHandedOver{OrderId: handed})
	b.await("the hand-over", func() bool { return b.delivery(handed).ReadyAt.Equal(noon.Add(40 * time.Minute)) })
}
