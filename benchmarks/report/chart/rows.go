package chart

import (
	"html/template"
	"math"
	"slices"
)

// rowHead is the room for a row's name, at most.
const rowHead = 0.34

// Bars are rows of stacked bars.
type Bars struct {
	Title, Description string
	Width              float64 // 460 if zero
	X                  Axis
	Rows               []Bar
}

// Bar is one row; Total stands behind it.
type Bar struct {
	Label    string
	Segments []Segment
	Total    string
}

// Segment is a part of a bar. Text stands in it if there is room; Tip is what a pointer shows.
type Segment struct {
	Series    int
	Value     float64
	Hatched   bool
	Text, Tip string
}

// SVG draws the bars.
func (b Bars) SVG() template.HTML {
	names, totals := []string{}, 0.0
	for _, r := range b.Rows {
		names = append(names, r.Label)
		totals = max(totals, width(r.Total))
	}
	const height = 24.0
	f := newRows(b.Title, b.Description, b.Width, height, names, b.X, totals+8)
	for i, r := range b.Rows {
		top := f.top + float64(i)*height + 3
		f.name(i, r.Label)
		x := f.left
		sum := 0.0
		for _, s := range r.Segments {
			if !b.X.Scale.Takes(s.Value) || s.Value <= 0 {
				continue
			}
			sum += s.Value
			end := f.x(sum)
			f.segment(s, x, top, end-x, height-6)
			x = end
		}
		f.text("total", "start", x+6, top+height/2+1, r.Total)
	}
	return f.end()
}

func (f *rows) segment(s Segment, x, y, w, h float64) {
	f.group(Series(s.Series), s.Tip, func() {
		f.rect("bar", x, y, w, h)
		if s.Hatched {
			f.path("hatch", hatch(x, y, w, h))
		}
		if s.Text != "" && width(s.Text)+6 <= w {
			f.text("inside", "middle", x+w/2, y+h/2+4, s.Text)
		}
	})
}

// hatch are slanted lines in a rectangle. A pattern would need a name that is unique in the page.
func hatch(x, y, w, h float64) string {
	d := ""
	for from := x - h + 5; from < x+w; from += 5 {
		// The line goes from (from, y+h) up to (from+h, y); cut off what is left and right of the rectangle.
		begin, end := max(from, x), min(from+h, x+w)
		if begin < end {
			d += "M" + n(begin) + " " + n(y+h-(begin-from)) + "L" + n(end) + " " + n(y+h-(end-from))
		}
	}
	return d
}

// Strip are rows of dots: each run's value, with the median and its interval beneath.
type Strip struct {
	Title, Description string
	Width              float64 // 460 if zero
	X                  Axis
	Rows               []StripRow
}

// StripRow is one row. Its dots stand from top to bottom in the order in which they were made, so that a drift can be seen.
type StripRow struct {
	Label             string
	Series            int
	Dots              []Dot
	Median, Low, High float64 // NaN where there is none
}

// Dot is one value; a void one counts for nothing and is crossed out.
type Dot struct {
	Value float64
	Void  bool
	Tip   string
}

// SVG draws the strip.
func (s Strip) SVG() template.HTML {
	names := []string{}
	for _, r := range s.Rows {
		names = append(names, r.Label)
	}
	const height = 26.0
	f := newRows(s.Title, s.Description, s.Width, height, names, s.X, 14)
	for i, r := range s.Rows {
		top := f.top + float64(i)*height
		f.name(i, r.Label)
		f.line("grid", f.left, top+height/2, f.right, top+height/2)
		f.group(Series(r.Series), "", func() { f.strip(r, top+3, height-6) })
	}
	return f.end()
}

func (f *rows) strip(r StripRow, top, height float64) {
	takes := f.a.Scale.Takes
	if takes(r.Low) && takes(r.High) && r.Low < r.High {
		f.rect("between", f.x(r.Low), top, max(f.x(r.High)-f.x(r.Low), 1), height)
	}
	if takes(r.Median) {
		x := f.x(r.Median)
		f.line("median", x, top, x, top+height)
	}
	for i, dot := range r.Dots {
		if !takes(dot.Value) {
			continue
		}
		x, y := f.x(dot.Value), top+height/2
		if len(r.Dots) > 1 {
			y = top + 2 + float64(i)/float64(len(r.Dots)-1)*(height-4)
		}
		if dot.Void {
			f.group("void", dot.Tip, func() {
				f.path("line", "M"+n(x-3)+" "+n(y-3)+"l6 6M"+n(x-3)+" "+n(y+3)+"l6 -6")
			})
			continue
		}
		f.group("run", dot.Tip, func() { f.path("fill", marker(r.Series, x, y, 2.6)) })
	}
}

// rows is a chart of rows while it is drawn: names to the left, an axis below.
type rows struct {
	*canvas
	a                        Axis
	left, right, top, height float64
}

