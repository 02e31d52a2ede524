package internal

import (
	"context"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/ids"
)

// What orders itself takes for a life: from the record of the order to its approval (four transactions), and to its delivery (eleven). The
// other modules are fakes in memory.
func BenchmarkApproval(b *testing.B) {
	benchmarkLives(b, Approved, nil)
}

func BenchmarkDelivery(b *testing.B) {
	benchmarkLives(b, Delivered, func(h *harness, id string) {
		awaitState(h, id, Approved)
		h.world.restaurant(id, accepted)
		h.deliver("kitchen", 1)
		awaitDispatched(h, id)
		h.world.restaurant(id, preparing)
		h.deliver("kitchen", 1)
		h.world.restaurant(id, ready)
		h.deliver("kitchen", 1)
		h.world.courier(id, pickedUp)
		h.deliver("delivery", 1)
		h.world.courier(id, delivered)
		h.deliver("delivery", 1)
	})
}

func benchmarkLives(b *testing.B, end State, live func(*harness, string)) {
	h := newHarness(b)
	b.ReportAllocs()
	for b.Loop() {
		id := h.place(nil)
		if live != nil {
			live(h, id)
		}
		awaitState(h, id, end)
	}
}

func awaitState(h *harness, id string, want State) {
	awaitOrder(h, id, func(o *Order) bool { return o.State == want })
}

func awaitDispatched(h *harness, id string) {
	awaitOrder(h, id, func(o *Order) bool { return o.Dispatched })
}

func awaitOrder(h *harness, id string, done func(*Order) bool) {
	for deadline := time.Now().Add(10 * time.Second); !done(h.order(id)); time.Sleep(20 * time.Microsecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("order %s does not get there: %+v", id, h.order(id))
		}
	}
}

// Sixty-four diners at once share commits.
func BenchmarkApprovalBy64(b *testing.B) {
	h := newHarness(b)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			terms := testTerms
			terms.QuoteID, terms.PlacedAt = ids.New(), h.clock.Now()
			if err := h.db.Write(context.Background(), func(ctx context.Context, tx *database.Tx) error {
				_, err := h.core.place(ctx, tx, ids.New(), terms)
				return err
			}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	h.settle()
}
