//go:build !linux

package experiments

import "time"

// threadTime tells wall time where there is no clock of a thread.
func threadTime() (release func(), used func() time.Duration) {
	began := time.Now()
	return func() {}, func() time.Duration { return time.Since(began) }
}
