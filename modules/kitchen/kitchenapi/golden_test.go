package kitchenapi_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/kitchen/kitchenapi"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Events as they were first published lie in testdata and are never changed: old rows of outboxes look like that.
func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const order, restaurant, consumer = "0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002",
		"0190a000-0000-7000-8000-000000000003"
	at := timestamppb.New(time.Date(2026, 3, 2, 12, 15, 0, 123456000, time.UTC))
	for _, event := range []proto.Message{
		&kitchenapi.TicketCreated{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.TicketAccepted{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyBy: at},
		&kitchenapi.TicketRejected{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, Reason: "out of soup",
			MissingItemIds: []string{"soup", "bread"}},
		&kitchenapi.TicketExpired{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.PreparationStarted{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.TicketReady{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyAt: at},
		&kitchenapi.TicketDelayed{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyBy: at},
		&kitchenapi.TicketHandedOver{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.TicketCancelled{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, Reason: "cancelled_by_consumer"},
	} {
		name := string(event.ProtoReflect().Descriptor().Name())
		t.Run(name, func(t *testing.T) {
			golden(t, name+".json", event, protojson.MarshalOptions{Multiline: true}.Marshal, protojson.Unmarshal)
			golden(t, name+".bin", event, proto.MarshalOptions{Deterministic: true}.Marshal, proto.Unmarshal)
		})
	}
}

func golden(t *testing.T, file string, event proto.Message, write func(proto.Message) ([]byte, error), read func([]byte, proto.Message) error) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if _, err := os.Stat(path); *update && os.IsNotExist(err) {
		data, err := write(event)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := event.ProtoReflect().New().Interface()
	if err := read(data, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(event, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
