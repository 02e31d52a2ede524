package deliveryapi_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/kerfpb"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Events as they were first published lie in testdata and are never changed: old rows of outboxes look like that.
func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const (
		order      = "0190a000-0000-7000-8000-000000000001"
		restaurant = "0190a000-0000-7000-8000-000000000002"
		consumer   = "0190a000-0000-7000-8000-000000000003"
		courier    = "0190a000-0000-7000-8000-000000000004"
	)
	at := timestamppb.New(time.Date(2026, 3, 2, 12, 15, 0, 123456000, time.UTC))
	later := timestamppb.New(at.AsTime().Add(9 * time.Minute))
	for _, event := range []proto.Message{
		&deliveryapi.DeliveryScheduled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, EtaEarliest: at, EtaLatest: later},
		&deliveryapi.CourierAssigned{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier,
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.CourierUnassigned{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Reason: "declined",
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.CourierArrived{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Place: "pickup",
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.OrderPickedUp{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, PickedUpAt: at,
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.EtaChanged{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, EtaEarliest: at, EtaLatest: later},
		&deliveryapi.OrderDroppedOff{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, DeliveredAt: at},
		&deliveryapi.DeliveryFailed{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Reason: "consumer_absent"},
		&deliveryapi.DeliveryCancelled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Reason: "no_courier"},
		&deliveryapi.CourierMoved{CourierId: courier, Position: &kerfpb.Position{Latitude: 48.25, Longitude: 16.5}, Sequence: 7,
			OrderIds: []string{order}, Time: at},
	} {
		name := string(event.ProtoReflect().Descriptor().Name())
		t.Run(name, func(t *testing.T) {
			fields := event.ProtoReflect().Descriptor().Fields()
			for i := range fields.Len() {
				if field := fields.Get(i); !event.ProtoReflect().Has(field) {
					t.Errorf("the golden event leaves %s out", protoreflect.FullName(field.FullName()))
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