func newRows(title, description string, w, height float64, names []string, a Axis, after float64) *rows {
	if w == 0 {
		w = 460
	}
	head := 0.0
	for _, s := range names {
		head = max(head, width(s))
	}
	bottom := 4 + height*float64(len(names))
	full := bottom + 22
	if a.Label != "" {
		full += 14
	}
	f := &rows{canvas: picture(title, description, w, full, ""), a: a, left: min(head+8, w*rowHead), right: w - after, top: 4, height: height}
	for _, t := range a.Scale.Ticks(max(2, int((f.right-f.left)/60))) {
		if t.Label != "" {
			x := f.x(t.Value)
			f.line("grid", x, f.top, x, bottom)
		}
	}
	f.line("axis", f.left, bottom, f.right, bottom)
	f.xTicks(bottom, f.left, f.right, a)
	if a.Label != "" {
		f.text("label", "end", f.right, full-3, short(a.Label, w-after))
	}
	return f
}

func (f *rows) x(v float64) float64 { return f.left + f.a.Scale.At(v)*(f.right-f.left) }

func (f *rows) name(i int, s string) {
	y := f.top + (float64(i)+0.5)*f.height + 4
	cut := short(s, f.left-8)
	if cut == s {
		f.text("tick", "end", f.left-8, y, s)
		return
	}
	f.group("", s, func() { f.text("tick", "end", f.left-8, y, cut) })
}

// Forest draws ratios in the cells of a table, all on one logarithmic scale.
type Forest struct{ Scale Scale }

const (
	forestWidth  = 190.0
	forestHeight = 20.0
)

// NewForest is a forest that holds all the ratios, and from 0.8 to 1.25 at least.
func NewForest(ratios ...float64) Forest {
	low, high := extent(ratios, func(v float64) bool { return v > 0 })
	if low <= 0 {
		low, high = 1, 1
	}
	low, high = min(low, 0.8), max(high, 1.25)
	margin := math.Pow(high/low, 0.04)
	return Forest{LogBetween(low/margin, high*margin)}
}

func (f Forest) x(v float64) float64 { return 6 + f.Scale.At(v)*(forestWidth-12) }

// Ratio is the picture of one ratio with its interval, the line of no change and the band of ±5 %.
func (f Forest) Ratio(series int, title string, ratio, low, high float64) template.HTML {
	c := f.cell(title)
	if !f.Scale.Takes(ratio) {
		return c.end()
	}
	mid := forestHeight / 2
	c.group(Series(series), "", func() {
		if f.Scale.Takes(low) && f.Scale.Takes(high) && low < high {
			c.path("line thin", "M"+n(f.x(low))+" "+n(mid)+"L"+n(f.x(high))+" "+n(mid)+"M"+n(f.x(low))+" "+n(mid-3)+"v6M"+n(f.x(high))+" "+n(mid-3)+"v6")
		}
		c.path("fill", marker(series, f.x(ratio), mid, 3.6))
	})
	return c.end()
}

// Baseline is the cell of the arm that the others are compared with.
func (f Forest) Baseline(title string) template.HTML {
	c := f.cell(title)
	c.group(Series(0), "", func() { c.path("fill", marker(0, f.x(1), forestHeight/2, 3.6)) })
	return c.end()
}

func (f Forest) cell(title string) *canvas {
	c := picture(title, "", forestWidth, forestHeight, " forest")
	c.rect("same", f.x(0.95), 0, f.x(1.05)-f.x(0.95), forestHeight)
	c.line("axis", f.x(1), 0, f.x(1), forestHeight)
	return c
}

// Axis is the head of the forest's column: its ticks, the more telling ones first where there is not room for all.
func (f Forest) Axis() template.HTML {
	c := picture("scale of the ratios, logarithmic", "", forestWidth, forestHeight, " forest")
	type taken struct{ from, to float64 }
	var labels []taken
	for _, v := range []float64{1, 10, 0.1, 100, 0.01, 1000, 0.001, 1e4, 1e5, 2, 0.5, 5, 0.2, 1.5, 0.8, 1.25, 0.9, 1.1, 3, 20, 50, 7, 0.3} {
		if v < f.Scale.Min || v > f.Scale.Max {
			continue
		}
		x, text := f.x(v), label(v, max(0, decimals(v)))+"×"
		w := width(text)*0.9/2 + 3
		if x-w < 0 || x+w > forestWidth || slices.ContainsFunc(labels, func(t taken) bool { return x+w > t.from && x-w < t.to }) {
			continue
		}
		labels = append(labels, taken{x - w, x + w})
		c.line("axis", x, forestHeight-4, x, forestHeight)
		c.text("tick", "middle", x, 11, text)
	}
	return c.end()
}

// decimals is how many a value needs, at most three.
func decimals(v float64) int {
	for d := range 3 {
		if scaled := v * math.Pow(10, float64(d)); math.Abs(scaled-math.Round(scaled)) < 1e-9 {
			return d
		}
	}
	return 3
}
