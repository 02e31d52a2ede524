package experiments

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"kerf/benchmarks/lab"
)

// blastShown adds what is shown and to be borne in mind, however the hypothesis fared.
func blastShown(f *lab.Findings, c lab.Conclusion) lab.Conclusion {
	c.Tables, c.Figures = []lab.Table{blastTable(f)}, blastFigures(f)
	c.Remarks = append(c.Remarks,
		"A second is lost if all requests that were to be sent in it failed, or were not answered well within a second; half of them failed for two seconds are a second, too. "+
			"Divided by ten it is the share of requests that failed in the ten seconds after the kill, less the share that failed in the seconds before it; so it may be a little below 0. "+
			"Means are over the seven endpoints; approved and whole page, which come of the same requests as place and page, stand beside.",
		"What died is started again by the program that runs the topology. Its next three starts are killed, too, so that it is away for nearly two seconds, as if it had to be "+
			"started on another machine; killed once, it is back in some 0.3 s, which is three or four requests of an endpoint.",
		"Approved counts orders that were approved within a second of the moment at which they were to be placed. Those that come later are late, not lost: all orders are "+
			"held against the invariants after each run, the acknowledged and the doubtful.",
		"A page is answered without the parts whose module is away; the whole page is one with nothing missing.",
		"Each endpoint is asked at its own instants over connections that are kept. A connection that the dead process had is made anew once, as browsers do.")
	c.Remarks = append(c.Remarks, notMade(f)...)
	return c
}

// notMade tells, of arms in which they happened, why calls between modules were not made: where they fail for longer than the victim is away, this says
// whether a breaker held them up or a connection that was not tried again yet.
func notMade(f *lab.Findings) (remarks []string) {
	for _, arm := range f.Arms {
		none, open := resultOf(f, arm.Name, unreachable.Name), resultOf(f, arm.Name, broken.Name)
		if none == nil || open == nil || none.Median+open.Median == 0 {
			continue
		}
		remarks = append(remarks, fmt.Sprintf("%s: %s calls between modules were not made because there was no connection, %s because of an open breaker (medians, n = %d).",
			sentence(arm.Label), amount(none), amount(open), none.N))
	}
	if len(remarks) > 0 {
		remarks = append(remarks, "A module that calls another over gRPC tries to connect again after 0.1 s, then after 0.16 s, and so on up to a second. So its calls can fail for up to a "+
			"second after the other one is back, while the gateway, which connects when it has something to pass on, finds it at once.")
	}
	return remarks
}

// blastTable tells what each endpoint lost.
func blastTable(f *lab.Findings) lab.Table {
	t := lab.Table{
		Title: "Lost of the ten seconds after the kill, in seconds", Columns: []string{"endpoint"},
		Note: "Median of the runs with its 95 % interval. * the endpoint needs what was killed. " + countedRuns(f),
	}
	for _, arm := range f.Arms {
		t.Columns = append(t.Columns, arm.Label)
	}
	for _, e := range watched {
		row := []string{e.label()}
		for _, arm := range f.Arms {
			cell := amount(resultOf(f, arm.Name, lostOf(e).Name))
			if e.needsVictim(arm) {
				cell += " *"
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	for _, m := range []lab.Metric{readyAfter, backAfter, unreachable, broken} {
		row := []string{m.Label}
		for _, arm := range f.Arms {
			row = append(row, amount(resultOf(f, arm.Name, m.Name)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// blastFigures show goodput around the kill, all runs together: one figure for each arm, with a curve for each endpoint that needs what was killed, and
// one for all that do not. Where all do, one curve tells as much as all.
func blastFigures(f *lab.Findings) []lab.Figure {
	var figures []lab.Figure
	for _, arm := range f.Arms {
		figure := lab.Figure{
			Title: "Goodput: " + arm.Label, XLabel: "seconds after the kill", YLabel: "share answered well within a second",
			Lines: []lab.Line{{Label: "kill", At: 0, Vertical: true}},
			Note: fmt.Sprintf("By quarters of the second at which a request was to be sent, %d runs together. The table above has the intervals.",
				len(f.Records[arm.Name])),
		}
		var needing, others []endpoint
		for _, e := range watched {
			if e.needsVictim(arm) {
				needing = append(needing, e)
			} else {
				others = append(others, e)
			}
		}
		runs := f.Records[arm.Name]
		if len(others) == 0 {
			figure.Curves = append(figure.Curves, lab.Curve{Label: "all endpoints", Points: shareAround(runs, needing...)})
		} else {
			for _, e := range needing {
				figure.Curves = append(figure.Curves, lab.Curve{Label: e.label(), Points: shareAround(runs, e)})
			}
			figure.Curves = append(figure.Curves, lab.Curve{Label: "all others", Points: shareAround(runs, others...)})
		}
		if len(runs) > 0 {
			figures = append(figures, figure)
		}
	}
	return figures
}

// shareAround is the share of the requests to endpoints that were answered well, by quarters of a second around the kill.
func shareAround(runs []lab.Record, endpoints ...endpoint) (points []lab.Interval) {
	const width = 0.25
	made, good := map[int]float64{}, map[int]float64{}
	for _, run := range runs {
		for _, endpoint := range endpoints {
			for kind, sums := range map[string]map[int]float64{"made/": made, "good/": good} {
				for _, p := range run.Series[kind+endpoint.name] {
					sums[int(math.Floor(p.X/width))] += p.Y * bin.Seconds()
				}
			}
		}
	}
	for _, q := range slices.Sorted(maps.Keys(made)) {
		if made[q] > 0 {
			y := good[q] / made[q]
			points = append(points, lab.Interval{X: (float64(q) + 0.5) * width, Y: y, Low: y, High: y})
		}
	}
	return points
}
