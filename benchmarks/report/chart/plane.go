package chart

import (
	"cmp"
	"html/template"
	"math"
	"slices"
)

// Plane is a chart with two axes.
type Plane struct {
	Title, Description string
	// Width and Height of the view box; 460 by 260 if zero.
	Width, Height float64
	X, Y          Axis
	Marks         []Mark
}

// Axis is a scale and what it tells, unit included.
type Axis struct {
	Scale Scale
	Label string
	// Suffix stands behind each tick's label: "×".
	Suffix string
}

// Point is a place on a plane.
type Point struct{ X, Y float64 }

// Interval is a point with its interval in Y.
type Interval struct{ X, Y, Low, High float64 }

// Mark is one of Band, Line, Dots, Whiskers, Rule; they are drawn in their order.
type Mark interface{ draw(*plane) }

// Line joins points in their order. Label stands at its end, to the right of the plane.
type Line struct {
	Series int
	Points []Point
	Dashed bool
	Thin   bool
	Label  string
	// Marked are points of it that carry the series' marker.
	Marked []Point
}

// Band is the room between the low and high ends of intervals.
type Band struct {
	Series    int
	Intervals []Interval
}

// Dots are points by themselves.
type Dots struct {
	Series int
	Points []Point
	Label  string
}

// Whiskers are points with their intervals.
type Whiskers struct {
	Series    int
	Intervals []Interval
}

// Rule is a straight mark across the plane, at a value of X if vertical, else of Y.
type Rule struct {
	At       float64
	Vertical bool
	Label    string
}

// plane is a chart while it is drawn.
type plane struct {
	*canvas
	Plane
	left, right, top, bottom float64
	ends                     []lineEnd // labels to be put beside the lines' ends
	notes                    []note    // labels of rules, to be put over all marks
	taken                    []Point   // samples of what is drawn, in the picture's own coordinates
}

type lineEnd struct {
	x, y   float64
	series int
	label  string
}

// SVG draws the chart.
func (p Plane) SVG() template.HTML {
	if p.Width == 0 {
		p.Width = 460
	}
	if p.Height == 0 {
		p.Height = 260
	}
	d := &plane{canvas: picture(p.Title, p.Description, p.Width, p.Height, ""), Plane: p}
	d.layout()
	d.axes()
	for _, m := range p.Marks {
		m.draw(d)
	}
	for _, n := range d.notes {
		d.note(n)
	}
	d.labelEnds()
	return d.end()
}

func (d *plane) layout() {
	d.top, d.bottom = 8, d.Height-22
	if d.Y.Label != "" {
		d.top = 24
	}
	if d.X.Label != "" {
		d.bottom = d.Height - 36
	}
	widest := 0.0
	for _, t := range d.Y.Scale.Ticks(d.yTicks()) {
		widest = max(widest, width(t.Label+d.Y.Suffix))
	}
	d.left = widest + 10
	labels := 0.0
	for _, m := range d.Marks {
		switch m := m.(type) {
		case Line:
			labels = max(labels, width(m.Label))
		case Dots:
			labels = max(labels, width(m.Label))
		}
	}
	d.right = d.Width - 12
	if labels > 0 {
		d.right = d.Width - min(labels+20, d.Width*0.38)
	}
}

func (d *plane) yTicks() int { return max(2, int((d.bottom-d.top)/32)) }

func (d *plane) x(v float64) float64 { return d.left + d.X.Scale.At(v)*(d.right-d.left) }
func (d *plane) y(v float64) float64 { return d.bottom - d.Y.Scale.At(v)*(d.bottom-d.top) }

func (d *plane) takes(x, y float64) bool { return d.X.Scale.Takes(x) && d.Y.Scale.Takes(y) }

func (d *plane) axes() {
	for _, t := range d.Y.Scale.Ticks(d.yTicks()) {
		if t.Label == "" {
			continue
		}
		y := d.y(t.Value)
		d.line("grid", d.left, y, d.right, y)
		d.text("tick", "end", d.left-6, y+4, t.Label+d.Y.Suffix)
	}
	d.line("axis", d.left, d.bottom, d.right, d.bottom)
	d.xTicks(d.bottom, d.left, d.right, d.X)
	if d.Y.Label != "" {
		d.text("label", "start", 0, 11, short(d.Y.Label, d.Width))
	}
	if d.X.Label != "" {
		d.text("label", "end", d.right, d.Height-4, short(d.X.Label, d.right))
	}
}

// xTicks draws ticks under a horizontal axis; a label that would touch the one before it is left out.
func (c *canvas) xTicks(y, left, right float64, a Axis) {
	free := math.Inf(-1)
	for _, t := range a.Scale.Ticks(max(2, int((right-left)/60))) {
		x := left + a.Scale.At(t.Value)*(right-left)
		if t.Label == "" {
			c.line("axis", x, y, x, y+2.5)
			continue
		}
		c.line("axis", x, y, x, y+5)
		w := width(t.Label + a.Suffix)
		if x-w/2 < free+4 {
			continue
		}
		c.text("tick", "middle", x, y+16, t.Label+a.Suffix)
		free = x + w/2
	}
}

