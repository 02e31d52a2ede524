package load

import "math"

// Steadiness tells whether a series had come to rest: it is Steady, too Noisy to tell, or neither: not steady.
type Steadiness struct {
	// Ratio is the mean of the last third over the mean of all; Noise is its standard error.
	Ratio, Noise float64
	// Steady says that the ratio is within 5 % of 1, and that twice its noise is, too.
	Steady bool
	// Noisy says that twice the noise is over 5 %, and the ratio no farther from 1 than that: such a series proves neither rest nor a trend.
	Noisy bool
}

// steadyWithin is how far from 1 the ratio of a steady series is at most.
const steadyWithin = 0.05

// fewest is the number of seconds from which on steadiness is told.
const fewest = 6

// Steady judges a series of one-second values. ok is false if there are fewer than six, or their mean is 0.
//
// The last third is a part of the whole, so with n seconds, k of them in the last third, and a standard deviation s of one second, the difference of
// the two means has the variance s²(1/k − 1/n) when nothing changes. s is taken around the means of the two parts, so that a step between them does
// not pass for noise. Neighbouring seconds are taken as independent; where they are not, the noise is larger than told here.
func Steady(values []float64) (s Steadiness, ok bool) {
	n := len(values)
	if n < fewest {
		return Steadiness{}, false
	}
	k := n / 3
	whole, _ := spread(values)
	if whole == 0 {
		return Steadiness{}, false
	}
	_, before := spread(values[:n-k])
	last, after := spread(values[n-k:])
	variance := (before + after) / float64(n-2)
	s.Ratio = last / whole
	s.Noise = math.Sqrt(variance*(1/float64(k)-1/float64(n))) / whole
	off, noise := math.Abs(s.Ratio-1), 2*s.Noise
	s.Steady = off <= steadyWithin && noise <= steadyWithin
	s.Noisy = noise > steadyWithin && off <= noise
	return s, true
}

// spread is the mean of values and the sum of the squares of their distances from it.
func spread(values []float64) (mean, squares float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, squares
}
