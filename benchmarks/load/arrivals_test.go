package load

import (
	"math"
	"slices"
	"testing"
	"time"
)

func all(of Arrivals) (offsets []time.Duration) {
	for {
		offset, ok := of.Next()
		if !ok {
			return offsets
		}
		offsets = append(offsets, offset)
	}
}

func TestPoissonArrivalsHaveTheirRateAndExponentialGaps(t *testing.T) {
	const rate, length = 200, 200 // per second, seconds
	offsets := all(For(length*time.Second, Poisson(rate, 7)))
	counts, gaps := make([]float64, length), []float64(nil)
	var before time.Duration
	for _, at := range offsets {
		counts[int(at/time.Second)]++
		gaps = append(gaps, (at - before).Seconds())
		before = at
	}
	mean, squares := spread(counts)
	if math.Abs(mean-rate) > rate*0.02 { // the standard error of the mean is 0.5 %
		t.Errorf("%.1f arrivals a second, want %d", mean, rate)
	}
	if index := squares / (length - 1) / mean; index < 0.7 || index > 1.35 { // its standard error is 0.1
		t.Errorf("the variance of the counts is %.2f times their mean, want about 1", index)
	}
	meanGap, gapSquares := spread(gaps)
	if variation := math.Sqrt(gapSquares/float64(len(gaps))) / meanGap; math.Abs(variation-1) > 0.03 {
		t.Errorf("the gaps vary by %.2f of their mean, want 1, as exponential ones do", variation)
	}
	if !slices.IsSorted(offsets) {
		t.Error("the arrivals are out of order")
	}
}

func TestPoissonArrivalsAreReproducedByTheirSeed(t *testing.T) {
	one, again, other := all(First(100, Poisson(50, 1))), all(First(100, Poisson(50, 1))), all(First(100, Poisson(50, 2)))
	if !slices.Equal(one, again) {
		t.Error("the same seed gave other arrivals")
	}
	if slices.Equal(one, other) {
		t.Error("another seed gave the same arrivals")
	}
	for i, at := range all(First(100, Poisson(25, 1))) {
		if off := at - 2*one[i]; off.Abs() > time.Microsecond {
			t.Fatalf("at half the rate arrival %d comes at %v, not at twice %v", i, at, one[i])
		}
	}
}

func TestReplayKeepsRecordedGaps(t *testing.T) {
	recorded := []time.Duration{0, 3 * time.Second, 3 * time.Second, 13 * time.Second}
	if got := all(Replay(recorded, 1)); !slices.Equal(got, recorded) {
		t.Errorf("replayed %v, recorded %v", got, recorded)
	}
	want := []time.Duration{0, 300 * time.Millisecond, 300 * time.Millisecond, 1300 * time.Millisecond}
	if got := all(Replay(recorded, 10)); !slices.Equal(got, want) {
		t.Errorf("replayed %v at ten times the speed, want %v", got, want)
	}
}

func TestArrivalsAreBounded(t *testing.T) {
	second := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond}
	if got := all(For(time.Second, Uniform(4))); !slices.Equal(got, second) {
		t.Errorf("%v arrive within a second, want %v", got, second)
	}
	if got := all(First(2, Uniform(4))); !slices.Equal(got, second[:2]) {
		t.Errorf("%v are the first two, want %v", got, second[:2])
	}
	if got := all(For(time.Hour, Poisson(0, 1))); got != nil {
		t.Errorf("at a rate of 0 there came %v", got)
	}
}
