package lab

import (
	"time"

	"kerf/benchmarks/usage"
)

// Record is what one run measured. It is kept as a file of its own, from which results and reports are made.
type Record struct {
	Experiment string `json:"experiment"`
	Arm        string `json:"arm"`
	// Block counts from 1, Position within it too; Attempt is 2 or more for the repeats of void runs.
	Block    int    `json:"block"`
	Position int    `json:"position"`
	Attempt  int    `json:"attempt"`
	Seed     uint64 `json:"seed"`
	// Version is that of the code that was measured.
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Values are by metric. What cannot be told, for instance a percentile of too few samples, is not in it.
	Values map[string]float64 `json:"values"`
	// Samples is the number of observations behind a value, where it is made of many.
	Samples map[string]int64 `json:"samples,omitempty"`
	// Spectra are distributions, by what was asked and the kind of time: "place/response", "place/service", "all/lateness". "scheduled/lateness" is that
	// of requests with an instant of their own, which the rule about a late generator judges: one that follows another's answer at once is never late.
	Spectra map[string]Spectrum `json:"spectra,omitempty"`
	// Series are values by second of the window, by name: "place/p50", "rate", "errors".
	Series map[string][]Point `json:"series,omitempty"`
	// Curves are points of one quantity against another, such as p99 against rate.
	Curves map[string][]Point `json:"curves,omitempty"`
	// Usage is what the processes used in the window, by the part they play and by name.
	Usage usage.Window `json:"usage"`
	// Others is what else the machine did while the run measured, by window: "window" where a run has one. By it a run is void, or Disturbed.
	Others map[string]Others `json:"others,omitempty"`
	// Errors are requests that failed in the window, by kind: "place: 503", "place: deadline".
	Errors map[string]int64 `json:"errors,omitempty"`
	// Violations are by invariant, with Told in words.
	Violations map[string]int `json:"violations,omitempty"`
	Told       []string       `json:"told,omitempty"`
	Steadiness *Steadiness    `json:"steadiness,omitempty"`
	// Sends is how many journeys of the window were due, Missed how many of them found no room in the generator and were never begun.
	Sends  int64 `json:"sends,omitempty"`
	Missed int64 `json:"missed,omitempty"`
	// Overload says that the run was meant to go beyond the knee, where lateness and missed sends are reported and void nothing.
	Overload bool `json:"overload,omitempty"`
	// Disturbed says why a run is to be doubted though it counts, "" if it is not: something else was at work on the machine.
	Disturbed string `json:"disturbed,omitempty"`
	// Void says why the run does not count, "" if it does.
	Void string `json:"void,omitempty"`
	// Failed says why the run could not be made at all.
	Failed string `json:"failed,omitempty"`
	// Facts go into the fairness sheet: "fsync": "full", "log level": "info", "GOMAXPROCS of orders": "2".
	Facts map[string]string `json:"facts,omitempty"`
}

// Point is one of a series or a curve.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Spectrum is a distribution of durations: an HDR histogram of microseconds with three significant digits, in the compressed and
// base64-encoded form of HdrHistogram (V2), which other programs read too.
type Spectrum struct {
	Count int64  `json:"count"`
	HDR   string `json:"hdr"`
	// Milliseconds at some percentiles, for readers without a decoder: "50", "90", "99", "99.9", those that the count allows, and "max".
	Milliseconds map[string]float64 `json:"milliseconds"`
}

// Others are shares of the CPU time that the machine had in a window, of all its cores, from 0 to 1.
type Others struct {
	// Rest went to processes that are no part of the run, and to the kernel's own. It can be a little below 0: see usage.Window.
	Rest float64 `json:"rest_share"`
	// Stolen is what the hypervisor gave to other machines.
	Stolen float64 `json:"stolen_share"`
}

// Share is what others had in all.
func (o Others) Share() float64 { return max(o.Rest, 0) + o.Stolen }

// Shared is the largest share of the machine that others had in a window of the run; known is false if it was not looked at.
func (r *Record) Shared() (share float64, known bool) {
	for _, o := range r.Others {
		share, known = max(share, o.Share()), true
	}
	return share, known
}

// OthersIn tells what others had of the machine in a window.
func OthersIn(w usage.Window) Others {
	had := w.Seconds * float64(w.Cores)
	if had <= 0 {
		return Others{}
	}
	return Others{Rest: w.CPU[usage.Rest] / had, Stolen: w.Stolen / had}
}

// Steadiness tells whether a run had come to a steady state: the mean of its last third against that of the whole window. A run that is neither Steady nor
// Noisy had not.
type Steadiness struct {
	Of string `json:"of"` // which series
	// Ratio is last third over window, Noise the standard error of that ratio, from the spread of the one-second bins.
	Ratio float64 `json:"ratio"`
	Noise float64 `json:"noise"`
	// Steady says that the ratio is within 5 % of 1, and that twice its noise is, too.
	Steady bool `json:"steady"`
	// Noisy says that the noise is too large to tell: twice of it is over 5 %, and the ratio is no farther from 1 than that.
	Noisy bool `json:"noisy,omitempty"`
}
