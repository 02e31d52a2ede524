package internal

import (
	"context"
	"log/slog"
	"testing"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
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
