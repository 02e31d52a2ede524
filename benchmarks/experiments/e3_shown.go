package experiments

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// kneeShown adds what is shown and to be borne in mind, however the hypothesis fared.
func kneeShown(f *lab.Findings, c lab.Conclusion) lab.Conclusion {
	c.Tables, c.Figures = []lab.Table{kneeTable(f)}, []lab.Figure{
		kneeFigure(f, "placed", "place_p95", placeWithin), kneeFigure(f, "approved", "approved_p95", approvedWithin), uslFigure(f),
	}
	c.Remarks = append(c.Remarks,
		fmt.Sprintf("In time is placed within %d ms and approved within %d ms. A step of a search is borne if no more than 1 %% of its orders were late or failed; it has at least "+
			"%d orders in every arm, and so a longer window at a low rate. A run's knee is the middle of a bracket of 10 %%.",
			placeWithin.Milliseconds(), approvedWithin.Milliseconds(), fewestOrders),
		"Two cores favour the monolith: there is no second machine that a process could move to, and broker and generator run on the same cores.",
		"In a step that was borne the generator has to be in time, as in all runs below the knee; and in none may others have had a fifth of the machine. A step that breaks this is "+
			"made once more, and the run is void if it does so again. Beyond the knee the generator's lateness is kept in the runs' records and voids nothing: where orders queue, "+
			"their requests wait for it.")
	for _, arm := range f.Arms {
		if share := resultOf(f, arm.Name, generatorShare.Name); share != nil {
			c.Remarks = append(c.Remarks, fmt.Sprintf("%s: the generator used %s of the CPU just below the knee.", sentence(arm.Label), percent(share.Median)))
		}
	}
	return c
}

// kneeTable sets the knee beside what the closed loop told.
func kneeTable(f *lab.Findings) lab.Table {
	t := lab.Table{
		Title:   "Knee, and the Universal Scalability Law",
		Columns: []string{"arm", "knee", "closed loop, at most", "λ", "σ", "κ", "peak of the law"},
		Note: "X(N) = λN / (1 + σ(N−1) + κN(N−1)), fitted to all runs of an arm together (Gunther, 2008). Without κ it has a ceiling and no peak. It has no " +
			"word for a server that gets more efficient under load, as one does that commits for several clients at once: its parameters are then 0.",
	}
	for _, arm := range f.Arms {
		row := []string{arm.Label, perSecond(resultOf(f, arm.Name, kneeRate.Name)), perSecond(resultOf(f, arm.Name, peakRate.Name)), "–", "–", "–", "–"}
		if law, err := fitUSL(allPoints(f, arm, "clients")); err == nil {
			row[3], row[4], row[5], row[6] = number(law.Lambda), number(law.Sigma), fmt.Sprintf("%.2g", law.Kappa), peakOf(law)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// perSecond writes a rate of orders: 41.3 orders/s (38.0–45.2).
func perSecond(r *lab.Result) string { return strings.Replace(amount(r), "1/s", "orders/s", 1) }

func peakOf(law usl) string {
	clients, throughput := law.peak()
	if math.IsInf(clients, 1) {
		return "ceiling of " + number(throughput) + " orders/s"
	}
	return fmt.Sprintf("%s orders/s at %.0f clients", number(throughput), clients)
}

// allPoints are those of a curve in all runs of an arm that count.
func allPoints(f *lab.Findings, arm lab.Arm, curve string) (points []lab.Point) {
	for _, r := range f.Records[arm.Name] {
		points = append(points, r.Curves[curve]...)
	}
	return points
}

// kneeFigure is latency against the rate of orders, by a curve of the runs: a dot for each step of each run.
func kneeFigure(f *lab.Findings, what, curve string, within time.Duration) lab.Figure {
	figure := lab.Figure{
		Title: "Latency against throughput: orders " + what, XLabel: "orders per second", YLabel: what + ", p95 in ms", LogX: true, LogY: true,
		Lines: []lab.Line{{Label: "objective (of the p99)", At: within.Seconds() * 1000}},
		Note:  "A dot is a step of a run's search, with its p95, which scatters less than the p99. Vertical lines: the median knee. " + countedRuns(f),
	}
	for _, arm := range f.Arms {
		steps := lab.Curve{Label: arm.Label, Scattered: true}
		for _, p := range allPoints(f, arm, curve) {
			steps.Points = append(steps.Points, lab.Interval{X: p.X, Y: p.Y, Low: p.Y, High: p.Y})
		}
		figure.Curves = append(figure.Curves, steps)
		if r := resultOf(f, arm.Name, kneeRate.Name); r != nil {
			figure.Lines = append(figure.Lines, lab.Line{Label: "knee: " + arm.Name, At: r.Median, Vertical: true})
		}
	}
	return figure
}

// uslFigure is throughput against clients: medians of the runs with their intervals, and the law fitted to all of them.
func uslFigure(f *lab.Findings) lab.Figure {
	figure := lab.Figure{
		Title: "Throughput of a closed loop, with the Universal Scalability Law", XLabel: "clients", YLabel: "orders per second", LogX: true,
		Note: "Dots: median of the runs and its 95 % interval. Dashed: the law fitted to all runs. " + countedRuns(f),
	}
	for _, arm := range f.Arms {
		points := allPoints(f, arm, "clients")
		measured := lab.Curve{Label: arm.Label, Scattered: true}
		by := map[float64][]float64{}
		for _, p := range points {
			by[p.X] = append(by[p.X], p.Y)
		}
		for _, n := range slices.Sorted(maps.Keys(by)) {
			low, high := stats.Interval(by[n], 0)
			measured.Points = append(measured.Points, lab.Interval{X: n, Y: stats.Median(by[n]), Low: low, High: high})
		}
		figure.Curves = append(figure.Curves, measured)
		if law, err := fitUSL(points); err == nil {
			figure.Curves = append(figure.Curves, uslCurve(arm.Label+": the law", law))
		}
	}
	return figure
}

func uslCurve(label string, law usl) lab.Curve {
	curve := lab.Curve{Label: label, Dashed: true}
	for n := 1.0; n <= float64(sweep[len(sweep)-1]); n *= 1.15 {
		y := law.at(n)
		curve.Points = append(curve.Points, lab.Interval{X: n, Y: y, Low: y, High: y})
	}
	return curve
}
