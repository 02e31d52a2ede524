package report

import (
	"cmp"
	"html/template"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
	"kerf/benchmarks/stats"
)

// isPercentile are the series whose unit is a millisecond by their name.
var isPercentile = regexp.MustCompile(`^(p\d+(\.\d+)?|min|max|mean)$`)

// overTime are the series of the records, second by second: one figure for each quantity, one panel for each arm, all panels on one scale.
func overTime(f *lab.Findings) []figure {
	groups := map[string][]string{}
	for _, records := range f.Records {
		for _, r := range records {
			for name := range r.Series {
				of, part, _ := strings.Cut(name, "/")
				if part != "" && !isPercentile.MatchString(part) {
					continue // the experiment's own, which its conclusion draws
				}
				if !slices.Contains(groups[of], part) {
					groups[of] = append(groups[of], part)
				}
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(groups), func(a, b string) int { return cmp.Or(rank(f, a)-rank(f, b), strings.Compare(a, b)) })
	var figures []figure
	for _, of := range names {
		parts := groups[of]
		slices.SortFunc(parts, func(a, b string) int { return cmp.Or(order(a)-order(b), strings.Compare(a, b)) })
		if fig, ok := secondBySecond(f, of, parts); ok && len(figures) < most {
			figures = append(figures, fig)
		}
	}
	return figures
}

// order puts percentiles before the maximum.
func order(part string) int { return b2i(part == "max") }

// track is a series of an arm over its runs: the median of each second, with the range.
type track struct {
	part      string
	intervals []chart.Interval
	runs      int
}

func secondBySecond(f *lab.Findings, of string, parts []string) (figure, bool) {
	tracks := make([][]track, len(f.Arms))
	var xs, ys []float64
	runs := 0
	for i, arm := range f.Arms {
		for _, part := range parts {
			t := trackOf(f.Records[arm.Name], strings.TrimSuffix(of+"/"+part, "/"), part)
			if len(t.intervals) < 2 {
				continue
			}
			for _, v := range t.intervals {
				xs, ys = append(xs, v.X), append(ys, v.Low, v.High)
			}
			runs = max(runs, t.runs)
			tracks[i] = append(tracks[i], t)
		}
	}
	if greatest(ys) <= 0 {
		return figure{}, false // nothing, or a series of zeros, such as errors that did not happen
	}
	label, says := words(of), "The line is the median over up to "+plural(runs, "run")+" of each second of the window, the band their range."
	if isPercentile.MatchString(parts[0]) {
		label = "ms"
	}
	scale := fit(ys, 25)
	if scale.Logarithmic() {
		label += ", logarithmic"
	}
	fig := figure{Title: "“" + words(of) + "”, second by second", Says: says, Wide: true}
	x := chart.Axis{Scale: span(xs), Label: "second of the window"}
	for i, arm := range f.Arms {
		if tracks[i] == nil {
			continue
		}
		p := chart.Plane{Title: arm.Name + ": " + fig.Title, Width: 330, Height: 170, X: x, Y: chart.Axis{Scale: scale, Label: label}}
		for j, t := range tracks[i] {
			p.Marks = append(p.Marks, chart.Band{Series: i, Intervals: t.intervals})
			line := chart.Line{Series: i, Thin: j > 0, Dashed: j > 0}
			if len(tracks[i]) > 1 {
				line.Label = t.part
			}
			for _, v := range t.intervals {
				line.Points = append(line.Points, chart.Point{X: v.X, Y: v.Y})
			}
			p.Marks = append(p.Marks, line)
		}
		fig.Panels = append(fig.Panels, panel{Title: chart.Key(i) + template.HTML(template.HTMLEscapeString(arm.Name)), SVG: p.SVG()})
	}
	return fig, true
}

func trackOf(records []lab.Record, name, part string) track {
	bySecond := map[float64][]float64{}
	t := track{part: part}
	for _, r := range records {
		if len(r.Series[name]) > 0 {
			t.runs++
		}
		for _, p := range r.Series[name] {
			bySecond[p.X] = append(bySecond[p.X], p.Y)
		}
	}
	for _, x := range slices.Sorted(maps.Keys(bySecond)) {
		ys := bySecond[x]
		t.intervals = append(t.intervals, chart.Interval{X: x, Y: stats.Median(ys), Low: slices.Min(ys), High: slices.Max(ys)})
	}
	return t
}

// span is a linear scale that ends where the values do.
func span(values []float64) chart.Scale {
	s := chart.Linear(values...)
	s.Min, s.Max = slices.Min(values), slices.Max(values)
	if s.Min >= s.Max {
		s.Max = s.Min + 1
	}
	return s
}

func greatest(values []float64) float64 {
	high := math.Inf(-1)
	for _, v := range values {
		high = max(high, v)
	}
	return high
}

// words makes a name readable: cpu_ms_per_request is "CPU ms per request".
func words(name string) string {
	s := strings.ReplaceAll(name, "_", " ")
	for _, short := range []string{"cpu", "pss", "usl"} {
		if rest, ok := strings.CutPrefix(s, short+" "); ok {
			s = strings.ToUpper(short) + " " + rest
		}
	}
	return s
}
