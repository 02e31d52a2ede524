package internal

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
)

// newTwo is two processes on one schema, in one world.
func newTwo(t *testing.T) (one, other *harness) {
	t.Helper()
	a, b := databasetest.OpenTwo(t, "orders")
	clk := clock.NewManual(noon)
	w := newWorld(clk.Now)
	return newHarnessIn(t, a, clk, w), newHarnessIn(t, b, clk, w)
}

// Each step of a saga is taken once, by whichever process; and those of a process that ends are taken by the other.
func TestTwoProcessesTakeEachStepOnce(t *testing.T) {
	one, other := newTwo(t)
	const orders = 30
	placed := make([]string, orders)
	var people sync.WaitGroup
	for i := range placed {
		people.Go(func() { placed[i] = []*harness{one, other}[i%2].place(nil) })
	}
	people.Wait()
	one.settle()
	for _, method := range []string{"CreateTicket", "AuthorizePayment", "ConfirmTicket"} {
		n := 0
		for _, call := range one.world.calls {
			if call == method {
				n++
			}
		}
		if n != orders {
			t.Errorf("%s was called %d times for %d orders", method, n, orders)
		}
	}
	for _, id := range placed {
		if state := other.order(id).State; state != Approved {
			t.Errorf("order %s is %s", id, state)
		}
	}

	// One process ends while both have work.
	for i := range placed {
		if i%3 == 0 {
			one.must(one.cancel(placed[i]) == nil, "cancel")
		}
	}
	one.stop()
	other.settle()
	for i, id := range placed {
		want := Approved
		if i%3 == 0 {
			want = Cancelled
		}
		if state := other.order(id).State; state != want {
			t.Errorf("order %s is %s, want %s", id, state, want)
		}
	}
	if len(one.world.broken) > 0 {
		t.Errorf("no correct caller does: %v", one.world.broken)
	}
}

func TestAQuoteIsOrderedOnceThoughTwoProcessesAreAsked(t *testing.T) {
	one, other := newTwo(t)
	for range 10 {
		terms := testTerms
		terms.QuoteID, terms.PlacedAt = ids.New(), noon
		terms.EtaEarliest, terms.EtaLatest = noon.Add(30*time.Minute), noon.Add(45*time.Minute)
		var mu sync.Mutex
		var made []bool
		var both sync.WaitGroup
		for _, h := range []*harness{one, other} {
			both.Go(func() {
				err := h.write(func(ctx context.Context, tx *database.Tx) error {
					_, err := h.core.place(ctx, tx, ids.New(), terms)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				made = append(made, err == nil)
			})
		}
		both.Wait()
		if slices.Equal(made, []bool{true, true}) || !slices.Contains(made, true) {
			t.Errorf("a quote was ordered by each of two: %v", made)
		}
	}
}
