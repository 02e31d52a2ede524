package restaurantsapi_test

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

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/kerfpb"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Events as they were first published lie in testdata and are never changed: old rows of outboxes look like that.
func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const restaurant = "0190a000-0000-7000-8000-000000000002"
	at := timestamppb.New(time.Date(2026, 3, 2, 12, 15, 0, 123456000, time.UTC))
	position := &kerfpb.Position{Latitude: 48.25, Longitude: 16.5}
	for _, event := range []proto.Message{
		&restaurantsapi.RestaurantCreated{RestaurantId: restaurant, Position: position},
		&restaurantsapi.RestaurantUpdated{RestaurantId: restaurant, Position: position},
		&restaurantsapi.RestaurantOpened{RestaurantId: restaurant},
		&restaurantsapi.RestaurantPaused{RestaurantId: restaurant, Until: at},
		&restaurantsapi.RestaurantClosed{RestaurantId: restaurant},
		&restaurantsapi.HoursChanged{RestaurantId: restaurant},
		&restaurantsapi.MenuPublished{RestaurantId: restaurant, MenuVersion: 3},
		&restaurantsapi.ItemAvailabilityChanged{RestaurantId: restaurant, ItemId: "soup", Available: true, Until: at},
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
