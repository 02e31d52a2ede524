package experiments

import (
	"math"
	"testing"
	"time"
)

func TestEachSpanHasItsNumberOfArrivalsInOrder(t *testing.T) {
	for _, rate := range []float64{8, 0.3, 33.3} {
		arrivals := steadyPoisson(rate, 3)
		counts := map[int]int{}
		var last time.Duration
		for {
			at, ok := arrivals.Next()
			if !ok || at < last {
				t.Fatalf("rate %v: %s after %s, %t", rate, at, last, ok)
			}
			if last = at; at >= 20*span {
				break
			}
			counts[int(at/span)]++
		}
		for i := range 20 {
			if want := rate * span.Seconds(); math.Abs(float64(counts[i])-want) > 1 {
				t.Errorf("rate %v: %d arrivals in span %d, want about %.1f", rate, counts[i], i, want)
			}
		}
	}
	if _, ok := steadyPoisson(0, 1).Next(); ok {
		t.Error("somebody comes at a rate of 0")
	}
}

// Gaps that vary as much as they last are the mark of a Poisson process: equal gaps would not find the queues that it makes.
func TestArrivalsBunchWithinASpan(t *testing.T) {
	arrivals := steadyPoisson(50, 5)
	var last time.Duration
	var gaps, squares float64
	const n = 20_000
	for range n {
		at, _ := arrivals.Next()
		gap := (at - last).Seconds()
		gaps, squares, last = gaps+gap, squares+gap*gap, at
	}
	mean := gaps / n
	if variation := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(variation-1) > 0.05 {
		t.Errorf("the coefficient of variation is %.2f", variation)
	}
}

func TestASeedMakesItsArrivals(t *testing.T) {
	a, b, other := steadyPoisson(8, 1), steadyPoisson(8, 1), steadyPoisson(8, 2)
	same := true
	for range 100 {
		x, _ := a.Next()
		y, _ := b.Next()
		z, _ := other.Next()
		if x != y {
			t.Fatalf("%s and %s by one seed", x, y)
		}
		same = same && x == z
	}
	if same {
		t.Error("two seeds make the same arrivals")
	}
}
