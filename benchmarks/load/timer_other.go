//go:build !linux

package load

import "time"

// fineTimer sleeps as precisely as Go's timers do.
type fineTimer struct{}

func newFineTimer() *fineTimer { return &fineTimer{} }

func (*fineTimer) close() {}

func (*fineTimer) sleep(d time.Duration) { time.Sleep(d) }
