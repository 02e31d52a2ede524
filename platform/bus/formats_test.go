package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
)

// While a topic changes from one format to the other, both are on it: what is published anew in JSON comes behind what was published in
// protobuf, and from one replica or the other. Each message says what it is.
func TestAListenerReadsBothFormatsOnOneTopic(t *testing.T) {
	const events = 6
	amounts := make(chan int64, events)
	publish, parked := listen(t, func(_ context.Context, _ *database.Tx, _ bus.Meta, event *kerfpb.Money) error {
		amounts <- event.Amount
		return nil
	})
	for i := range events {
		format := []bus.Format{bus.Protobuf, bus.JSON}[i%2]
		payload, err := format.Encode(&kerfpb.Money{Amount: int64(i), Currency: "EUR"})
		if err != nil {
			t.Fatal(err)
		}
		publish(i+1, format.ContentType(), payload)
	}
	for want := range int64(events) {
		select {
		case got := <-amounts:
			if got != want {
				t.Errorf("%d came, want %d", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("event %d did not come; parked: %v", want, parked())
		}
	}
}

// A header that does not fit the payload is not guessed around: the message is parked, since its key's order is at stake.
func TestAPayloadThatIsNotWhatItsHeaderSaysIsParked(t *testing.T) {
	publish, parked := listen(t, func(context.Context, *database.Tx, bus.Meta, *kerfpb.Money) error {
		t.Error("it was handled")
		return nil
	})
	payload, err := bus.Protobuf.Encode(&kerfpb.Money{Amount: 1, Currency: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	publish(1, bus.JSON.ContentType(), payload)
	for deadline := time.Now().Add(10 * time.Second); parked() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("it was not parked")
		}
	}
}

// listen has a listener hear a topic. It returns how to publish the nth event of a subject there, and how many messages are parked.
func listen(t *testing.T, handle func(context.Context, *database.Tx, bus.Meta, *kerfpb.Money) error) (
	publish func(n int, contentType string, payload []byte), parked func() int64,
) {
	t.Helper()
	at := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	b := memory.New(memory.Config{Groups: map[string][]string{bus.Topic("shop"): {"books"}}})
	db := databasetest.OpenIn(t, t.TempDir(), "books", migrations.FS)
	listener := inbox.NewListener("books", db, []inbox.Subscription{{Module: "shop", Handlers: []inbox.Handler{inbox.On(handle)}}},
		inbox.Config{}, at, slog.New(slog.DiscardHandler), nil)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := b.Subscriber("books")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.AddTo(router, sub); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	eventType, version := bus.TypeOf(&kerfpb.Money{})
	publish = func(n int, contentType string, payload []byte) {
		t.Helper()
		if err := b.Publisher().Publish(bus.Topic("shop"), bus.NewMessage(bus.Meta{
			ID: fmt.Sprint("event-", n), Type: eventType, Source: "shop", Subject: "order-1", Key: "order-1", Sequence: int64(n), Time: at.Now(),
			ContentType: contentType, SchemaVersion: version,
		}, payload)); err != nil {
			t.Fatal(err)
		}
	}
	parked = func() int64 {
		t.Helper()
		counts, err := listener.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return counts.Parked
	}
	return publish, parked
}
