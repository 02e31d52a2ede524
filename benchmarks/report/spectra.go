package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
)

// figure is a chart, or several of one kind, with what it shows.
type figure struct {
	Title string
	// Says is what is drawn: unit, interval, n.
	Says   string
	Legend []legend
	Panels []panel
	Table  *lab.Table
	// Wide figures take the whole width.
	Wide bool
}

type panel struct {
	Title template.HTML
	SVG   template.HTML
}

type legend struct {
	Series  int
	Hatched bool
	Label   string
}

// pooled is a distribution of all counted runs of an arm together.
type pooled struct {
	arm, runs int
	name      string
	h         *hdrhistogram.Histogram
}

// A percentile needs this many observations beyond it: 300 for p99 and 3,000 for p99.9. A median needs ten times as many.
const beyond = 3

// allows says whether so many observations can tell this quantile.
func allows(n int64, quantile float64) bool {
	return n >= 10*beyond && float64(n)*(1-quantile) >= beyond-1e-6
}

// furthest is the highest quantile that so many observations can tell.
func furthest(n int64) float64 { return 1 - beyond/float64(max(n, 10*beyond)) }

// pool merges the distributions of all counted runs, arm by arm. What cannot be decoded is left out: the figure's n tells.
func pool(f *lab.Findings, key string) []pooled {
	var all []pooled
	for i, arm := range f.Arms {
		p := pooled{arm: i, name: arm.Name, h: hdrhistogram.New(1, 600_000_000, 3)}
		for _, r := range f.Records[arm.Name] {
			s, ok := r.Spectra[key]
			if !ok {
				continue
			}
			if h, err := hdrhistogram.Decode([]byte(s.HDR)); err == nil {
				p.h.Merge(h)
				p.runs++
			}
		}
		if p.h.TotalCount() > 0 {
			all = append(all, p)
		}
	}
	return all
}

// spectrumKeys are the distributions that the records have, what matters most first.
func spectrumKeys(f *lab.Findings) []string {
	keys := map[string]bool{}
	for _, records := range f.Records {
		for _, r := range records {
			for key := range r.Spectra {
				keys[key] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		return cmp.Or(rank(f, a)-rank(f, b), strings.Compare(a, b))
	})
}

// rank puts first what the experiment's headline metrics are about, then what its others are about, by the metrics' names; all requests together last.
// Of one operation response time comes first, then service time, then lateness.
func rank(f *lab.Findings, key string) int {
	op, kind, _ := strings.Cut(key, "/")
	metrics := f.Experiment.Metrics
	at := slices.IndexFunc(metrics, func(m lab.Metric) bool { return m.Headline && strings.HasPrefix(m.Name, op+"_") })
	if at < 0 {
		at = 200 + slices.IndexFunc(metrics, func(m lab.Metric) bool { return strings.HasPrefix(m.Name, op+"_") })
	}
	switch {
	case op == "all":
		at = 900
	case at == 199:
		at = 800
	}
	return at + 1000*max(0, slices.Index([]string{"response", "service", "lateness"}, kind))
}

// most is how many operations get charts of their own; the others stand in the tables.
const most = 4

// spectra are the percentile spectra of what was asked, and one table of all distributions.
func spectra(f *lab.Findings) (figures []figure, table *lab.Table) {
	for _, key := range spectrumKeys(f) {
		all := pool(f, key)
		if len(all) == 0 {
			continue
		}
		table = spectrumRows(table, key, all)
		op, kind, _ := strings.Cut(key, "/")
		if kind == "service" || kind == "lateness" || len(figures) == most || op == "all" && len(figures) > 0 {
			continue
		}
		if fig, ok := spectrum(key, all); ok {
			figures = append(figures, fig)
		}
	}
	return figures, table
}

// spectrum draws one distribution of each arm by −log10(1−q), as far as its count allows.
func spectrum(key string, all []pooled) (figure, bool) {
	var values []float64
	var said []string
	reach, smallest, largest := 0.5, int64(math.MaxInt64), int64(0)
	lines := make([]chart.Line, 0, len(all))
	for _, p := range all {
		n := p.h.TotalCount()
		if n < 10*beyond {
			continue
		}
		line := chart.Line{Series: p.arm, Label: p.name}
		end := -math.Log10(1 - furthest(n))
		for i := range 81 {
			q := max(0.05, 1-math.Pow(10, -end*float64(i)/80))
			line.Points = append(line.Points, chart.Point{X: q, Y: float64(p.h.ValueAtQuantile(100*q)) / 1000})
			values = append(values, line.Points[i].Y)
		}
		said = append(said, p.name+":")
		for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 0.9999} {
			if allows(n, q) {
				ms := float64(p.h.ValueAtQuantile(100*q)) / 1000
				line.Marked = append(line.Marked, chart.Point{X: q, Y: ms})
				said = append(said, fmt.Sprintf("p%g %s ms,", 100*q, number(ms)))
			}
		}
		said = append(said, "n "+count(n)+".")
		reach, smallest, largest = max(reach, furthest(n)), min(smallest, n), max(largest, n)
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return figure{}, false
	}
	title := "Percentiles of “" + distribution(key) + "”"
	p := chart.Plane{Title: title, Description: strings.Join(said, " "), Height: 280,
		X: chart.Axis{Scale: chart.Tail(reach), Label: "percentile; each nine takes the same room"},
		Y: chart.Axis{Scale: fit(values, 12), Label: "ms"}}
	if p.Y.Scale.Logarithmic() {
		p.Y.Label += ", logarithmic"
	}
	for _, line := range lines {
		p.Marks = append(p.Marks, line)
	}
	says := fmt.Sprintf("All counted runs pooled, n = %s", count(smallest))
	if largest > smallest {
		says += " to " + count(largest)
	}
	says += " by arm. Each curve goes from p5 to where fewer than three observations lie beyond."
	return figure{Title: title, Says: says, Panels: []panel{{SVG: p.SVG()}}}, true
}

// distribution names a distribution for readers: "place/response" is "place, response time".
func distribution(key string) string {
	op, kind, ok := strings.Cut(key, "/")
	op = words(op)
	if !ok {
		return op
	}
	if slices.Contains([]string{"response", "service"}, kind) {
		kind += " time"
	}
	return op + ", " + kind
}

// fit is a linear scale from zero, or a logarithmic one if the greatest value is more than so many times the least.
func fit(values []float64, logFrom float64) chart.Scale {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if high > logFrom*low {
		return chart.Log(values...)
	}
	return chart.Linear(append([]float64{0}, values...)...)
}

func spectrumRows(t *lab.Table, key string, all []pooled) *lab.Table {
	if t == nil {
		t = &lab.Table{Title: "Distributions, all counted runs pooled",
			Columns: []string{"of", "arm", "n", "runs", "p50, ms", "p90, ms", "p99, ms", "p99.9, ms", "max, ms"},
			Note: "Response time is done − intended, service time done − sent, lateness sent − intended: what the generator itself was late; scheduled are requests with an instant of their own, by which it is judged. " +
				"A dash stands where there are too few observations."}
	}
	for _, p := range all {
		row := []string{distribution(key), p.name, count(p.h.TotalCount()), count(p.runs)}
		for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
			cell := missing
			if allows(p.h.TotalCount(), q) {
				cell = number(float64(p.h.ValueAtQuantile(100*q)) / 1000)
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, append(row, number(float64(p.h.Max())/1000)))
	}
	return t
}
