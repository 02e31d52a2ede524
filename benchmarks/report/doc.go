// Package report turns what the runs of experiments yielded into one HTML file for a sceptical engineer: the verdicts first, then the evidence.
//
// The file needs no network, no script and no fonts but the reader's own; it follows his light or dark theme and prints on A4. Charts are inline SVG
// drawn by package chart. A chart library for the browser would have to travel in the file, would draw nothing on paper or without script, and
// could not be checked by a test here; one that renders pictures could not follow the theme.
package report
