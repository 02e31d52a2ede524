// Package stats says how certain a comparison of a few runs is: medians, bootstrap intervals of a median and of a ratio of medians, Holm's
// correction for several comparisons with one baseline, and what counts as different.
package stats
