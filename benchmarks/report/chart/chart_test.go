package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestTicksAreRoundAndInOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		scale Scale
		want  string
	}{
		{"from zero", Linear(0, 47), "0 10 20 30 40 50"},
		{"small", Linear(0, 0.042), "0 0.01 0.02 0.03 0.04 0.05"},
		{"negative", Linear(-3, 4), "−4 −2 0 2 4"},
		{"thousands", Linear(0, 40000), "0 10k 20k 30k 40k"},
		{"one value", Linear(8), "0 2 4 6 8 10"},
		{"none", Linear(), "0 0.2 0.4 0.6 0.8 1.0"},
		{"not a number", Linear(math.NaN(), math.Inf(1), 0, 10), "0 2 4 6 8 10"},
		{"one decade", Log(1, 10), "1 2 5 10"},
		{"under one", Log(0.2, 3), "0.2 0.5 1 2 5"},
		{"many decades", Log(1, 1e6), "1 10 100 1000 10k 100k 1M"},
		{"nothing positive", Log(-1, 0), "1 2 5 10"},
		{"a spectrum", Tail(0.9991), "0 50 90 99 99.9"},
		{"a short spectrum", Tail(0.95), "0 50 90"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var labels []string
			last := math.Inf(-1)
			for _, tick := range c.scale.Ticks(6) {
				if tick.Value <= last {
					t.Errorf("%v comes after %v", tick.Value, last)
				}
				last = tick.Value
				if tick.Label != "" {
					labels = append(labels, tick.Label)
				}
			}
			if got := strings.Join(labels, " "); got != c.want {
				t.Errorf("ticks %q, want %q", got, c.want)
			}
		})
	}
}

func TestScalesHoldTheirValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		values := make([]float64, 1+random.IntN(5))
		for i := range values {
			values[i] = math.Pow(10, 8*random.Float64()-4)
		}
		slices.Sort(values)
		for name, s := range map[string]Scale{"linear": Linear(values...), "log": Log(values...)} {
			if s.Min > values[0]*(1+1e-9) && s.Min > values[0] || s.Max < values[len(values)-1]*(1-1e-9) || s.Min >= s.Max {
				t.Fatalf("%s scale %v to %v does not hold %v", name, s.Min, s.Max, values)
			}
			for i, v := range values {
				if at := s.At(v); at < 0 || at > 1 || i > 0 && at < s.At(values[i-1]) {
					t.Fatalf("%s: %v lies at %v", name, v, at)
				}
			}
		}
	}
}

func TestASpectrumGivesEachNineTheSameRoom(t *testing.T) {
	s := Tail(0.9999)
	for i, q := range []float64{0, 0.9, 0.99, 0.999, 0.9999} {
		if at, want := s.At(q), float64(i)/4; math.Abs(at-want) > 1e-9 {
			t.Errorf("%v lies at %v, want %v", q, at, want)
		}
	}
	if s.Takes(1) || s.Takes(-0.1) || !s.Takes(0) {
		t.Error("a spectrum takes quantiles from 0 up to, and not, 1")
	}
}

func TestLabelsAreSpreadApart(t *testing.T) {
	at := []float64{10, 10, 11, 50, 99}
	spread(at, 0, 100, 13)
	if at[0] < 0 || at[4] > 100 {
		t.Errorf("labels leave the chart: %v", at)
	}
	for i := 1; i < len(at); i++ {
		if at[i]-at[i-1] < 13-1e-9 {
			t.Errorf("labels %d and %d touch: %v", i-1, i, at)
		}
	}
	if at[3] != 50 {
		t.Errorf("a label with room enough moved to %v", at[3])
	}
	crowded := make([]float64, 30)
	spread(crowded, 0, 100, 13)
	if crowded[0] < -1e-9 || crowded[29] > 100+1e-9 {
		t.Errorf("many labels leave the chart: %v", crowded)
	}
}

func TestLongNamesKeepTheirEnd(t *testing.T) {
	got := short("a-rather-long-name-of-an-arm-11", 90)
	if width(got) > 90 || !strings.HasPrefix(got, "a-ra") || !strings.HasSuffix(got, "-11") || !strings.Contains(got, "…") {
		t.Errorf("cut to %q", got)
	}
}

// awkward are numbers of which some cannot be drawn.
func awkward(random *rand.Rand) float64 {
	switch random.IntN(8) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*random.IntN(2))
	case 2:
		return 0
	case 3:
		return -random.Float64()
	}
	return math.Pow(10, 12*random.Float64()-6)
}

const hostile = "</title></svg><script>alert(1)</script> \"'& \x00\xff"

