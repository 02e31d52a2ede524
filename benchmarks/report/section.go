package report

import (
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
	N, Steady             string
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
	row := armRow{Key: chart.Key(i), Name: arm.Name, Label: arm.Label, Topology: arm.Topology, Kfake: arm.Kfake, Baseline: i == 0,
		N: count(len(f.Records[arm.Name])), Steady: missing}
	judged, steady := 0, 0
	for _, r := range f.Records[arm.Name] {
		if r.Steadiness != nil {
			judged++
			steady += b2i(r.Steadiness.Steady)
		}
	}
	if judged > 0 {
		row.Steady = count(steady) + " of " + count(judged)
	}
	for _, r := range f.Void {
		row.Void += b2i(r.Arm == arm.Name)
	}
	for _, r := range f.Failed {
		row.Failed += b2i(r.Arm == arm.Name)
	}
	return row
}

// plane draws a figure of an experiment's conclusion. Curves whose labels begin with an arm’s get its colour and marker.
func plane(f *lab.Findings, fig lab.Figure) (figure, bool) {
	var xs, ys []float64
	n := 0
	for _, c := range fig.Curves {
		for _, p := range c.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y, p.Low, p.High)
			n++
		}
	}
	if n == 0 {
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
		X: chart.Axis{Scale: axis(fig.LogX, xs), Label: fig.XLabel}, Y: chart.Axis{Scale: axis(fig.LogY, ys), Label: fig.YLabel}}
	for _, l := range fig.Lines {
		p.Marks = append(p.Marks, chart.Rule{At: l.At, Vertical: l.Vertical, Label: l.Label})
	}
	next := 1
	for _, c := range fig.Curves {
		if i, _ := armOf(f, c.Label); i >= 0 {
			next = len(f.Arms)
		}
	}
	for _, c := range fig.Curves {
		series, label := armOf(f, c.Label)
		if series < 0 {
			series = next
			next++
		}
		c.Label = label
		p.Marks = append(p.Marks, curve(c, series)...)
	}
	return figure{Title: fig.Title, Says: fig.Note, Panels: []panel{{SVG: p.SVG()}}}, true
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

func curve(c lab.Curve, series int) []chart.Mark {
	var points []chart.Point
	var whiskers []chart.Interval
	for _, p := range c.Points {
		points = append(points, chart.Point{X: p.X, Y: p.Y})
		if p.Low < p.High {
			whiskers = append(whiskers, chart.Interval{X: p.X, Y: p.Y, Low: p.Low, High: p.High})
		}
	}
	var marks []chart.Mark
	if c.Scattered {
		marks = append(marks, chart.Dots{Series: series, Points: points, Label: c.Label})
	} else {
		line := chart.Line{Series: series, Points: points, Dashed: c.Dashed, Label: c.Label}
		if !c.Dashed && len(points) <= 40 {
			line.Marked = points
		}
		marks = append(marks, line)
	}
	if len(whiskers) > 0 {
		marks = append(marks, chart.Whiskers{Series: series, Intervals: whiskers})
	}
	return marks
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
