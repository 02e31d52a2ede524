package report

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
)

// section is one experiment's.
type section struct {
	ID, Title, Question, Hypothesis string
	Verdict, Outcome, Class, Mark   string
	Incomplete                      bool
	Arms                            []armRow
	Results                         resultsTable
	Tables                          []lab.Table
	Found                           []figure // of its own conclusion
	Standard                        []figure
	Appendix                        []lab.Table
	Published                       []lab.Finding
	Remarks, Notes                  []string
	Refused                         *lab.Table
	Failures                        *lab.Table
	NoFailures                      string
}

type armRow struct {
	Key                   template.HTML
	Name, Label, Topology string
	Kfake, Baseline       bool
	N, Steadiness         string
	Disturbed             int
	Void, Failed          int
}

func newSection(f *lab.Findings) section {
	e := f.Experiment
	s := section{ID: e.ID, Title: e.Title, Question: e.Question, Hypothesis: e.Hypothesis, Incomplete: f.Incomplete,
		Results: results(f, false), Tables: f.Conclusion.Tables, Published: e.Published, Remarks: f.Conclusion.Remarks, Notes: f.Notes,
		Refused: refused(f), Failures: failures(f)}
	s.Verdict, s.Outcome, s.Class, s.Mark = concluded(f)
	for i, arm := range f.Arms {
		s.Arms = append(s.Arms, newArmRow(f, i, arm))
	}
	for _, fig := range f.Conclusion.Figures {
		if drawn, ok := plane(f, fig); ok {
			s.Found = append(s.Found, drawn)
		}
	}
	if runs, ok := everyRun(f); ok {
		s.Standard = append(s.Standard, runs)
	}
	spectra, distributions := spectra(f)
	used := consumptions(f)
	for _, fig := range resources(used) {
		if fig.Panels != nil {
			s.Standard = append(s.Standard, fig)
		}
	}
	s.Standard = append(s.Standard, spectra...)
	s.Standard = append(s.Standard, overTime(f)...)
	for _, t := range []*lab.Table{distributions, everyProcess(used)} {
		if t != nil {
			s.Appendix = append(s.Appendix, *t)
		}
	}
	if s.Failures == nil && len(used) > 0 {
		s.NoFailures = "No request failed in the window of any run that counts."
	}
	return s
}

func newArmRow(f *lab.Findings, i int, arm lab.Arm) armRow {
	row := armRow{Key: chart.Key(i), Name: arm.Name, Label: arm.Label, Topology: arm.Topology, Kfake: arm.Kfake, Baseline: i == 0, N: count(len(f.Records[arm.Name]))}
	var t tally
	for _, r := range f.Records[arm.Name] {
		t.add(r)
	}
	row.Steadiness, row.Disturbed = t.states(), t.disturbed
	for _, r := range f.Void {
		row.Void += b2i(r.Arm == arm.Name)
	}
	for _, r := range f.Failed {
		row.Failed += b2i(r.Arm == arm.Name)
	}
	return row
}

// states are the runs by how steady they were: 4 steady, 1 not, 1 too noisy.
func (t tally) states() string {
	var parts []string
	for _, state := range []struct {
		n    int
		name string
	}{{t.steady, "steady"}, {t.unsteady, "not"}, {t.noisy, "too noisy"}} {
		if state.n > 0 {
			parts = append(parts, count(state.n)+nbsp+state.name)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), missing)
}

