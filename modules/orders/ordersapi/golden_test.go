package ordersapi_test

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

	"kerf/modules/orders/ordersapi"
	"kerf/platform/kerfpb"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Events as they were first published lie in testdata and are never changed: old rows of outboxes look like that.
func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const order, restaurant, consumer = "0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002",
		"0190a000-0000-7000-8000-000000000003"
	at := func(minutes int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 3, 2, 12, minutes, 0, 123456000, time.UTC))
	}
	eur := func(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }
	for _, event := range []proto.Message{
		&ordersapi.OrderPlaced{
			OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Lines: []*ordersapi.PlacedLine{{ItemId: "soup", Quantity: 2, Total: eur(1000)}}, Total: eur(1500),
			Address:            &kerfpb.Position{Latitude: 48.2, Longitude: 16.3},
			RestaurantPosition: &kerfpb.Position{Latitude: 48.21, Longitude: 16.31},
			PlacedAt:           at(0), EtaEarliest: at(30), EtaLatest: at(45),
		},
		&ordersapi.OrderApproved{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant},
		&ordersapi.OrderRejected{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "card_declined"},
		&ordersapi.CancelRequested{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, By: "consumer", Reason: "cancelled_by_consumer"},
		&ordersapi.CancelRefused{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "delivery_picked_up"},
		&ordersapi.OrderCancelled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "cancelled_by_consumer", Charge: eur(200)},
		&ordersapi.OrderDelivered{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Charge: eur(1500)},
		&ordersapi.OrderUndeliverable{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "consumer_absent", Charge: eur(1500)},
	} {
		name := string(event.ProtoReflect().Descriptor().Name())
		t.Run(name, func(t *testing.T) {
			fields := event.ProtoReflect().Descriptor().Fields()
			for i := range fields.Len() {
				if !event.ProtoReflect().Has(fields.Get(i)) {
					t.Errorf("%s is not filled", fields.Get(i).Name())
				}
			}
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
