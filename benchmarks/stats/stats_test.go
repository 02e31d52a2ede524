package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"kerf/benchmarks/stats"
)

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{4, 1}, 2.5},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 3, 2, 1}, 2.5},
	} {
		given := slices.Clone(c.values)
		if got := stats.Median(c.values); got != c.want {
			t.Errorf("median of %v = %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(given, c.values) {
			t.Errorf("the values were put in another order: %v", c.values)
		}
	}
	if got := stats.Median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v", got)
	}
}

// Of five blocks the bootstrap's extremes are the smallest and the largest: 5 draws of one block happen in 1 of 625 resamples on each side, and the
// interval's tails are Φ(−2.776) = 0.28 %.
func TestTheIntervalOfFewRunsReachesToTheirEnds(t *testing.T) {
	low, high := stats.Interval([]float64{10, 11, 12, 13, 14}, 1)
	if low != 10 || high != 14 {
		t.Errorf("interval = %v to %v, want 10 to 14", low, high)
	}
	if low, high := stats.Interval([]float64{7}, 1); low != 7 || high != 7 {
		t.Errorf("interval of one run = %v to %v", low, high)
	}
	if low, high := stats.Interval(nil, 1); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("interval of none = %v to %v", low, high)
	}
}

func TestAnExactRatioHasNoWidth(t *testing.T) {
	baseline := []float64{10, 20, 30, 40, 50, 60}
	arm := []float64{15, 30, 45, 60, 75, 90}
	got := stats.Compare(stats.Pair(baseline, arm), 1)
	if got.Value != 1.5 || math.Abs(got.Low-1.5) > 1e-9 || math.Abs(got.High-1.5) > 1e-9 || !got.Different {
		t.Errorf("ratio = %+v: pairs were torn apart", got)
	}
}

func TestTheSameSeedGivesTheSameInterval(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	a, b := noise(random, 6, 1, 0.1), noise(random, 6, 1.2, 0.1)
	first, again := stats.Compare(stats.Pair(a, b), 7), stats.Compare(stats.Pair(a, b), 7)
	if first != again {
		t.Errorf("%+v, then %+v", first, again)
	}
}

func TestASmallRatioIsNotDifferentHoweverCertain(t *testing.T) {
	a := []float64{100, 100, 100, 100, 100, 100}
	for _, c := range []struct {
		arm  float64
		want bool
	}{{104, false}, {106, true}, {96, false}, {94, true}} {
		b := slices.Repeat([]float64{c.arm}, 6)
		if got := stats.Compare(stats.Pair(a, b), 1); got.Different != c.want || got.Low != got.Value {
			t.Errorf("%v against 100: %+v", c.arm, got)
		}
	}
}

func TestTooFewBlocksMakeNothingDifferent(t *testing.T) {
	a, b := []float64{10, 10, 10, 10, 10}, []float64{20, 20, 20, 20, 20}
	for n, want := range map[int]bool{1: false, 4: false, 5: true} {
		if got := stats.Compare(stats.Pair(a[:n], b[:n]), 1); got.Different != want || got.Value != 2 {
			t.Errorf("%d blocks: %+v", n, got)
		}
	}
}

func TestWhatIsMissingIsNotCompared(t *testing.T) {
	for name, blocks := range map[string][]stats.Block{
		"nothing":       nil,
		"no baseline":   stats.Pair(nil, []float64{1, 2}),
		"no arm":        stats.Pair([]float64{1, 2}, nil),
		"baseline of 0": stats.Pair([]float64{0, 0, 0}, []float64{1, 2, 3}),
	} {
		if got := stats.Compare(blocks, 1); !math.IsNaN(got.Value) || !math.IsNaN(got.Low) || got.Different {
			t.Errorf("%s: %+v", name, got)
		}
	}
	blocks := []stats.Block{{Baseline: []float64{1}, Arm: []float64{2}}, {Baseline: []float64{1}}, {Arm: []float64{2}}}
	if got := stats.Compare(blocks, 1); got.Value != 2 || got.Low != 2 || got.High != 2 {
		t.Errorf("with void runs: %+v", got)
	}
}

