package codec_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"kerf/benchmarks/codec"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/kerfpb"
)

func golden(t testing.TB) []proto.Message {
	t.Helper()
	events, err := codec.Golden("../..")
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestEveryEventComesBackAsItWasFromEveryFormat(t *testing.T) {
	events := golden(t)
	if len(events) < 48 { // as many as there were when this was written; contracts only grow
		t.Errorf("only %d events were found", len(events))
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, format := range codec.Formats {
		c, ok := codec.For(format)
		if !ok {
			t.Fatalf("no codec for %s", format)
		}
		for _, event := range events {
			empty := event.ProtoReflect().New().Interface()
			for _, sent := range []proto.Message{event, codec.Vary(event, random), empty} {
				back := event.ProtoReflect().New().Interface()
				data, err := c.Encode(sent)
				if err == nil {
					err = c.Decode(data, back)
				}
				if err != nil {
					t.Errorf("%s of %s: %v", format, event.ProtoReflect().Descriptor().Name(), err)
				} else if diff := cmp.Diff(sent, back, protocmp.Transform()); diff != "" {
					t.Errorf("%s (-sent +back):\n%s", format, diff)
				}
			}
		}
	}
}

func TestTextThatMarkupMustEscapeSurvivesXML(t *testing.T) {
	c, _ := codec.For(codec.XML)
	sent := &ordersapi.OrderRejected{OrderId: "<o&\"'>", Reason: " två\tköttbullar\n]]> "}
	data, err := c.Encode(sent)
	if err != nil {
		t.Fatal(err)
	}
	back := &ordersapi.OrderRejected{}
	if err := c.Decode(data, back); err != nil || !proto.Equal(sent, back) {
		t.Errorf("%s came back as %v, %v", data, back, err)
	}
}

func TestXMLIsNamedAsTheContractIs(t *testing.T) {
	c, _ := codec.For(codec.XML)
	data, err := c.Encode(&kitchenapi.TicketRejected{OrderId: "o", MissingItemIds: []string{"soup", "salad"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "<TicketRejected><order_id>o</order_id><missing_item_ids>soup</missing_item_ids><missing_item_ids>salad</missing_item_ids></TicketRejected>"
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

func TestMalformedXMLIsAnError(t *testing.T) {
	c, _ := codec.For(codec.XML)
	for _, text := range []string{
		"", "<OrderPlaced/>", "<OrderRejected><order_id>", "<OrderRejected><order_id><b/></order_id></OrderRejected>",
	} {
		if err := c.Decode([]byte(text), &ordersapi.OrderRejected{}); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	if err := c.Decode([]byte("<Money><amount>much</amount></Money>"), &kerfpb.Money{}); err == nil {
		t.Error("an amount that is no number was read")
	}
}

func TestTheAvroSchemaIsDerivedFromTheContract(t *testing.T) {
	text, err := codec.AvroSchema((&ordersapi.OrderPlaced{}).ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	record := schema.(*avro.RecordSchema)
	if record.FullName() != "kerf.orders.v1.OrderPlaced" {
		t.Errorf("the record is called %s", record.FullName())
	}
	types := map[string]string{}
	for _, field := range record.Fields() {
		types[field.Name()] = string(field.Type().Type())
	}
	want := map[string]string{
		"order_id": "string", "consumer_id": "string", "restaurant_id": "string", "lines": "array", "total": "union", "address": "union",
		"restaurant_position": "union", "placed_at": "union", "eta_earliest": "union", "eta_latest": "union",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	if _, err := codec.AvroSchema((&structpb.Struct{}).ProtoReflect().Descriptor()); err == nil || !strings.Contains(err.Error(), "Struct.fields") {
		t.Errorf("a map got a schema, or a bad error: %v", err)
	}
}

func TestVariantsDifferButKeepWhatBelongsTogether(t *testing.T) {
	event := &ordersapi.OrderCancelled{
		OrderId: "0190a000-0000-7000-8000-000000000001", ConsumerId: "0190a000-0000-7000-8000-000000000001", Reason: "cancelled_by_consumer",
	}
	other := codec.Vary(event, rand.New(rand.NewPCG(1, 1))).(*ordersapi.OrderCancelled)
	if other.GetOrderId() == event.GetOrderId() || other.GetOrderId() != other.GetConsumerId() {
		t.Errorf("ids %s and %s", other.GetOrderId(), other.GetConsumerId())
	}
	if other.GetReason() != event.GetReason() || len(other.GetOrderId()) != len(event.GetOrderId()) {
		t.Errorf("%v is no variant of %v", other, event)
	}
}

func TestMeasuringTellsSizesAndCosts(t *testing.T) {
	costs := map[string]codec.Cost{}
	for _, format := range codec.Formats {
		cost, err := codec.Measure(format, golden(t), 1, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(cost.Unequal) > 0 || cost.EncodeNS <= 0 || cost.DecodeNS <= 0 || cost.EncodeAllocs <= 0 || cost.DecodeAllocs <= 0 {
			t.Errorf("%s: %+v", format, cost)
		}
		if cost.ZstdBatch >= cost.Zstd {
			t.Errorf("%s: a batch is compressed to %.0f bytes an event, one alone to %.0f", format, cost.ZstdBatch, cost.Zstd)
		}
		costs[format] = cost
	}
	if xml, json, protobuf := costs[codec.XML].Bytes, costs[codec.JSON].Bytes, costs[codec.Protobuf].Bytes; xml <= json || json <= protobuf {
		t.Errorf("bytes: XML %.0f, JSON %.0f, Protobuf %.0f", xml, json, protobuf)
	}
	if _, err := codec.Measure("yaml", golden(t), 1, time.Millisecond); err == nil {
		t.Error("a format that there is not was measured")
	}
	if _, err := codec.Golden(t.TempDir()); err == nil {
		t.Error("a folder without events had some")
	}
}
