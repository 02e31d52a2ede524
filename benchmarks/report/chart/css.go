package chart

import _ "embed"

// CSS is the style sheet that the page must contain. It defines colours for both themes as custom properties, which the page may use too: ink, soft,
// paper, grid, axis, band, and s0 to s7 for series.
//
//go:embed chart.css
var CSS string
