package lab

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// lateness of the generator is forgiven up to this in milliseconds, or up to this share of the median response.
	lateness      = 2
	latenessShare = 0.1
	// missed is the share of sends that the generator may miss.
	missed = 0.001
)

// voids says why a run does not count, "" if it does. A system that was wrong scores nothing however fast it was; and below the knee a generator that
// was late or missed sends has measured itself.
func voids(r *Record) string {
	if r.Void != "" {
		return r.Void
	}
	if len(r.Violations) > 0 {
		return "violated " + strings.Join(slices.Sorted(maps.Keys(r.Violations)), ", ")
	}
	if r.Overload {
		return ""
	}
	if r.Sends > 0 && float64(r.Missed) > missed*float64(r.Sends) {
		return fmt.Sprintf("the generator missed %d of %d sends", r.Missed, r.Sends)
	}
	late, known := r.Spectra["all/lateness"].percentile(99)
	if !known {
		return ""
	}
	response, _ := r.Spectra["all/response"].percentile(50)
	if allowed := max(lateness, latenessShare*response); late > allowed {
		return fmt.Sprintf("the generator was late: p99 %.1f ms, where %.1f ms is allowed", late, allowed)
	}
	return ""
}

// percentile in milliseconds: as written beside the histogram or, where the samples are too few for that to be told, as the histogram has it.
func (s Spectrum) percentile(p float64) (float64, bool) {
	if ms, known := s.Milliseconds[strconv.FormatFloat(p, 'f', -1, 64)]; known {
		return ms, true
	}
	h, err := hdrhistogram.Decode([]byte(s.HDR))
	if err != nil || h.TotalCount() == 0 {
		return 0, false
	}
	return float64(h.ValueAtQuantile(p)) / 1000, true
}
