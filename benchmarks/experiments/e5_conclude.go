package experiments

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
)

// concludeVisibility judges E5.
func concludeVisibility(f *lab.Findings) lab.Conclusion {
	base, apart := resultOf(f, "monolith", readP50.Name), resultOf(f, "split-kafka", readP50.Name)
	baseTold, apartTold := resultOf(f, "monolith", toldP50.Name), resultOf(f, "split-kafka", toldP50.Name)
	shown := func(c lab.Conclusion) lab.Conclusion {
		c.Tables = []lab.Table{windowTable(f)}
		c.Figures = windowFigures(f)
		c.Remarks = visibilityRemarks
		return c
	}
	if base == nil || apart == nil || baseTold == nil || apartTold == nil {
		return shown(undecided(f, "the windows of monolith and split are not both known"))
	}
	broker := "Kafka"
	if i := slices.IndexFunc(f.Arms, func(a lab.Arm) bool { return a.Name == "split-kafka" && a.Kfake }); i >= 0 {
		broker = "kfake"
	}
	verdict := fmt.Sprintf("An acceptance that the kitchen acknowledged is read from orders %s later in one process and %s later through %s (medians); tracking tells of a "+
		"placed order after %s and %s. Who reads the order at once misses the acceptance in %s and %s of the cases, n = %d.",
		amount(base), amount(apart), broker, amount(baseTold), amount(apartTold),
		shareOf(f, "monolith", staleRead), shareOf(f, "split-kafka", staleRead), apart.N)
	if amqp := resultOf(f, "split-amqp", readP50.Name); amqp != nil {
		verdict += fmt.Sprintf(" Through RabbitMQ it is read %s later.", amount(amqp))
	}
	local := together([]lab.Outcome{millisecondsIn(base, 0, 2), millisecondsIn(baseTold, 0, 2)})
	remote := together([]lab.Outcome{millisecondsIn(apart, 10, 100), millisecondsIn(apartTold, 10, 100)})
	return shown(lab.Conclusion{Outcome: together([]lab.Outcome{local, remote}), Verdict: foreword(f) + verdict})
}

// millisecondsIn judges whether a median lies between two bounds, by its interval.
func millisecondsIn(r *lab.Result, low, high float64) lab.Outcome {
	switch {
	case r.CILow >= low && r.CIHigh <= high:
		return lab.Supported
	case r.CIHigh < low || r.CILow > high:
		return lab.Refuted
	}
	return lab.Undecided
}

func shareOf(f *lab.Findings, arm string, metric lab.Metric) string {
	r := resultOf(f, arm, metric.Name)
	if r == nil {
		return "–"
	}
	return percent(r.Median)
}

var visibilityRemarks = []string{
	"A look's time is not in the window: it counts until the look was begun that showed the write, and is 0 if the first one did. Looks follow each other after a " +
		"look's own time and a tenth of what has passed, so a window is known to about that, and told rather too long.",
	"The stream's times hold the way to the client. A time is 0 where the stream told before the answer to the write was read.",
	"The list of views is read where reads-your-writes is asked: one order's view would do, but for that the API itself waits when the order is fresh.",
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
		Title: "Windows, all runs together", Columns: []string{"arm", "window", "n", "p50, ms", "p90, ms", "p99, ms", "at most, ms"},
		Note: "No percentile is told of too few samples.",
	}
	for _, arm := range f.Arms {
		for _, w := range windowNames {
			all := pooled(f, arm, w.name+"/response")
			if all == nil {
				continue
			}
			row := []string{arm.Label, w.label, fmt.Sprint(all.TotalCount())}
			for _, p := range []float64{50, 90, 99} {
				cell := "–"
				if ms, ok := load.Percentile(all, p); ok {
					cell = number(ms)
				}
				row = append(row, cell)
			}
			t.Rows = append(t.Rows, append(row, number(float64(all.Max())/1000)))
		}
	}
	return t
}

// windowFigures show each window's distribution: of all orders the share that is visible after a time.
func windowFigures(f *lab.Findings) []lab.Figure {
	var figures []lab.Figure
	for _, w := range windowNames {
		figure := lab.Figure{Title: w.label, XLabel: "ms after the acknowledgement", YLabel: "share of the orders that show", LogX: true}
		for _, arm := range f.Arms {
			if all := pooled(f, arm, w.name+"/response"); all != nil {
				figure.Curves = append(figure.Curves, lab.Curve{Label: arm.Label, Points: shareBy(all)})
			}
		}
		if len(figure.Curves) > 0 {
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
