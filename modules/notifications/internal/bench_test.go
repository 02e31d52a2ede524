package internal

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
	"kerf/platform/work"
)

// willing is a consumer like any other.
type willing struct{}

func (willing) GetContact(context.Context, *consumersapi.GetContactRequest) (*consumersapi.GetContactResponse, error) {
	return &consumersapi.GetContactResponse{Locale: "de-AT"}, nil
}

// BenchmarkTell tells consumers of events, each another one, from the event's transaction to the record that it was told. An operation is
// one notification; the inbox's own statement and the call to consumers are not in it.
func BenchmarkTell(b *testing.B) {
	db := databasetest.Open(b, "notifications")
	clk := clock.NewManual(noon)
	log := slog.New(slog.DiscardHandler)
	queue := work.New(db, clk.Clock, work.Config{}, log, nil)
	s := New(db, queue, clk, willing{}, log)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = queue.Run(ctx) })
	defer running.Wait()
	defer stop()

	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
				meta := bus.Meta{ID: ids.New(), Type: "kerf.orders.OrderApproved", Time: noon}
				return s.tell(tx, meta, ids.New(), notice{to: toConsumer, id: ids.New()})
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	for {
		if d, err := queue.Depth(ctx); err != nil || d == (work.Depth{}) {
			return
		}
		<-time.After(time.Millisecond)
	}
}
