package consumersapi_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/kerfpb"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Events as they were first published lie in testdata and are never changed: old rows of outboxes look like that.
func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const consumer, address = "0190a000-0000-7000-8000-000000000003", "0190a000-0000-7000-8000-000000000004"
	position := &kerfpb.Position{Latitude: 48.25, Longitude: 16.5}
	for _, event := range []proto.Message{
		&consumersapi.ConsumerRegistered{ConsumerId: consumer},
		&consumersapi.ProfileUpdated{ConsumerId: consumer},
		&consumersapi.AddressAdded{ConsumerId: consumer, AddressId: address, Position: position},
		&consumersapi.AddressUpdated{ConsumerId: consumer, AddressId: address, Position: position},
		&consumersapi.AddressRemoved{ConsumerId: consumer, AddressId: address},
		&consumersapi.ConsumerSuspended{ConsumerId: consumer, Reason: "chargebacks"},
		&consumersapi.ConsumerReactivated{ConsumerId: consumer},
		&consumersapi.ConsumerClosed{ConsumerId: consumer},
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
