package chart

import "math"

// Scale maps values to the unit interval: 0 at the beginning of an axis, 1 at its end.
type Scale struct {
	kind     kind
	Min, Max float64
}

type kind int

const (
	linear kind = iota
	logarithmic
	tail
)

// Linear is the smallest linear scale with round ends that holds all values.
func Linear(values ...float64) Scale {
	low, high := extent(values, func(float64) bool { return true })
	if low == high {
		switch {
		case low > 0:
			low, high = 0, low*1.25
		case low < 0:
			low, high = low*1.25, 0
		default:
			high = 1
		}
	}
	step := niceStep((high - low) / 5)
	return Scale{linear, math.Floor(low/step+1e-9) * step, math.Ceil(high/step-1e-9) * step}
}

// Log is the smallest logarithmic scale that holds all positive values, with ends of 1, 2 or 5 times a power of ten.
func Log(values ...float64) Scale {
	low, high := extent(values, func(v float64) bool { return v > 0 })
	if low <= 0 {
		low, high = 1, 10
	}
	s := Scale{logarithmic, roundDown(low), roundUp(high)}
	if s.Min == s.Max {
		s.Min, s.Max = roundDown(low/2), roundUp(high*2)
	}
	return s
}

// LogBetween is a logarithmic scale with just these ends.
func LogBetween(low, high float64) Scale { return Scale{logarithmic, low, high} }

// Tail is the scale of a percentile spectrum, from the quantile 0 to that of up to: by −log10(1−q), so that each nine takes the same room.
// up to is in [0.5, 1).
func Tail(upTo float64) Scale {
	return Scale{tail, 0, min(max(upTo, 0.5), 1-1e-9)}
}

// At is where a value lies, 0 to 1; what lies outside is put on the edge.
func (s Scale) At(v float64) float64 {
	var at float64
	switch s.kind {
	case logarithmic:
		at = math.Log(v/s.Min) / math.Log(s.Max/s.Min)
	case tail:
		at = math.Log10(1-v) / math.Log10(1-s.Max)
	default:
		at = (v - s.Min) / (s.Max - s.Min)
	}
	return min(max(at, 0), 1)
}

// Takes says whether the value can be placed at all.
func (s Scale) Takes(v float64) bool {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return false
	case s.kind == logarithmic:
		return v > 0
	case s.kind == tail:
		return v >= 0 && v < 1
	}
	return true
}

// extent is the least and greatest of the finite values that are wanted, 0 and 0 if there is none.
func extent(values []float64, wanted func(float64) bool) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) || !wanted(v) {
			continue
		}
		low, high = min(low, v), max(high, v)
	}
	if low > high {
		return 0, 0
	}
	return low, high
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not under the step; 1 for what is no step.
func niceStep(step float64) float64 {
	if !(step > 0) || math.IsInf(step, 0) {
		return 1
	}
	return roundUp(step)
}

func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func roundDown(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)+1e-9))
	for _, m := range []float64{5, 2} {
		if m*power <= v*(1+1e-9) {
			return m * power
		}
	}
	return power
}

// Logarithmic says whether the scale is one.
func (s Scale) Logarithmic() bool { return s.kind == logarithmic }
