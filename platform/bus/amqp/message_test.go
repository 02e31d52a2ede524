package amqp_test

import (
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"kerf/platform/bus"
	"kerf/platform/bus/amqp"
)

func TestAMessageIsStoredWithItsAttributesAsHeaders(t *testing.T) {
	topic := newTopic()
	b := newBus(t, amqp.Config{Groups: map[string][]string{topic: {"a"}}})
	sent := event("k", 1)
	if err := b.Publisher().Publish(topic, sent); err != nil {
		t.Fatal(err)
	}
	got, ok, err := channel(t).Get(amqp.QueueOf(topic, "a", bus.Partition("k", 8)), true)
	if err != nil || !ok {
		t.Fatalf("in the queue of the key's partition: %t, %v", ok, err)
	}
	if got.DeliveryMode != amqp091.Persistent || got.MessageId != sent.UUID || got.Type != "kerf.test.Happened" ||
		got.ContentType != bus.Protobuf.ContentType() || string(got.Body) != "k" {
		t.Errorf("stored as %+v", got)
	}
	headers := message.Metadata{}
	for name, value := range got.Headers {
		headers[name] = fmt.Sprint(value)
	}
	want := maps.Clone(sent.Metadata)
	want["_watermill_message_uuid"] = sent.UUID
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoEventIsHandedOutAllTheSame(t *testing.T) {
	topic := newTopic()
	b := newBus(t, amqp.Config{Groups: map[string][]string{topic: {"a"}}})
	messages, _ := subscribe(t, b, "a", topic)
	if err := channel(t).Publish(topic, "3", true, false, amqp091.Publishing{
		MessageId: "foreign", Headers: amqp091.Table{"count": int32(7)}, Body: []byte("?"),
	}); err != nil {
		t.Fatal(err)
	}
	msg := next(t, messages)
	defer msg.Ack()
	if msg.UUID != "foreign" || msg.Metadata["count"] != "7" || string(msg.Payload) != "?" {
		t.Errorf("came as %+v", msg)
	}
}

func TestAMessageWithoutAQueueIsAnErrorAndItsQueueIsMadeAnew(t *testing.T) {
	topic := newTopic()
	b := newBus(t, amqp.Config{Groups: map[string][]string{topic: {"a"}}})
	publisher := b.Publisher()
	if err := publisher.Publish(topic, event("k", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := channel(t).QueueDelete(amqp.QueueOf(topic, "a", bus.Partition("k", 8)), false, false, false); err != nil {
		t.Fatal(err)
	}
	if err := publisher.Publish(topic, event("k", 2)); err == nil || !strings.Contains(err.Error(), "no queue") {
		t.Errorf("publishing without a queue: %v", err)
	}
	if err := publisher.Publish(topic, event("k", 3)); err != nil {
		t.Errorf("publishing after that: %v", err)
	}
}

func TestAQueueThatWasDeletedIsTakenUpAgain(t *testing.T) {
	topic := newTopic()
	b := newBus(t, amqp.Config{Groups: map[string][]string{topic: {"a"}}})
	messages, _ := subscribe(t, b, "a", topic)
	if _, err := channel(t).QueueDelete(amqp.QueueOf(topic, "a", bus.Partition("k", 8)), false, false, false); err != nil {
		t.Fatal(err)
	}
	publishAll(t, b.Publisher(), topic, "k", 1)
	next(t, messages).Ack()
}

func TestWhatAMemberHadNotAckedComesFirstAndInOrder(t *testing.T) {
	const n = 100
	topic := newTopic()
	b := newBus(t, amqp.Config{Groups: map[string][]string{topic: {"a"}}})
	batch := make([]*message.Message, n)
	for i := range batch {
		batch[i] = event("k", i+1)
	}
	if err := b.Publisher().Publish(topic, batch...); err != nil {
		t.Fatal(err)
	}
	messages, sub := subscribe(t, b, "a", topic)
	standBy, _ := subscribe(t, b, "a", topic)
	next(t, messages).Ack()
	next(t, messages) // k-2 is left in flight, and more wait behind it on the way
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	for i := 2; i <= n; i++ {
		msg := next(t, standBy)
		if want := fmt.Sprint("k-", i); msg.UUID != want {
			t.Fatalf("%s came, want %s", msg.UUID, want)
		}
		msg.Ack()
	}
}

func TestARefusedMessageHoldsUpOnlyItsPartition(t *testing.T) {
	topic := newTopic()
	b := newBus(t, amqp.Config{Groups: map[string][]string{topic: {"a"}}})
	messages, _ := subscribe(t, b, "a", topic)
	stuck, other := keysOfTwoPartitions()
	publishAll(t, b.Publisher(), topic, stuck, 2)
	publishAll(t, b.Publisher(), topic, other, 5)
	for heard := 0; heard < 5; {
		msg := next(t, messages)
		switch {
		case msg.UUID == stuck+"-1":
			msg.Nack()
		case bus.KeyOf(msg) == other:
			heard++
			msg.Ack()
		default:
			t.Fatalf("%s came", msg.UUID)
		}
	}
}

func keysOfTwoPartitions() (string, string) {
	for i := 0; ; i++ {
		if key := fmt.Sprint("key-", i); bus.Partition(key, 8) != bus.Partition("k", 8) {
			return "k", key
		}
	}
}

func TestMetricsCountWhatIsPublishedDeliveredAndDeliveredAgain(t *testing.T) {
	topic := newTopic()
	groups := map[string][]string{topic: {"a"}}
	reg := prometheus.NewRegistry()
	t.Cleanup(func() { forget(t, groups) })
	b, err := amqp.New(amqp.Config{URL: broker(t), Groups: groups}, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	messages, _ := subscribe(t, b, "a", topic)
	publishAll(t, b.Publisher(), topic, "k", 1)
	next(t, messages).Nack()
	next(t, messages).Ack()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`
# HELP kerf_bus_delivered_total Messages handed to consumers, those handed out again included.
# TYPE kerf_bus_delivered_total counter
kerf_bus_delivered_total{group="a",topic="TOPIC"} 2
# HELP kerf_bus_published_total Messages that the broker has confirmed.
# TYPE kerf_bus_published_total counter
kerf_bus_published_total{topic="TOPIC"} 1
# HELP kerf_bus_redelivered_total Messages handed out again, because they were refused or their consumer went.
# TYPE kerf_bus_redelivered_total counter
kerf_bus_redelivered_total{group="a",topic="TOPIC"} 1
`, "TOPIC", topic)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
