package internal

import (
	"context"
	"log/slog"
	"testing"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

// BenchmarkApply folds whole lives of orders, 20 events each, 100 events in a transaction, as group commit
// does under load. An operation is one event; the inbox's own statement is not in it.
func BenchmarkApply(b *testing.B) {
	s := New(databasetest.Open(b, "tracking"), clock.NewManual(noon), nil, Logs{}, slog.New(slog.DiscardHandler))
	facts := life(placed, made, authorized, approved, accepted, scheduled, assigned, preparing, delayed, ready, atCounter, handedOver, pickedUp,
		captured, eta, atDoor, droppedOff, delivered, refunded, refunded)
	b.ReportAllocs()
	done := 0
	for b.Loop() {
		if done++; done%100 != 1 {
			continue // it was folded with the group
		}
		err := s.db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
			for range 100 / len(facts) {
				order := ids.New()
				for _, f := range facts {
					f.OrderID = order
					if err := s.apply(tx, f); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRebuild makes the views of 2,000 orders of 19 events each anew, from logs that cost nothing to read. An operation is one event.
func BenchmarkRebuild(b *testing.B) {
	db, books, clk := databasetest.Open(b, "tracking"), newBooks(), clock.NewManual(noon)
	for range 2000 {
		order := ids.New()
		for _, e := range course {
			books.write(written(of(order, e), order, books.next(sourceOf(e), order), clk.Now()))
		}
	}
	r := newRebuilder(db, clk, books.logs(), func(string) {}, slog.New(slog.DiscardHandler))
	events := 2000 * len(course)
	for done := 0; b.Loop(); done++ {
		if done%events != 0 {
			continue // it was read with the others
		}
		err := db.Write(b.Context(), func(_ context.Context, tx *database.Tx) error {
			_, err := r.begin(tx, causeAsked)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		err = db.Exclusive(b.Context(), "views", func(ctx context.Context, fence *database.Fence) error {
			r.fence = fence
			return r.finish(identity.With(ctx, identity.Service("tracking")))
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
