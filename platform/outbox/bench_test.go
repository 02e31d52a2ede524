package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// instant is a bus that tells when it is given something.
type instant chan time.Time

func (i instant) Publish(string, ...*message.Message) error {
	i <- time.Now()
	return nil
}

func (i instant) Close() error { return nil }

// BenchmarkCommitToPublish takes one event at a time, with nothing else to do, from before the transaction that appends it until the bus has
// it: where one process has the schema for itself, and where it is shared, by the process that is the relay and by another one. Publishing
// may begin before the writer has heard that its commit is done.
func BenchmarkCommitToPublish(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		b.Setenv("KERF_TEST_DATABASE", "")
		db := databasetest.Open(b, "shop")
		commitToPublish(b, db, db)
	})
	b.Run("shared", func(b *testing.B) {
		relay, _ := databasetest.OpenTwo(b, "shop")
		commitToPublish(b, relay, relay)
	})
	b.Run("by another", func(b *testing.B) {
		relay, other := databasetest.OpenTwo(b, "shop")
		commitToPublish(b, relay, other)
	})
}

func commitToPublish(b *testing.B, relay, writer *database.DB) {
	b.Helper()
	clk, published := clock.NewManual(time.Now()), make(instant)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	at := outbox.New(relay, "shop", clk)
	go func() {
		defer close(ended)
		outbox.NewRelay(at, published, outbox.RelayConfig{Bus: "kafka"}, slog.New(slog.DiscardHandler), nil).Run(ctx)
	}()
	b.Cleanup(func() {
		cancel()
		<-ended
	})
	o := at
	if writer != relay {
		o = outbox.New(writer, "shop", clk)
	}
	write := func(subject string) {
		err := writer.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
			return o.Append(ctx, tx, subject, subject, &kerfpb.Money{Amount: 1})
		})
		if err != nil {
			b.Error(err)
		}
	}
	go write("first")
	<-published // the relay is at work
	var commits, publishes time.Duration
	b.ResetTimer()
	for n := range b.N {
		began := time.Now()
		done := make(chan time.Time, 1)
		go func() {
			write(fmt.Sprint(n))
			done <- time.Now()
		}()
		publishes += (<-published).Sub(began)
		commits += (<-done).Sub(began)
	}
	b.ReportMetric(float64(commits.Microseconds())/float64(b.N), "µs-to-commit")
	b.ReportMetric(float64(publishes.Microseconds())/float64(b.N), "µs-to-publish")
}
