package chart

import (
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Sizes in units of the view box; texts are as large as the style sheet says.
const (
	textSize   = 11.0
	lineHeight = 13.0
)

// canvas collects the elements of one picture.
type canvas struct{ strings.Builder }

// picture begins an SVG that a screen reader takes as one image.
func picture(title, description string, width, height float64, class string) *canvas {
	c := &canvas{}
	c.put(`<svg class="chart`, class, `" role="img" viewBox="0 0 `, n(width), ` `, n(height), `" width="`, n(width), `" height="`, n(height), `">`)
	c.put(`<title>`, html.EscapeString(legal(title)), `</title>`)
	if description != "" {
		c.put(`<desc>`, html.EscapeString(legal(description)), `</desc>`)
	}
	return c
}

func (c *canvas) end() template.HTML {
	c.put("</svg>")
	return template.HTML(c.String()) //nolint:gosec // all text in it went through escaping
}

func (c *canvas) put(parts ...string) {
	for _, p := range parts {
		c.WriteString(p)
	}
}

func (c *canvas) path(class, d string) {
	if d != "" {
		c.put(`<path class="`, class, `" d="`, d, `"/>`)
	}
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.path(class, "M"+n(x1)+" "+n(y1)+"L"+n(x2)+" "+n(y2))
}

func (c *canvas) rect(class string, x, y, w, h float64) {
	c.put(`<rect class="`, class, `" x="`, n(x), `" y="`, n(y), `" width="`, n(max(w, 0)), `" height="`, n(max(h, 0)), `"/>`)
}

// text writes at the baseline y; anchor is start, middle or end.
func (c *canvas) text(class, anchor string, x, y float64, s string) {
	if anchor == "start" {
		anchor = ""
	} else {
		anchor = ` text-anchor="` + anchor + `"`
	}
	c.put(`<text class="`, class, `" x="`, n(x), `" y="`, n(y), `"`, anchor, `>`, html.EscapeString(legal(s)), `</text>`)
}

// group draws into a group with a class, and a tip that a pointer shows.
func (c *canvas) group(class, tip string, draw func()) {
	c.put(`<g class="`, class, `">`)
	if tip != "" {
		c.put(`<title>`, html.EscapeString(legal(tip)), `</title>`)
	}
	draw()
	c.put(`</g>`)
}

// Series is the class that gives a colour to the i-th of several; the first is the baseline's. Colours repeat after eight, markers after six, so that
// 24 series differ.
func Series(i int) string { return "s" + strconv.Itoa(((i%8)+8)%8) }

// marker is the path of a series' marker, about 2r wide.
func marker(series int, x, y, r float64) string {
	polygon := func(offsets ...float64) string {
		var t trace
		for i := 0; i < len(offsets); i += 2 {
			t.to(x+offsets[i]*r, y+offsets[i+1]*r)
		}
		return t.d + "Z"
	}
	switch ((series % 6) + 6) % 6 {
	case 1:
		return polygon(-0.9, -0.9, 0.9, -0.9, 0.9, 0.9, -0.9, 0.9)
	case 2:
		return polygon(0, -1.2, 1.15, 0.9, -1.15, 0.9)
	case 3:
		return polygon(0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0)
	case 4:
		return polygon(0, 1.2, 1.15, -0.9, -1.15, -0.9)
	case 5:
		return polygon(-0.4, -1.2, 0.4, -1.2, 0.4, -0.4, 1.2, -0.4, 1.2, 0.4, 0.4, 0.4, 0.4, 1.2, -0.4, 1.2, -0.4, 0.4, -1.2, 0.4, -1.2, -0.4, -0.4, -0.4)
	}
	d := n(2 * r)
	return "M" + n(x-r) + " " + n(y) + "a" + n(r) + " " + n(r) + " 0 1 0 " + d + " 0a" + n(r) + " " + n(r) + " 0 1 0 -" + d + " 0Z"
}

// Key is a marker to stand before a series' name in a table or a legend.
func Key(series int) template.HTML {
	return template.HTML(`<svg class="key ` + Series(series) + `" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><path class="fill" d="` +
		marker(series, 6, 6, 4.2) + `"/></svg>`) //nolint:gosec // numbers only
}

// trace is the path of a polyline that may have gaps.
type trace struct {
	d      string
	joined bool
}

func (t *trace) to(x, y float64) {
	command := "M"
	if t.joined {
		command = "L"
	}
	t.d += command + n(x) + " " + n(y)
	t.joined = true
}

func (t *trace) lift() { t.joined = false }

// n writes a coordinate: a tenth of a unit is finer than any eye.
func n(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	s := strconv.FormatFloat(v, 'f', 1, 64)
	s = strings.TrimSuffix(s, ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

// legal drops what XML does not allow in a text at all.
func legal(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// width estimates how wide a text is drawn: fonts differ, so it is a bit too much for most.
func width(s string) float64 {
	total := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtfrI.,:;|'!()[] \u202f\u2009-", r):
			total += 0.34
		case strings.ContainsRune("mwMW%×@", r):
			total += 0.88
		default:
			total += 0.58
		}
	}
	return total * textSize
}

// short cuts a text to a width, with an ellipsis near its end: names of arms often differ in their last letters.
func short(s string, room float64) string {
	if width(s) <= room {
		return s
	}
	runes := []rune(s)
	tail := min(len(runes)/3, 7)
	end := string(runes[len(runes)-tail:])
	if width(end) > room/2 {
		end = ""
	}
	head := runes[:len(runes)-tail]
	for len(head) > 1 && width(string(head)+"…"+end) > room {
		head = head[:len(head)-1]
	}
	return strings.TrimRight(string(head), " -,") + "…" + end
}