func TestWhateverIsDrawnIsGoodXML(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 3))
	for i := range 200 {
		v := func() float64 { return awkward(random) }
		var points []Point
		var intervals []Interval
		var values []float64
		for range random.IntN(12) {
			points = append(points, Point{v(), v()})
			intervals = append(intervals, Interval{v(), v(), v(), v()})
			values = append(values, v())
		}
		scales := []Scale{Linear(values...), Log(values...), Tail(0.999)}
		x, y := Axis{Scale: scales[random.IntN(3)], Label: hostile}, Axis{Scale: scales[random.IntN(2)], Label: hostile, Suffix: "×"}
		pictures := []template.HTML{
			Plane{Title: hostile, Description: hostile, X: x, Y: y, Marks: []Mark{Band{i, intervals}, Line{Series: i, Points: points, Label: hostile, Marked: points},
				Dots{i, points, hostile}, Whiskers{i, intervals}, Rule{v(), true, hostile}, Rule{v(), false, hostile}}}.SVG(),
			Bars{Title: hostile, X: y, Rows: []Bar{{Label: hostile, Total: hostile, Segments: []Segment{{Series: i, Value: v(), Hatched: true, Text: hostile, Tip: hostile}, {Value: v()}}}}}.SVG(),
			Strip{Title: hostile, X: y, Rows: []StripRow{{Label: hostile, Series: i, Dots: []Dot{{v(), false, hostile}, {v(), true, hostile}}, Median: v(), Low: v(), High: v()}}}.SVG(),
			NewForest(values...).Ratio(i, hostile, v(), v(), v()), NewForest(values...).Axis(), NewForest().Baseline(hostile), Key(i),
		}
		for _, p := range pictures {
			if err := wellFormed(string(p)); err != nil {
				t.Fatalf("%v in %s", err, p)
			}
		}
	}
}

// wellFormed checks that a picture is XML of known elements, without a number that is none.
func wellFormed(s string) error {
	known := []string{"svg", "title", "desc", "path", "rect", "text", "g"}
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := token.(xml.StartElement); ok {
			if !slices.Contains(known, e.Name.Local) {
				return fmt.Errorf("element %q", e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					return fmt.Errorf("attribute %s is %q", a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestAPictureSaysWhatItShows(t *testing.T) {
	svg := string(Plane{Title: "p99 against rate", Description: "monolith: 12 ms at 10 per second", X: Axis{Scale: Linear(0, 1)}, Y: Axis{Scale: Linear(0, 1)}}.SVG())
	for _, want := range []string{`role="img"`, "<title>p99 against rate</title>", "<desc>monolith: 12 ms at 10 per second</desc>"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is missing in %s", want, svg)
		}
	}
}

func TestALineBreaksWhereNothingCanBeDrawn(t *testing.T) {
	svg := string(Plane{X: Axis{Scale: Linear(0, 4)}, Y: Axis{Scale: Log(1, 10)}, Marks: []Mark{Line{Points: []Point{{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}}}}}.SVG())
	_, line, ok := strings.Cut(svg, `<path class="line" d="`)
	if !ok {
		t.Fatalf("no line in %s", svg)
	}
	line, _, _ = strings.Cut(line, `"`)
	if moves, joins := strings.Count(line, "M"), strings.Count(line, "L"); moves != 2 || joins != 2 {
		t.Errorf("%d pieces and %d joins in %q, want 2 and 2", moves, joins, line)
	}
}

func TestManySeriesDiffer(t *testing.T) {
	seen := map[string]int{}
	for i := range 24 {
		looks := Series(i) + marker(i, 0, 0, 3)
		if other, ok := seen[looks]; ok {
			t.Errorf("series %d looks like %d", i, other)
		}
		seen[looks] = i
	}
}

func TestVoidRunsAreCrossedOut(t *testing.T) {
	svg := string(Strip{X: Axis{Scale: Linear(0, 10)}, Rows: []StripRow{{Label: "a", Dots: []Dot{{Value: 1, Tip: "block 1"}, {Value: 2, Void: true, Tip: "late"}}, Median: 1, Low: 1, High: 1}}}.SVG())
	if strings.Count(svg, `class="run"`) != 1 || strings.Count(svg, `class="void"`) != 1 || !strings.Contains(svg, "<title>late</title>") {
		t.Errorf("want one run and one void run with its reason: %s", svg)
	}
}

func TestTheLabelOfARuleStandsWhereNothingIsDrawn(t *testing.T) {
	// The curve runs up beside the rule, so that there is no room at its top.
	p := Plane{Width: 460, Height: 260, X: Axis{Scale: Linear(0, 10)}, Y: Axis{Scale: Linear(0, 10)}, Marks: []Mark{
		Rule{At: 5, Vertical: true, Label: "knee: 5 /s"}, Line{Points: []Point{{0, 9}, {10, 9.9}}}, Line{Points: []Point{{0, 8}, {10, 7}}}}}
	svg := string(p.SVG())
	_, label, ok := strings.Cut(svg, `<text class="note" x="`)
	var x, y float64
	if _, err := fmt.Sscanf(label, `%f" y="%f"`, &x, &y); !ok || err != nil {
		t.Fatalf("no label: %v in %s", err, svg)
	}
	if y < 130 {
		t.Errorf("the label stands at %v, among the curves", y)
	}
}
