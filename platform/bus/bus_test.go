package bus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/platform/bus"
	"kerf/platform/kerfpb"
)

// The hashes are those of Kafka's own tests (UtilsTest.testMurmur2).
func TestPartitionIsKafkas(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		for _, n := range []int{1, 8, 16} {
			want := int(uint32(hash)&0x7fffffff) % n
			if got := bus.Partition(key, n); got != want {
				t.Errorf("Partition(%q, %d) = %d, want %d", key, n, got, want)
			}
		}
	}
}

func meta() bus.Meta {
	return bus.Meta{
		ID: "0190", Type: "kerf.kitchen.TicketAccepted", Source: "kitchen", Subject: "order-1", Key: "order-1", Sequence: 3,
		Time: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC), CorrelationID: "request", CausationID: "event",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ContentType: "application/protobuf", SchemaVersion: 1,
	}
}

func TestAttributesSurviveAMessage(t *testing.T) {
	msg := bus.NewMessage(meta(), []byte("payload"))
	got, err := bus.MetaOf(msg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(meta(), got); diff != "" {
		t.Error(diff)
	}
	if msg.UUID != "0190" || bus.KeyOf(msg) != "order-1" {
		t.Errorf("message %q has key %q", msg.UUID, bus.KeyOf(msg))
	}
}

func TestMissingAndMalformedAttributesAreNamed(t *testing.T) {
	for attribute, value := range map[string]string{
		"ce_id": "", "ce_type": "", "ce_source": "", "ce_subject": "", "ce_partitionkey": "", "content-type": "",
		"ce_sequence": "0", "ce_schemaversion": "one", "ce_time": "yesterday",
	} {
		msg := bus.NewMessage(meta(), nil)
		msg.Metadata[attribute] = value
		_, err := bus.MetaOf(msg)
		if err == nil || !strings.Contains(err.Error(), attribute) {
			t.Errorf("%s=%q: error %v does not name it", attribute, value, err)
		}
	}
}

func TestTypeLeavesTheVersionOut(t *testing.T) {
	eventType, version := bus.TypeOf((*kerfpb.Money)(nil))
	if eventType != "kerf.Money" || version != 1 {
		t.Errorf("kerf.v1.Money has type %s, version %d", eventType, version)
	}
	if eventType, version = bus.TypeOf(&timestamppb.Timestamp{}); eventType != "google.protobuf.Timestamp" || version != 1 {
		t.Errorf("a name without version has type %s, version %d", eventType, version)
	}
}

func TestEventsSurviveEachFormat(t *testing.T) {
	event := &kerfpb.Money{Amount: 1<<53 + 1, Currency: "EUR"}
	eventType, version := bus.TypeOf(event)
	stored, err := proto.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []bus.Format{bus.Protobuf, bus.JSON} {
		payload, err := format.Transcode(eventType, version, stored)
		if err != nil {
			t.Fatal(err)
		}
		got := &kerfpb.Money{}
		if err := bus.Decode(format.ContentType(), payload, got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(event, got) {
			t.Errorf("%s: %v became %v", format, event, got)
		}
	}
	if err := bus.Decode("application/json", []byte(`{"currency": "EUR", "added_later": 1}`), &kerfpb.Money{}); err != nil {
		t.Errorf("a field of a later contract: %v", err)
	}
	if bus.Decode("text/plain", nil, &kerfpb.Money{}) == nil {
		t.Error("an unknown content type was decoded")
	}
	if _, err := bus.JSON.Transcode("kerf.Nothing", 1, stored); err == nil {
		t.Error("an unknown type was transcoded")
	}
}

func TestCauseIsTheEventAndCorrelationIsKept(t *testing.T) {
	correlation, causation := bus.CauseOf(bus.WithCause(t.Context(), meta()))
	if correlation != "request" || causation != "0190" {
		t.Errorf("correlation %q, causation %q", correlation, causation)
	}
	if correlation, _ = bus.CauseOf(bus.WithCause(t.Context(), bus.Meta{ID: "first"})); correlation != "first" {
		t.Errorf("an event without correlation starts %q", correlation)
	}
	if correlation, causation = bus.CauseOf(t.Context()); correlation != "" || causation != "" {
		t.Errorf("no cause, but %q, %q", correlation, causation)
	}
}

func TestTraceSurvivesAnEvent(t *testing.T) {
	ctx := bus.WithTraceParent(t.Context(), meta().TraceParent)
	if sc := trace.SpanContextFromContext(ctx); !sc.IsSampled() || !sc.IsRemote() {
		t.Errorf("span context %+v", sc)
	}
	if got := bus.TraceParentOf(ctx); got != meta().TraceParent {
		t.Errorf("traceparent became %q", got)
	}
	if got := bus.TraceParentOf(bus.WithTraceParent(t.Context(), "nonsense")); got != "" {
		t.Errorf("nonsense became %q", got)
	}
}
