// Package rules holds what a server says against what was asked of it and against itself: the invariants that must hold after every simulation,
// benchmark and fault run, as far as the public API shows them. It knows no day and no load: whoever drives a server tells it what was placed
// and what the live stream told.
package rules
