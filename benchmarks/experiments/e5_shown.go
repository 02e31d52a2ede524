package experiments

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
)

var visibilityRemarks = []string{
	"A look's time is not in the window: it counts until the look was begun that showed the write, and is 0 if the first one did. Looks follow each other after a " +
		"look's own time and a tenth of what has passed, so a window is known to about that, and told rather too long.",
	"What was not seen ten seconds after its write is given up and counts as ten seconds. What failed has no time, and is counted only.",
	"The stream's times hold the way to the client. A time is 0 where the stream told before the answer to the write was read.",
	"The list of views is read where reads-your-writes is asked: one order's view would do, but for that the API itself waits when the order is fresh.",
}

// notSeen tells of each arm how many of its orders were not seen to the end.
func notSeen(f *lab.Findings) (remarks []string) {
	for _, arm := range f.Arms {
		if of := seenOf(f, arm); of.Made > 0 {
			remarks = append(remarks, fmt.Sprintf("%s: of %d orders in %d runs, %d were not seen to the end.",
				sentence(arm.Label), of.Made, len(f.Records[arm.Name]), of.Made-of.Good))
		}
	}
	return remarks
}

// seenOf is how many orders were due in all runs of an arm, and how many of them were seen to the end.
func seenOf(f *lab.Findings, arm lab.Arm) (sum tally) {
	for _, r := range f.Records[arm.Name] {
		due := r.Samples[unseenShare.Name]
		sum.Made += int(due)
		sum.Good += int(math.Round(float64(due) * (1 - r.Values[unseenShare.Name])))
	}
	return sum
}

// pooled is a distribution of all runs of an arm together; nil if there is none.
func pooled(f *lab.Findings, arm lab.Arm, name string) *hdrhistogram.Histogram {
	var all *hdrhistogram.Histogram
	for _, r := range f.Records[arm.Name] {
		h, err := hdrhistogram.Decode([]byte(r.Spectra[name].HDR))
		if err != nil {
			continue
		}
		if all == nil {
			all = h
			continue
		}
		all.Merge(h)
	}
	return all
}

var windowNames = []struct{ name, label string }{
	{seenRead, "accepted → read from orders"}, {seenAcceptedTold, "accepted → told by tracking"}, {seenTold, "placed → told by tracking"},
}

// windowTable tells percentiles of all runs together, because a run has too few orders for its p99.
func windowTable(f *lab.Findings) lab.Table {
	t := lab.Table{
		Title: "Windows, all runs together", Columns: []string{"arm", "window", "n", "p50, ms", "p90, ms", "p99, ms", "at most, ms", "not seen"},
		Note: "No percentile is told of too few samples. n holds what was given up after ten seconds, and not what failed; both are in the last column.",
	}
	for _, arm := range f.Arms {
		for _, w := range windowNames {
			if row := windowRow(pooled(f, arm, w.name+"/response"), failures(f.Records[arm.Name], w.name)); row != nil {
				t.Rows = append(t.Rows, append([]string{arm.Label, w.label}, row...))
			}
		}
	}
	return t
}

// windowRow tells of what was seen, and of how much was not; nil if there was neither.
func windowRow(all *hdrhistogram.Histogram, failed int64) []string {
	switch {
	case all == nil && failed == 0:
		return nil
	case all == nil:
		return []string{"0", "–", "–", "–", "–", fmt.Sprint(failed)}
	}
	row := []string{fmt.Sprint(all.TotalCount())}
	for _, p := range []float64{50, 90, 99} {
		cell := "–"
		if ms, ok := load.Percentile(all, p); ok {
			cell = number(ms)
		}
		row = append(row, cell)
	}
	return append(row, number(float64(all.Max())/1000), fmt.Sprint(failed))
}

// failures counts what failed of one kind of request or observation, in all runs.
func failures(runs []lab.Record, name string) (n int64) {
	for _, r := range runs {
		for what, count := range r.Errors {
			if op, _, _ := strings.Cut(what, ":"); op == name {
				n += count
			}
		}
	}
	return n
}

// windowFigures show each window's distribution: of all orders the share that is visible after a time.
func windowFigures(f *lab.Findings) []lab.Figure {
	var figures []lab.Figure
	for _, w := range windowNames {
		figure := lab.Figure{Title: w.label, XLabel: "ms after the acknowledgement", YLabel: "share of the orders that show", LogX: true}
		var counts []string
		for _, arm := range f.Arms {
			if all := pooled(f, arm, w.name+"/response"); all != nil {
				figure.Curves = append(figure.Curves, lab.Curve{Label: arm.Label, Points: shareBy(all)})
				counts = append(counts, fmt.Sprintf("%s %d", arm.Name, all.TotalCount()))
			}
		}
		if len(figure.Curves) > 0 {
			figure.Note = "Bands: 95 % of a share, all runs together. Orders: " + strings.Join(counts, ", ") + "."
			figures = append(figures, figure)
		}
	}
	return figures
}

// shareBy is the share of a histogram's values up to times from 0.1 ms on, with the 95 % interval of a share (Wilson, 1927).
func shareBy(h *hdrhistogram.Histogram) (points []lab.Interval) {
	n := float64(h.TotalCount())
	for ms := 0.1; ; ms *= 1.2 {
		up := n - float64(above(h, time.Duration(ms*float64(time.Millisecond))))
		low, high := wilson(up, n)
		points = append(points, lab.Interval{X: ms, Y: up / n, Low: low, High: high})
		if up == n || ms > 60_000 {
			return points
		}
	}
}

// wilson is the 95 % interval of the share of k in n (Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927).
func wilson(k, n float64) (low, high float64) {
	const z = 1.959964
	p := k / n
	middle, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, (middle-half)/(1+z*z/n)), min(1, (middle+half)/(1+z*z/n))
}