// Blocks of two runs of the baseline and one of the arm, as an experiment has them whose arms have not the same number of runs.
func TestBlocksOfUnequalNumbersAreKeptTogether(t *testing.T) {
	var blocks []stats.Block
	for i := range 6 {
		slow := 1 + float64(i)/10 // the machine grows slower from block to block
		blocks = append(blocks, stats.Block{Baseline: []float64{10 * slow, 10 * slow}, Arm: []float64{12 * slow}})
	}
	if got := stats.Compare(blocks, 1); math.Abs(got.Value-1.2) > 1e-9 || !got.Different || got.High > 1.25 {
		t.Errorf("ratio = %+v", got)
	}
}

// What the package's comment promises, with fewer simulations; the bounds are some four standard errors below.
func TestIntervalsCover(t *testing.T) {
	for n, simulations := range map[int]int{6: 60, 12: 25} {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		ratios, medians := 0, 0
		for i := range simulations {
			a, b := noise(random, n, 1, 0.1), noise(random, n, 1, 0.1)
			if r := stats.Compare(stats.Pair(a, b), uint64(i)); r.Low <= 1 && 1 <= r.High {
				ratios++
			}
			if low, high := stats.Interval(a, uint64(i)); low <= 1 && 1 <= high {
				medians++
			}
		}
		if least := simulations * 84 / 100; ratios < least || medians < least {
			t.Errorf("n = %d: of %d intervals %d cover the ratio and %d the median", n, simulations, ratios, medians)
		}
	}
}

func TestALieIsRareAndAnEffectIsFound(t *testing.T) {
	const simulations = 40
	random := rand.New(rand.NewPCG(5, 6))
	lies, found := 0, 0
	for i := range simulations {
		a, same, more := noise(random, 6, 1, 0.03), noise(random, 6, 1, 0.03), noise(random, 6, 1.15, 0.03)
		if stats.Compare(stats.Pair(a, same), uint64(i)).Different {
			lies++
		}
		if stats.Compare(stats.Pair(a, more), uint64(i)).Different {
			found++
		}
	}
	if lies > 2 {
		t.Errorf("%d of %d comparisons of the same with the same were called different", lies, simulations)
	}
	if found < 38 {
		t.Errorf("15 %% more under 3 %% of noise was found in %d of %d", found, simulations)
	}
}

func TestHolmWidensByRank(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	a := noise(random, 12, 1, 0.05)
	arms := [][]stats.Block{
		stats.Pair(a, noise(random, 12, 1, 0.05)),  // nothing
		stats.Pair(a, noise(random, 12, 2, 0.05)),  // the most certain
		stats.Pair(nil, noise(random, 12, 2, 0.1)), // cannot be compared, and costs the others nothing
		stats.Pair(a, noise(random, 12, 1, 0.05)),
	}
	got := stats.Holm(arms, 1)
	for arm, want := range []float64{1 - 0.05/2, 1 - 0.05/3, 0, 1 - 0.05/2} {
		if arm != 2 && math.Abs(got[arm].Level-want) > 1e-9 {
			t.Errorf("arm %d is judged at %v, want %v", arm, got[arm].Level, want)
		}
	}
	if !got[1].Different || got[0].Different || got[2].Different || got[3].Different || !math.IsNaN(got[2].Value) {
		t.Errorf("found %+v", got)
	}
	alone := stats.Compare(arms[1], 1)
	if alone.Value != got[1].Value || got[1].Low > alone.Low || got[1].High < alone.High || got[1].High-got[1].Low == alone.High-alone.Low {
		t.Errorf("alone %+v, among three %+v", alone, got[1])
	}
}

// noise draws n values around the middle, with a standard deviation relative to it.
func noise(random *rand.Rand, n int, middle, deviation float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = middle * (1 + deviation*random.NormFloat64())
	}
	return values
}
