// Package chart draws what the laboratory's report needs, as SVG to be put into an HTML page: a plane with lines, bands, dots and whiskers; rows of
// stacked bars; rows of dots; and the small picture of one ratio in a table's cell.
//
// A chart is text: it has no script and no size of its own beyond its view box, takes its colours from the page's style sheet (CSS must be in it) and so
// follows the page's theme and its print rules. Each has a title and a description for those who do not see it. Series differ by colour, marker and
// label, never by colour alone; the colours are Okabe and Ito's (jfly.uni-koeln.de/color), made darker on light paper and lighter on dark.
//
// What cannot be drawn (NaN, infinities, what a logarithm does not take) is left out, and breaks a line.
package chart
