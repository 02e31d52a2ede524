package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
)

// everyRun is a figure of small panels, one for each headline metric, in which each run is a dot.
func everyRun(f *lab.Findings) (figure, bool) {
	fig := figure{Title: "Every run", Wide: true,
		Says: "Each mark is one run, from top to bottom in the order of the blocks, so that a drift would show. The line is the median, the shade its 95 % interval. " +
			"A cross is a void run, which counts for nothing."}
	for _, m := range f.Experiment.Metrics {
		if !m.Headline {
			continue
		}
		var values []float64
		rows := make([]chart.StripRow, 0, len(f.Arms))
		for i, arm := range f.Arms {
			row := stripRow(f, m, arm, i)
			for _, d := range row.Dots {
				values = append(values, d.Value)
			}
			rows = append(rows, row)
		}
		if len(values) == 0 {
			continue
		}
		label := unit(m.Unit)
		scale := spread(values)
		if scale.Logarithmic() {
			label = strings.TrimPrefix(label+", logarithmic", ", ")
		}
		fig.Panels = append(fig.Panels, panel{Title: escaped(m.Label), SVG: chart.Strip{Title: "every run: " + m.Label,
			Description: describe(rows, unit(m.Unit)), Width: 330, Rows: rows, X: chart.Axis{Scale: scale, Label: label}}.SVG()})
	}
	return fig, len(fig.Panels) > 0
}

func stripRow(f *lab.Findings, m lab.Metric, arm lab.Arm, series int) chart.StripRow {
	row := chart.StripRow{Label: arm.Name, Series: series, Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if at := slices.IndexFunc(f.Results, func(r lab.Result) bool { return r.Arm == arm.Name && r.Metric == m.Name }); at >= 0 && f.Results[at].N > 0 {
		row.Median, row.Low, row.High = f.Results[at].Median, f.Results[at].CILow, f.Results[at].CIHigh
	}
	records := slices.Clone(f.Records[arm.Name])
	for _, r := range f.Void {
		if r.Arm == arm.Name {
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b lab.Record) int { return a.Block - b.Block })
	for _, r := range records {
		v, ok := r.Values[m.Name]
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		tip := fmt.Sprintf("%s, block %d: %s %s", arm.Name, r.Block, number(v), m.Unit)
		if r.Void != "" {
			tip += "; void: " + r.Void
		} else if r.Disturbed != "" {
			tip += "; to be doubted: " + r.Disturbed
		}
		row.Dots = append(row.Dots, chart.Dot{Value: v, Void: r.Void != "", Tip: tip})
	}
	return row
}

func describe(rows []chart.StripRow, unit string) string {
	var told []string
	for _, r := range rows {
		void := 0
		for _, d := range r.Dots {
			if d.Void {
				void++
			}
		}
		told = append(told, fmt.Sprintf("%s: median %s %s (%s), %s, %d void.",
			r.Label, number(r.Median), unit, interval(r.Low, r.High, r.Median), plural(len(r.Dots)-void, "run"), void))
	}
	return strings.Join(told, " ")
}

// spread is a scale that shows how values differ: logarithmic from a factor of eight on, else linear, from zero if they differ by more than a factor
// of two. It spans a tenth of the values to both sides at least, so that mere noise does not look like a difference.
func spread(values []float64) chart.Scale {
	low, high := slices.Min(values), slices.Max(values)
	switch {
	case low > 0 && high > 8*low:
		return chart.Log(values...)
	case low > 0 && low < high/2:
		return chart.Linear(append(values, 0)...)
	}
	middle := (low + high) / 2
	return chart.Linear(append(values, 0.9*middle, 1.1*middle)...)
}

// failures is the table of requests that failed, by kind and arm; nil if none did.
func failures(f *lab.Findings) *lab.Table {
	kinds := map[string]map[string]int64{}
	t := &lab.Table{Title: "Requests that failed in the window, by kind", Columns: []string{"kind"}, Note: "Sums over the counted runs."}
	for _, arm := range f.Arms {
		t.Columns = append(t.Columns, arm.Name)
		for _, r := range f.Records[arm.Name] {
			for kind, n := range r.Errors {
				if n == 0 {
					continue
				}
				if kinds[kind] == nil {
					kinds[kind] = map[string]int64{}
				}
				kinds[kind][arm.Name] += n
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		row := []string{kind}
		for _, arm := range f.Arms {
			row = append(row, count(kinds[kind][arm.Name]))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// refused is the table of void and failed runs with their reasons.
func refused(f *lab.Findings) *lab.Table {
	t := &lab.Table{Title: "Runs that count for nothing", Columns: []string{"arm", "block", "attempt", "why"}}
	for _, r := range slices.Concat(f.Void, f.Failed) {
		why := "void: " + r.Void
		if r.Failed != "" {
			why = "failed: " + r.Failed
		}
		for _, id := range slices.Sorted(maps.Keys(r.Violations)) {
			why += "; " + id + " broken " + plural(r.Violations[id], "time")
		}
		for _, told := range r.Told[:min(3, len(r.Told))] {
			why += "; " + told
		}
		t.Rows = append(t.Rows, []string{r.Arm, count(r.Block), count(r.Attempt), why})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}
