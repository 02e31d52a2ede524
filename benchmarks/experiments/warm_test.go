package experiments

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestABrokerIsPouredUntilAMessageCostsNoLess(t *testing.T) {
	var poured atomic.Int64
	costs, looks, used := []float64{4, 2, 1, 1, 1, 1, 1, 1, 0.5}, 0, 0.0
	cpu := func() float64 { // each look 100 messages more
		poured.Add(100)
		used += costs[looks] * 100 / 1000
		looks++
		return used
	}

	w, err := untilSteady(t.Context(), time.Minute, time.Millisecond, nil, &poured, cpu)

	if err != nil || !w.Steady || looks != 8 || w.Messages != 800 || w.First < 3.99 || w.First > 4.01 || w.Last < 0.999 || w.Last > 1.001 {
		t.Errorf("%+v after %d looks, %v", w, looks, err)
	}
}

func TestPouringIsBounded(t *testing.T) {
	var poured atomic.Int64
	used, cost := 0.0, 1000.0
	cpu := func() float64 { // never steady
		cost /= 2
		poured.Add(1)
		used += cost
		return used
	}

	w, err := untilSteady(t.Context(), 30*time.Millisecond, time.Millisecond, nil, &poured, cpu)

	if err != nil || w.Steady {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestABrokerThatTakesNothingEndsThePouring(t *testing.T) {
	failed := make(chan error, 1)
	refused := errors.New("refused")
	failed <- refused
	var poured atomic.Int64
	none := func() float64 { return 0 }

	if _, err := untilSteady(t.Context(), time.Minute, time.Hour, failed, &poured, none); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := untilSteady(ctx, time.Minute, time.Hour, nil, &poured, none); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