func (l Line) draw(d *plane) {
	class := "line"
	if l.Dashed {
		class += " dashed"
	}
	if l.Thin {
		class += " thin"
	}
	var path trace
	var last *Point
	for _, p := range l.Points {
		if !d.takes(p.X, p.Y) {
			path.lift()
			continue
		}
		if path.joined {
			d.take(*last, p)
		}
		path.to(d.x(p.X), d.y(p.Y))
		last = &p
	}
	d.group(Series(l.Series), l.Label, func() {
		d.path(class, path.d)
		for _, p := range l.Marked {
			if d.takes(p.X, p.Y) {
				d.path("fill", marker(l.Series, d.x(p.X), d.y(p.Y), 3.4))
			}
		}
	})
	if last != nil && l.Label != "" {
		d.ends = append(d.ends, lineEnd{d.x(last.X), d.y(last.Y), l.Series, l.Label})
	}
}

func (b Band) draw(d *plane) {
	var run []Interval
	flush := func() {
		if len(run) > 1 {
			var path trace
			for _, v := range run {
				path.to(d.x(v.X), d.y(v.High))
			}
			for _, v := range slices.Backward(run) {
				path.to(d.x(v.X), d.y(v.Low))
			}
			d.path("band "+Series(b.Series), path.d+"Z")
		}
		run = nil
	}
	for _, v := range b.Intervals {
		if d.takes(v.X, v.Low) && d.takes(v.X, v.High) {
			run = append(run, v)
		} else {
			flush()
		}
	}
	flush()
}

func (m Dots) draw(d *plane) {
	path := ""
	var last *Point
	for _, p := range m.Points {
		if d.takes(p.X, p.Y) {
			path += marker(m.Series, d.x(p.X), d.y(p.Y), 3)
			d.take(p, p)
			last = &p
		}
	}
	d.group(Series(m.Series), m.Label, func() { d.path("fill", path) })
	if last != nil && m.Label != "" {
		d.ends = append(d.ends, lineEnd{d.x(last.X), d.y(last.Y), m.Series, m.Label})
	}
}

func (w Whiskers) draw(d *plane) {
	d.group(Series(w.Series), "", func() {
		for _, v := range w.Intervals {
			if !d.takes(v.X, v.Y) {
				continue
			}
			x := d.x(v.X)
			if d.takes(v.X, v.Low) && d.takes(v.X, v.High) && v.Low < v.High {
				d.take(Point{v.X, v.Low}, Point{v.X, v.High})
				low, high := d.y(v.Low), d.y(v.High)
				d.path("line thin", "M"+n(x)+" "+n(low)+"L"+n(x)+" "+n(high)+"M"+n(x-3)+" "+n(low)+"h6M"+n(x-3)+" "+n(high)+"h6")
			}
			d.path("fill", marker(w.Series, x, d.y(v.Y), 3.4))
		}
	})
}

func (r Rule) draw(d *plane) {
	switch {
	case r.Vertical && d.X.Scale.Takes(r.At):
		x := d.x(r.At)
		d.line("rule", x, d.top, x, d.bottom)
		d.along(x, d.top, x, d.bottom)
		d.notes = append(d.notes, vertical(d, x, r.Label))
	case !r.Vertical && d.Y.Scale.Takes(r.At):
		y := d.y(r.At)
		d.line("rule", d.left, y, d.right, y)
		d.along(d.left, y, d.right, y)
		d.notes = append(d.notes, horizontal(d, y, r.Label))
	}
}

// labelEnds puts the lines' labels in a column to the right, in the order of their ends, none over another, each led to by a thin line.
func (d *plane) labelEnds() {
	ends := d.ends
	slices.SortStableFunc(ends, func(a, b lineEnd) int { return cmp.Compare(a.y, b.y) })
	at := make([]float64, len(ends))
	for i, e := range ends {
		at[i] = e.y
	}
	spread(at, d.top+4, d.bottom-2, lineHeight)
	for i, e := range ends {
		d.group(Series(e.series), "", func() {
			if d.right-e.x > 1 || math.Abs(at[i]-e.y) > 3 {
				d.path("leader", "M"+n(e.x+3)+" "+n(e.y)+"L"+n(max(d.right-2, e.x+3))+" "+n(e.y)+"L"+n(d.right+4)+" "+n(at[i]))
			}
			d.path("fill", marker(e.series, d.right+9, at[i], 2.8))
			d.text("name", "start", d.right+15, at[i]+4, short(e.label, d.Width-d.right-15))
		})
	}
}

// spread moves sorted positions apart to at least the gap, each as little as possible, between low and high if there is room.
func spread(at []float64, low, high, gap float64) {
	if len(at) > 1 {
		gap = min(gap, (high-low)/float64(len(at)-1))
	}
	for i := range at {
		at[i] = max(at[i], low+float64(i)*gap)
		if i > 0 {
			at[i] = max(at[i], at[i-1]+gap)
		}
	}
	for i := len(at) - 1; i >= 0; i-- {
		at[i] = min(at[i], high-float64(len(at)-1-i)*gap)
		if i < len(at)-1 {
			at[i] = min(at[i], at[i+1]-gap)
		}
	}
}
