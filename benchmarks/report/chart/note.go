package chart

// note is the label of a rule, and the spots where it may stand, the better ones first.
type note struct {
	text  string
	spots []spot
}

type spot struct {
	anchor string
	x, y   float64 // of the baseline
}

// vertical is the note of a vertical rule: at one of its sides, near the top or the bottom.
func vertical(d *plane, x float64, text string) note {
	n := note{text: short(text, (d.right-d.left)*0.6)}
	w := width(n.text) + 4
	for row := range 4 {
		for _, y := range []float64{d.top + 10 + float64(row)*lineHeight, d.bottom - 5 - float64(row)*lineHeight} {
			if x+w < d.right {
				n.spots = append(n.spots, spot{"start", x + 4, y})
			}
			if x-w > d.left {
				n.spots = append(n.spots, spot{"end", x - 4, y})
			}
		}
	}
	return n
}

// horizontal is the note of a horizontal rule: above or below it, at its beginning, its end or its middle.
func horizontal(d *plane, y float64, text string) note {
	n := note{text: short(text, d.right-d.left-8)}
	for _, at := range []float64{y - 4, y + 12} {
		if at-9 < d.top || at+3 > d.bottom {
			continue
		}
		n.spots = append(n.spots, spot{"start", d.left + 4, at}, spot{"end", d.right - 4, at}, spot{"middle", (d.left + d.right) / 2, at})
	}
	return n
}

// take marks the straight way between two points as drawn upon.
func (d *plane) take(from, to Point) {
	d.along(d.x(from.X), d.y(from.Y), d.x(to.X), d.y(to.Y))
}

// along is take in the picture's own coordinates.
func (d *plane) along(x1, y1, x2, y2 float64) {
	steps := int(max(x2-x1, x1-x2, y2-y1, y1-y2)/4) + 1
	for i := range steps + 1 {
		share := float64(i) / float64(steps)
		d.taken = append(d.taken, Point{x1 + share*(x2-x1), y1 + share*(y2-y1)})
	}
}

// note writes a note at the spot where it covers least, and marks the spot as drawn upon.
func (d *plane) note(n note) {
	if n.text == "" || len(n.spots) == 0 {
		return
	}
	best, least := n.spots[0], -1
	for _, s := range n.spots {
		if covers := d.covered(s, width(n.text)); least < 0 || covers < least {
			best, least = s, covers
		}
	}
	d.text("note", best.anchor, best.x, best.y, n.text)
	left := best.left(width(n.text))
	for x := left; x <= left+width(n.text); x += 4 {
		for _, up := range []float64{0, 4, 8} {
			d.taken = append(d.taken, Point{x, best.y - up})
		}
	}
}

func (s spot) left(w float64) float64 {
	switch s.anchor {
	case "end":
		return s.x - w
	case "middle":
		return s.x - w/2
	}
	return s.x
}

// covered counts what is drawn where a text of that width would stand.
func (d *plane) covered(s spot, w float64) int {
	left, covered := s.left(w), 0
	for _, p := range d.taken {
		if p.X >= left-3 && p.X <= left+w+3 && p.Y >= s.y-11 && p.Y <= s.y+3 {
			covered++
		}
	}
	return covered
}
