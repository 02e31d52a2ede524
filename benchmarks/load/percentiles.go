package load

import (
	"fmt"
	"strconv"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Distribution is a histogram of microseconds, dense or sparse.
type Distribution interface {
	TotalCount() int64
	ValueAtPercentile(percentile float64) int64
	Max() int64
}

// Enough is the number of samples from which on a percentile below 100 is told: three of them must lie beyond it, and there must be 30 in any case. So p50 and
// p90 need 30, p99 needs 300 and p99.9 needs 3,000.
func Enough(percentile float64) int64 {
	return max(30, int64(3/(1-percentile/100)+0.5))
}

// Percentile tells a percentile in milliseconds; ok is false if the samples are too few for it.
func Percentile(of Distribution, percentile float64) (ms float64, ok bool) {
	if of.TotalCount() < Enough(percentile) {
		return 0, false
	}
	return float64(of.ValueAtPercentile(percentile)) / 1000, true
}

// Percentiles tells, in milliseconds, those of "50", "90", "99" and "99.9" that the number of samples allows, and "max" if there is any sample.
func Percentiles(of Distribution) map[string]float64 {
	told := map[string]float64{}
	for _, p := range []float64{50, 90, 99, 99.9} {
		if ms, ok := Percentile(of, p); ok {
			told[strconv.FormatFloat(p, 'f', -1, 64)] = ms
		}
	}
	if of.TotalCount() > 0 {
		told["max"] = float64(of.Max()) / 1000
	}
	return told
}

// Encode writes a histogram in the compressed form of HdrHistogram V2, in base64.
func Encode(h *hdrhistogram.Histogram) (string, error) {
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return "", fmt.Errorf("encode a histogram: %w", err)
	}
	return string(encoded), nil
}
