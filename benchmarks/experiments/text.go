package experiments

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// resultOf is what is known of a metric in an arm; nil if nothing is.
func resultOf(f *lab.Findings, arm, metric string) *lab.Result {
	for i := range f.Results {
		if r := &f.Results[i]; r.Arm == arm && r.Metric == metric && r.N > 0 {
			return r
		}
	}
	return nil
}

// ratioOf is a result's ratio to the baseline; false if there is none.
func ratioOf(r *lab.Result) (stats.Ratio, bool) {
	if r == nil || r.Ratio == nil || r.RatioCILow == nil || r.RatioCIHigh == nil {
		return stats.Ratio{}, false
	}
	return stats.Ratio{Value: *r.Ratio, Low: *r.RatioCILow, High: *r.RatioCIHigh, Different: r.Different}, true
}

// times writes a ratio with its interval: 2.9× (2.7–3.1).
func times(r stats.Ratio) string {
	return fmt.Sprintf("%s× (%s–%s)", number(r.Value), number(r.Low), number(r.High))
}

// amount writes a median with its interval and unit: 7.4 ms (7.1–7.9).
func amount(r *lab.Result) string {
	if r == nil {
		return "–"
	}
	text := number(r.Median)
	if r.Unit != "" {
		text += " " + r.Unit
	}
	return fmt.Sprintf("%s (%s–%s)", text, number(r.CILow), number(r.CIHigh))
}

// number writes a value with three significant digits, and without an exponent.
func number(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', min(decimals, 4), 64)
}

// percent writes a share: 15 %.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + " %" }

// foreword are the first words of a verdict where something stood in for what was asked for, or was left out; "" where all is there.
func foreword(f *lab.Findings) string {
	if len(f.Notes) == 0 {
		return ""
	}
	return sentence(strings.Join(f.Notes, "; ")) + ". "
}

// sentence begins a text with a capital letter.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// undecided is the conclusion of an experiment that lacks runs.
func undecided(f *lab.Findings, why string) lab.Conclusion {
	return lab.Conclusion{Outcome: lab.Undecided, Verdict: foreword(f) + "Undecided: " + why + "."}
}

// band judges ratios that were expected to lie between two bounds.
type band struct{ Low, High float64 }

// judge says what a ratio with its interval tells of a band: it supports it if the whole interval lies within, refutes it if the whole interval lies
// without, and decides nothing otherwise.
func (b band) judge(r stats.Ratio) lab.Outcome {
	switch {
	case r.Low >= b.Low && r.High <= b.High:
		return lab.Supported
	case r.High < b.Low || r.Low > b.High:
		return lab.Refuted
	}
	return lab.Undecided
}

// together is what several outcomes make of one hypothesis.
func together(outcomes []lab.Outcome) lab.Outcome {
	count := map[lab.Outcome]int{}
	for _, o := range outcomes {
		count[o]++
	}
	switch n := len(outcomes); {
	case n == 0 || count[lab.Undecided] == n:
		return lab.Undecided
	case count[lab.Supported] == n:
		return lab.Supported
	case count[lab.Supported]+count[lab.Partly] == 0:
		return lab.Refuted
	}
	return lab.Partly
}
