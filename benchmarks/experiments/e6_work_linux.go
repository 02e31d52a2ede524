package experiments

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime holds the goroutine on its thread and tells the CPU time of that: waiting for a processor is no work.
func threadTime() (release func(), used func() time.Duration) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread, func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
			return time.Hour // it never fails; if it did, a loop that waits for it would end
		}
		return time.Duration(t.Nano())
	}
}
