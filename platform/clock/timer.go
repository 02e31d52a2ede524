package clock

import (
	"maps"
	"slices"
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
		forget  func()
	)
	mu.Lock() // so that the function sees timer and forget
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
		forget()
		close(fired)
	})
	forget = c.asleep.add(func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			timer.Reset(0)
		}
	})
	if c.asleep != nil {
		timer.Reset(min(left(), longestWait)) // the list may have changed before it was known whom to wake
	}
	return &Timer{C: fired, stop: func() {
		forget()
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}}
}

// sleepers are the timers to wake when the list changes. A nil one keeps none.
type sleepers struct {
	mu      sync.Mutex
	next    int64
	recheck map[int64]func()
}

func (s *sleepers) add(recheck func()) (forget func()) {
	if s == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	id := s.next
	s.recheck[id] = recheck
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.recheck, id)
	}
}

// wake has every timer look at the clock again.
func (s *sleepers) wake() {
	s.mu.Lock()
	waiting := slices.Collect(maps.Values(s.recheck))
	s.mu.Unlock()
	for _, recheck := range waiting {
		recheck()
	}
}

// longestWait bounds how late a timer notices that the wall clock was set
// forward, or that the machine slept.
const longestWait = time.Minute