// plane draws a figure of an experiment's conclusion. Curves whose labels begin with an arm’s get its colour and marker. Many long curves would cover
// each other: each gets a panel of its own.
func plane(f *lab.Findings, fig lab.Figure) (figure, bool) {
	var xs, ys []float64
	longest := 0
	for _, c := range fig.Curves {
		for _, p := range c.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y, p.Low, p.High)
		}
		longest = max(longest, len(c.Points))
	}
	if longest == 0 {
		return figure{}, false
	}
	for _, l := range fig.Lines {
		if l.Vertical {
			xs = append(xs, l.At)
		} else {
			ys = append(ys, l.At)
		}
	}
	p := chart.Plane{Title: fig.Title, Description: fig.Note, Height: 290,
		X: chart.Axis{Scale: across(fig.LogX, xs), Label: fig.XLabel}, Y: chart.Axis{Scale: axis(fig.LogY, ys), Label: fig.YLabel}}
	for _, l := range fig.Lines {
		p.Marks = append(p.Marks, chart.Rule{At: l.At, Vertical: l.Vertical, Label: l.Label})
	}
	drawn := figure{Title: fig.Title, Says: fig.Note}
	curves := named(f, fig.Curves)
	if len(curves) > manyCurves && longest > manyPoints {
		drawn.Wide = true
		for _, c := range curves {
			alone := p
			alone.Title, alone.Width, alone.Height = fig.Title+": "+c.Label, 330, 150
			title := escaped(c.Label)
			c.Label = ""
			alone.Marks = append(slices.Clone(p.Marks), c.marks()...)
			drawn.Panels = append(drawn.Panels, panel{Title: title, SVG: alone.SVG()})
		}
		return drawn, true
	}
	for _, c := range curves {
		p.Marks = append(p.Marks, c.marks()...)
	}
	drawn.Panels = []panel{{SVG: p.SVG()}}
	return drawn, true
}

// From so many curves and points on a figure is drawn in panels; a curve of so many points has a band instead of whiskers, and no markers.
const (
	manyCurves = 5
	manyPoints = 15
)

// namedCurve is a curve that knows its series.
type namedCurve struct {
	lab.Curve
	series int
}

// named gives the curves their series, and the arms' names for their labels.
func named(f *lab.Findings, curves []lab.Curve) []namedCurve {
	next := 1
	for _, c := range curves {
		if i, _ := armOf(f, c.Label); i >= 0 {
			next = len(f.Arms)
		}
	}
	all := make([]namedCurve, 0, len(curves))
	for _, c := range curves {
		series, label := armOf(f, c.Label)
		if series < 0 {
			series = next
			next++
		}
		c.Label = label
		all = append(all, namedCurve{c, series})
	}
	return all
}

// armOf finds the arm whose label or name a curve's label begins with, -1 if there is none, and puts the arm's name in place of its label, which is
// longer than there is room for.
func armOf(f *lab.Findings, label string) (series int, short string) {
	series, short = -1, label
	longest := 0
	for i, arm := range f.Arms {
		for _, known := range []string{arm.Label, arm.Name} {
			if rest, ok := strings.CutPrefix(label, known); ok && len(known) > longest {
				series, short, longest = i, arm.Name+rest, len(known)
			}
		}
	}
	return series, short
}

func (c namedCurve) marks() []chart.Mark {
	var points []chart.Point
	var intervals []chart.Interval
	some := false
	for _, p := range c.Points {
		points = append(points, chart.Point{X: p.X, Y: p.Y})
		intervals = append(intervals, chart.Interval{X: p.X, Y: p.Y, Low: p.Low, High: p.High})
		some = some || p.Low < p.High
	}
	many := len(points) > manyPoints
	line := chart.Line{Series: c.series, Points: points, Dashed: c.Dashed, Label: c.Label}
	if !c.Dashed && !many {
		line.Marked = points
	}
	whiskers := chart.Whiskers{Series: c.series, Intervals: intervals}
	switch {
	case c.Scattered && some:
		return []chart.Mark{chart.Dots{Series: c.series, Points: points, Label: c.Label}, whiskers}
	case c.Scattered:
		return []chart.Mark{chart.Dots{Series: c.series, Points: points, Label: c.Label}}
	case some && many:
		return []chart.Mark{chart.Band{Series: c.series, Intervals: intervals}, line}
	case some:
		return []chart.Mark{line, whiskers}
	}
	return []chart.Mark{line}
}

// axis is a scale that holds the values, from zero if it is linear and that costs no more than half of it.
func axis(logarithmic bool, values []float64) chart.Scale {
	if logarithmic {
		return chart.Log(values...)
	}
	if low, high := slices.Min(values), slices.Max(values); low > 0 && low < high/2 {
		return chart.Linear(append(values, 0)...)
	}
	return chart.Linear(values...)
}

// across is axis without the room that round ends take.
func across(logarithmic bool, values []float64) chart.Scale {
	s := axis(logarithmic, values)
	if low, high := slices.Min(values), slices.Max(values); !logarithmic && high > low {
		s.Max = high + (high-low)/40 // so that the last mark is whole
		if s.Min < 0 || low > 0 && s.Min > 0 {
			s.Min = low
		}
	}
	return s
}
