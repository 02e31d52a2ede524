package rules

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// invariants are those that are counted, of the project's list. I11, read-your-writes, is measured instead.
var invariants = []string{"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I12"}

// mostTold is how many violations are told in words.
const mostTold = 50

// Found is what was found not to hold. It may be used by many goroutines.
type Found struct {
	mu         sync.Mutex
	violations map[string]int
	told       []string
}

// NewFound makes one in which nothing was found.
func NewFound() *Found {
	f := &Found{violations: map[string]int{}}
	for _, id := range invariants {
		f.violations[id] = 0
	}
	return f
}

// Violated counts a violation of an invariant, and tells it in words.
func (f *Found) Violated(id, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.violations[id]++
	if len(f.told) < mostTold {
		f.told = append(f.told, id+": "+fmt.Sprintf(format, args...))
	}
}

// Violations counts what was found by invariant. All of them are there, with 0 if nothing was.
func (f *Found) Violations() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.violations)
}

// Told tells of the violations in words, of fifty at most.
func (f *Found) Told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

// Clean says that nothing was found.
func (f *Found) Clean() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.violations {
		if n > 0 {
			return false
		}
	}
	return true
}
