package accountingapi_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"kerf/modules/accounting/accountingapi"
	"kerf/platform/kerfpb"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Events as they were first published lie in testdata and are never changed: old rows of outboxes look like that.
func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const order, restaurant, consumer = "0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002",
		"0190a000-0000-7000-8000-000000000003"
	amount := &kerfpb.Money{Amount: 1234, Currency: "EUR"}
	for _, event := range []proto.Message{
		&accountingapi.PaymentAuthorized{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount},
		&accountingapi.PaymentDeclined{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount, Reason: "insufficient_funds"},
		&accountingapi.PaymentVoided{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount, Reason: "ticket_rejected"},
		&accountingapi.PaymentCaptured{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount,
			Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_CANCELLATION_FEE},
		&accountingapi.PaymentRefunded{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount, Reason: "missing_item"},
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
