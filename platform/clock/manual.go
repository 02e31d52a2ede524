package clock

import (
	"context"
	"sync"
	"time"
)

// Manual is a clock for tests that moves only when it is told to. Wall and domain
// time start together and move together, at speed 1. Pass its Clock to what is
// tested.
type Manual struct {
	*Clock
	time *manualTime
}

// NewManual makes a clock that stands at t, cut to microseconds.
func NewManual(t time.Time) *Manual {
	m := &manualTime{wall: Cut(t), waiting: map[*manualTimer]struct{}{}, changed: make(chan struct{})}
	c := &Clock{manual: m}
	c.list.Store(&List{{Wall: m.wall, Domain: m.wall, Speed: 1}})
	return &Manual{Clock: c, time: m}
}

// Advance moves the clock forward, and fires the timers whose instant has come.
// It panics if d is negative: domain time never goes back.
func (m *Manual) Advance(d time.Duration) {
	if d < 0 {
		panic("clock: Advance by a negative duration")
	}
	m.time.advance(d)
}

// AwaitTimers returns when at least n timers are waiting, so that a test moves the
// clock only after those that it wants to wake have gone to sleep; or the
// context's error if that ends first.
func (m *Manual) AwaitTimers(ctx context.Context, n int) error {
	for {
		waiting, changed := m.time.timers()
		if waiting >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type manualTime struct {
	mu      sync.Mutex
	wall    time.Time
	waiting map[*manualTimer]struct{}
	changed chan struct{} // closed and replaced when a timer begins to wait
}

type manualTimer struct {
	due   func() bool
	fired chan struct{}
}

func (m *manualTime) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall
}

func (m *manualTime) timers() (int, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting), m.changed
}

func (m *manualTime) advance(d time.Duration) {
	m.mu.Lock()
	m.wall = Cut(m.wall.Add(d))
	waiting := make([]*manualTimer, 0, len(m.waiting))
	for t := range m.waiting {
		waiting = append(waiting, t)
	}
	m.mu.Unlock()
	for _, t := range waiting {
		if t.due() {
			m.fire(t)
		}
	}
}

func (m *manualTime) fire(t *manualTimer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.waiting[t]; ok {
		delete(m.waiting, t)
		close(t.fired)
	}
}

func (m *manualTime) timer(due func() bool) *Timer {
	t := &manualTimer{due: due, fired: make(chan struct{})}
	m.mu.Lock()
	m.waiting[t] = struct{}{}
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	// Registered first, asked then: an Advance between the two is not missed.
	if due() {
		m.fire(t)
	}
	return &Timer{C: t.fired, stop: func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.waiting, t)
	}}
}
