package report

import (
	"html/template"
	"math"
	"slices"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
	"kerf/benchmarks/stats"
)

// resultsTable is what is known of an experiment's metrics, arm by arm.
type resultsTable struct {
	ID, Title, Outcome string
	Axis               template.HTML
	Metrics            []metricRows
}

type metricRows struct {
	Label, Unit, Sense string
	Rows               []resultRow
	// Without are the arms of which nothing is known.
	Without string
	// Span is the number of lines that the metric takes.
	Span int
}

// resultRow is one arm's: the texts of its cells.
type resultRow struct {
	Key                  template.HTML
	Arm, Label           string
	Median, Interval, N  string
	Ratio, RatioInterval string
	// Word judges the ratio: worse, better, more, less, not told apart. Class is bad, good, other or none.
	Word, Class string
	Plot        template.HTML
}

// results makes the table of all metrics, or of the headline metrics only.
func results(f *lab.Findings, headlineOnly bool) resultsTable {
	t := resultsTable{ID: f.Experiment.ID, Title: f.Experiment.Title, Outcome: string(f.Conclusion.Outcome)}
	shown := func(m lab.Metric) bool { return m.Headline || !headlineOnly }
	var ratios []float64
	for _, m := range f.Experiment.Metrics {
		for _, r := range f.Results {
			if r.Metric == m.Name && shown(m) && r.Ratio != nil {
				ratios = append(ratios, *r.Ratio, value(r.RatioCILow), value(r.RatioCIHigh))
			}
		}
	}
	forest := chart.NewForest(ratios...)
	t.Axis = forest.Axis()
	for _, m := range f.Experiment.Metrics {
		if !shown(m) {
			continue
		}
		if rows, without := metricOf(f, m, forest); rows != nil {
			t.Metrics = append(t.Metrics, metricRows{Label: m.Label, Unit: unit(m.Unit), Sense: sense(m), Rows: rows,
				Without: list(without), Span: len(rows) + b2i(len(without) > 0)})
		}
	}
	return t
}

func sense(m lab.Metric) string {
	switch {
	case m.Neutral:
		return ""
	case m.More:
		return "more is better"
	}
	return "less is better"
}

// metricOf is a row for each arm of which something is known, and the names of the others.
func metricOf(f *lab.Findings, m lab.Metric, forest chart.Forest) (rows []resultRow, without []string) {
	for i, arm := range f.Arms {
		at := slices.IndexFunc(f.Results, func(r lab.Result) bool { return r.Arm == arm.Name && r.Metric == m.Name })
		if at < 0 || f.Results[at].N == 0 {
			without = append(without, arm.Name)
			continue
		}
		row := resultRow{Key: chart.Key(i), Arm: arm.Name, Label: arm.Label, Class: "none"}
		row.fill(f, m, f.Results[at], i, forest)
		rows = append(rows, row)
	}
	return rows, without
}

func (row *resultRow) fill(f *lab.Findings, m lab.Metric, r lab.Result, series int, forest chart.Forest) {
	row.Median, row.N = number(r.Median), count(r.N)
	if each := samples(f.Records[r.Arm], m.Name); each > 0 {
		row.N += " × " + count(each)
	}
	if r.N > 1 {
		row.Interval = interval(r.CILow, r.CIHigh, r.Median)
	} else {
		row.Interval = "one run"
	}
	if r.Baseline {
		row.Word = "baseline"
		row.Plot = forest.Baseline("baseline")
		return
	}
	if r.Ratio == nil {
		row.Word = "no ratio"
		return
	}
	row.Ratio, row.RatioInterval = times(*r.Ratio), interval(value(r.RatioCILow), value(r.RatioCIHigh), *r.Ratio)
	row.Word, row.Class = judge(m, r)
	row.Plot = forest.Ratio(series, r.Arm+": "+row.Ratio+" ("+row.RatioInterval+"), "+row.Word, *r.Ratio, value(r.RatioCILow), value(r.RatioCIHigh))
}

// judge puts a ratio into a word.
func judge(m lab.Metric, r lab.Result) (word, class string) {
	more := *r.Ratio > 1
	switch {
	case !r.Different:
		return "not told apart", "none"
	case m.Neutral && more:
		return "more", "other"
	case m.Neutral:
		return "less", "other"
	case more == m.More:
		return "better", "good"
	}
	return "worse", "bad"
}

// samples is the median over runs of the number of observations behind a value, 0 if it is not made of many.
func samples(records []lab.Record, metric string) int64 {
	var each []float64
	for _, r := range records {
		if n, ok := r.Samples[metric]; ok {
			each = append(each, float64(n))
		}
	}
	if len(each) == 0 {
		return 0
	}
	return int64(stats.Median(each))
}

// value is what is pointed at, NaN if nothing is.
func value(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}
