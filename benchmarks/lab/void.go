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
	// Others may have this share of the machine while a run measures, before the run is to be doubted, and before it is void.
	sharedDoubt, sharedVoid = 0.1, 0.2
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
	if shared, words := r.shared(); shared > sharedVoid {
		return words
	}
	if r.Overload {
		return ""
	}
	if r.Sends > 0 && float64(r.Missed) > missed*float64(r.Sends) {
		return fmt.Sprintf("the generator missed %d of %d sends", r.Missed, r.Sends)
	}
	late, known := r.Spectra["scheduled/lateness"].percentile(99)
	if !known {
		return ""
	}
	response, _ := r.Spectra["all/response"].percentile(50)
	if allowed := max(lateness, latenessShare*response); late > allowed {
		return fmt.Sprintf("the generator was late: p99 %.1f ms, where %.1f ms is allowed", late, allowed)
	}
	return ""
}

// shared is the largest share of the machine that others had in a window of the run, and tells of it.
func (r *Record) shared() (share float64, words string) {
	for _, name := range slices.Sorted(maps.Keys(r.Others)) {
		o := r.Others[name]
		if o.Share() <= share {
			continue
		}
		share = o.Share()
		words = fmt.Sprintf("others had %.0f %% of the machine", 100*share)
		if o.Stolen > 0.01 {
			words += fmt.Sprintf(" (%.0f %% stolen by the hypervisor)", 100*o.Stolen)
		}
		if len(r.Others) > 1 {
			words += " in the part " + name
		}
	}
	return share, words
}

// disturbed says why a run is to be doubted that counts, "" if it is not.
func disturbed(r *Record) string {
	if share, words := r.shared(); share > sharedDoubt {
		return words
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
