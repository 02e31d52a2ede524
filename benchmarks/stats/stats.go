package stats

import (
	"math"
	"slices"
)

const (
	// Resamples is how often blocks are drawn again for an interval.
	Resamples = 10_000
	// Level is the confidence of an interval, before any correction for several.
	Level = 0.95
	// Margin is how far from 1 a ratio must lie to matter: what is smaller, a change of the machine's mood does too.
	Margin = 0.05
	// Fewest is how many blocks it takes to call anything different: four lie on one side of the baseline by chance in one of eight cases.
	Fewest = 5
)

// Block is what was measured side by side: the runs of the baseline and of an arm in one block. Usually there is one of each; either may be empty
// because its run was void.
type Block struct{ Baseline, Arm []float64 }

// Ratio is an arm's median over the baseline's, with its interval. All are NaN if there is nothing to compare or the baseline's median is 0.
type Ratio struct {
	Value, Low, High float64
	// Level is the interval's confidence: 0.95, or more where several arms are compared.
	Level float64
	// Different says that the interval excludes 1 and that Value leaves 0.95 to 1.05, in at least Fewest blocks.
	Different bool
}

// Median is the middle value, or the mean of the two in the middle; NaN of none.
func Median(values []float64) float64 { return median(slices.Clone(values)) }

// median is Median, and sorts what it is given.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// Interval is the 95 % interval of the median of few values; NaN of none, and no wider than a point of one.
func Interval(values []float64, seed uint64) (low, high float64) {
	medians := resample(single(values), seed, func(_, values []float64) float64 { return median(values) })
	return tails(medians, len(values), Level)
}

// single makes a block of each value, without a baseline.
func single(values []float64) []Block {
	blocks := make([]Block, len(values))
	for i := range values {
		blocks[i].Arm = values[i : i+1]
	}
	return blocks
}

// Pair puts the i-th run of the baseline beside the i-th of the arm. If one has more, its last ones stand alone.
func Pair(baseline, arm []float64) []Block {
	blocks := make([]Block, max(len(baseline), len(arm)))
	for i := range blocks {
		if i < len(baseline) {
			blocks[i].Baseline = baseline[i : i+1]
		}
		if i < len(arm) {
			blocks[i].Arm = arm[i : i+1]
		}
	}
	return blocks
}

// Compare gives the ratio of an arm's median to the baseline's with its 95 % interval. The same blocks and seed give the same interval.
func Compare(blocks []Block, seed uint64) Ratio { return Holm([][]Block{blocks}, seed)[0] }

// Holm compares several arms with one baseline, by the step-down method of Holm (A Simple Sequentially Rejective Multiple Test Procedure, 1979): of k
// arms, the most certain is judged by an interval of confidence 1 − 0.05/k, the next by 1 − 0.05/(k−1), and so on until one is not different from
// the baseline; the ones after it are judged like that one. So at most one experiment in twenty calls any arm different that is not. With six blocks
// an interval cannot reach the confidence that several arms ask for (see the package's comment); it is then as wide as the runs allow.
func Holm(arms [][]Block, seed uint64) []Ratio {
	samples := make([]sample, len(arms))
	for i, blocks := range arms {
		samples[i] = ratios(blocks, seed)
		samples[i].arm = i
	}
	slices.SortStableFunc(samples, moreCertain)
	known := slices.IndexFunc(samples, func(s sample) bool { return math.IsNaN(s.value) })
	if known < 0 {
		known = len(samples)
	}
	found := make([]Ratio, len(arms))
	left, stopped := known, false
	for _, s := range samples {
		level := 1 - (1-Level)/float64(max(left, 1))
		r := Ratio{Value: s.value, Level: level}
		r.Low, r.High = tails(s.ratios, s.blocks, level)
		excluded := (r.Low > 1 || r.High < 1) && s.blocks >= Fewest
		r.Different = excluded && !stopped && math.Abs(r.Value-1) > Margin
		if stopped = stopped || !excluded; !stopped {
			left--
		}
		found[s.arm] = r
	}
	return found
}

// sample is the bootstrap distribution of an arm's ratio.
type sample struct {
	arm    int
	value  float64
	ratios []float64 // sorted
	blocks int       // that have both
	p      float64   // how likely so much difference is by chance alone
}

func ratios(blocks []Block, seed uint64) sample {
	var s sample
	var baseline, arm []float64
	for _, b := range blocks {
		baseline, arm = append(baseline, b.Baseline...), append(arm, b.Arm...)
		if len(b.Baseline) > 0 && len(b.Arm) > 0 {
			s.blocks++
		}
	}
	s.value = median(arm) / median(baseline)
	if math.IsInf(s.value, 0) || math.IsNaN(s.value) {
		s.value, s.p = math.NaN(), 1
		return s
	}
	s.ratios = resample(blocks, seed, func(baseline, arm []float64) float64 { return ratio(median(arm), median(baseline)) })
	s.p = chance(s.ratios, s.blocks)
	return s
}

// ratio of two medians; two zeros are alike.
func ratio(arm, baseline float64) float64 {
	if arm == 0 && baseline == 0 {
		return 1
	}
	return arm / baseline
}

// moreCertain orders the arms as Holm takes them; those without a ratio come last.
func moreCertain(a, b sample) int {
	switch {
	case math.IsNaN(a.value) != math.IsNaN(b.value):
		if math.IsNaN(b.value) {
			return -1
		}
		return 1
	case a.p != b.p:
		if a.p < b.p {
			return -1
		}
		return 1
	case math.Abs(math.Log(a.value)) > math.Abs(math.Log(b.value)):
		return -1
	}
	return 0
}
