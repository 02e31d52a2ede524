package clock

import (
	"sync"
	"time"
)

// Timer fires once, when its clock reaches an instant.
type Timer struct {
	C <-chan struct{} // closed when the instant has come

	stop func()
}

// Stop releases the timer. It may be called more than once, also after it fired.
func (t *Timer) Stop() { t.stop() }

// Timer fires when the domain clock reaches the instant, at once if it has.
func (c *Clock) Timer(domain time.Time) *Timer {
	return c.timer(func() time.Duration { return c.WallUntil(domain) })
}

// WallTimer fires when the wall clock reaches the instant, at once if it has.
func (c *Clock) WallTimer(wall time.Time) *Timer {
	return c.timer(func() time.Duration { return max(0, wall.Sub(c.Wall())) })
}

// timer fires when left, asked again after each wait, says 0: the wall clock may
// have been set meanwhile, and a wait is measured by the monotonic one.
func (c *Clock) timer(left func() time.Duration) *Timer {
	if c.manual != nil {
		return c.manual.timer(func() bool { return left() == 0 })
	}
	fired := make(chan struct{})
	wait := left()
	if wait == 0 {
		close(fired)
		return &Timer{C: fired, stop: func() {}}
	}
	var (
		mu      sync.Mutex
		stopped bool
		timer   *time.Timer
	)
	mu.Lock() // so that the function sees timer
	defer mu.Unlock()
	timer = time.AfterFunc(min(wait, longestWait), func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		if wait := left(); wait > 0 {
			timer.Reset(min(wait, longestWait))
			return
		}
		stopped = true
		close(fired)
	})
	return &Timer{C: fired, stop: func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}}
}

// longestWait bounds how late a timer notices that the wall clock was set
// forward, or that the machine slept.
const longestWait = time.Minute
