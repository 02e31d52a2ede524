package experiments

import (
	"fmt"
	"math"
	"slices"
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

// foreword are the first words of a verdict where something stood in for what was asked for, or was left out; "" where all is there. Runs that are missing
// are no part of it: soFar tells of them.
func foreword(f *lab.Findings) string {
	var notes []string
	for _, note := range f.Notes {
		if !f.Incomplete || !strings.HasPrefix(note, incomplete) {
			notes = append(notes, strings.TrimRight(note, ". "))
		}
	}
	if len(notes) == 0 {
		return ""
	}
	return sentence(strings.Join(notes, "; ")) + ". "
}

// incomplete is how the laboratory's own note begins that says which runs are missing.
const incomplete = "Incomplete:"

// lacking says that one of the arms, on which a verdict rests, has too few runs that count to decide anything.
func lacking(f *lab.Findings, arms ...string) bool {
	return slices.ContainsFunc(arms, func(arm string) bool { return len(f.Records[arm]) < stats.Fewest })
}

// soFar begins a verdict that some of the arms have too few runs for, and says which; "" if all have enough.
func soFar(f *lab.Findings, arms ...string) string {
	var few []string
	for _, arm := range arms {
		if lacking(f, arm) {
			few = append(few, fmt.Sprintf("%s: %d", arm, len(f.Records[arm])))
		}
	}
	if len(few) == 0 {
		return ""
	}
	return fmt.Sprintf("Undecided, since fewer than %d runs count (%s). ", stats.Fewest, strings.Join(few, ", "))
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

// enough is an outcome, if there are runs enough to decide anything.
func enough(runs int, outcome lab.Outcome) lab.Outcome {
	if runs < stats.Fewest {
		return lab.Undecided
	}
	return outcome
}

// against says what became of a ratio that was expected to lie in the band.
func (b band) against(r stats.Ratio) string {
	switch b.judge(r) {
	case lab.Supported:
		return "as expected"
	case lab.Refuted:
		if r.Low > b.High {
			return "more than expected"
		}
		return "less than expected"
	}
	return "not decided"
}

// together is what several outcomes make of one hypothesis: it is supported, or refuted, if all its parts are; partly supported if some part is; and
// undecided otherwise, for what was not decided may still be either.
func together(outcomes []lab.Outcome) lab.Outcome {
	count := map[lab.Outcome]int{}
	for _, o := range outcomes {
		count[o]++
	}
	switch n := len(outcomes); {
	case n == 0:
		return lab.Undecided
	case count[lab.Supported] == n:
		return lab.Supported
	case count[lab.Refuted] == n:
		return lab.Refuted
	case count[lab.Supported]+count[lab.Partly] > 0:
		return lab.Partly
	}
	return lab.Undecided
}
