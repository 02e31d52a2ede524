package stats

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// resample draws as many blocks as there are, with replacement, and computes the statistic of all their runs together; 10,000 times. It gives the
// values in ascending order. A draw that has nothing of one of the two is drawn again, so that void runs do not count.
func resample(blocks []Block, seed uint64, statistic func(baseline, arm []float64) float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 0x6b657266))
	hasBaseline, hasArm := has(blocks)
	if !hasArm {
		return nil
	}
	values := make([]float64, Resamples)
	var baseline, arm []float64
	for i := range values {
		for {
			baseline, arm = baseline[:0], arm[:0]
			for range blocks {
				b := blocks[random.IntN(len(blocks))]
				baseline, arm = append(baseline, b.Baseline...), append(arm, b.Arm...)
			}
			if len(arm) > 0 && (len(baseline) > 0 || !hasBaseline) {
				break
			}
		}
		values[i] = statistic(baseline, arm)
	}
	slices.Sort(values)
	return values
}

func has(blocks []Block) (baseline, arm bool) {
	for _, b := range blocks {
		baseline, arm = baseline || len(b.Baseline) > 0, arm || len(b.Arm) > 0
	}
	return baseline, arm
}

// tails cuts both ends off the sorted values so that the confidence is left, for so many blocks; see the package's comment.
func tails(values []float64, blocks int, level float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	tail := distuv.UnitNormal.CDF(-student(blocks).Quantile((1 + level) / 2))
	return quantile(values, tail), quantile(values, 1-tail)
}

// chance is 1 less the confidence of the widest interval that excludes 1: how often chance alone puts the ratio as far from 1.
func chance(values []float64, blocks int) float64 {
	below, _ := slices.BinarySearch(values, 1)
	above, _ := slices.BinarySearch(values, math.Nextafter(1, 2))
	tail := float64(1+min(above, len(values)-below)) / float64(len(values)+1)
	return min(1, 2*student(blocks).CDF(distuv.UnitNormal.Quantile(min(tail, 0.5))))
}

// student is the distribution that takes the place of the normal one for so many blocks.
func student(blocks int) distuv.StudentsT {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(max(blocks-1, 1))}
}

// quantile of sorted values, interpolated.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	low, high := sorted[below], sorted[below+1]
	if low == high { // infinite ones too
		return low
	}
	return low + (at-float64(below))*(high-low)
}
