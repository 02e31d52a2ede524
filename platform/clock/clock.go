package clock

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// Clock tells wall and domain time. Make one with Open, New, Plain, Follow or
// NewManual. It is safe for concurrent use. Only one that follows changes its speed
// while it lives.
type Clock struct {
	list   atomic.Pointer[List] // never empty
	latest atomic.Int64         // highest domain instant told, µs: see Now
	manual *manualTime          // nil: the machine's clock
	asleep *sleepers            // nil: the list never changes
}

// New makes a clock that follows a list, as a process does that was handed one.
// It fails if the list is not valid.
func New(list List) (*Clock, error) {
	if err := list.Validate(); err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	c := &Clock{}
	c.list.Store(&list)
	return c, nil
}

// Plain makes a clock whose domain time is the wall's.
func Plain() *Clock {
	c := &Clock{}
	epoch := time.UnixMicro(0).UTC()
	c.list.Store(&List{{Wall: epoch, Domain: epoch, Speed: 1}})
	return c
}

// List gives the list that rules this clock, to hand to another process. It must
// not be changed.
func (c *Clock) List() List { return *c.list.Load() }

// rule is the entry that rules now.
func (c *Clock) rule() *Entry {
	list := *c.list.Load()
	return &list[len(list)-1]
}

// Speed is how many domain seconds pass in a second of the wall.
func (c *Clock) Speed() float64 { return c.rule().Speed }

// Wall is the wall time.
func (c *Clock) Wall() time.Time {
	if c.manual != nil {
		return c.manual.now()
	}
	return Cut(time.Now())
}

// Now is the domain time. It never goes back: should the machine's clock be set
// back, domain time stands until the wall has caught up.
//
// It is read from the wall, not from the monotonic clock, so that processes that
// share a list agree, also after one machine slept.
func (c *Clock) Now() time.Time {
	return time.UnixMicro(c.nowMicros()).UTC()
}

func (c *Clock) nowMicros() int64 {
	now := c.rule().at(c.Wall().UnixMicro())
	for {
		latest := c.latest.Load()
		if now <= latest {
			return latest
		}
		if c.latest.CompareAndSwap(latest, now) {
			return now
		}
	}
}

// WallUntil is how long the wall takes until the domain instant, rounded up so
// that afterwards Now is not before it; 0 if it has come. The longest answer is
// about 292 years.
func (c *Clock) WallUntil(domain time.Time) time.Duration {
	left := domain.UnixMicro() - c.nowMicros()
	if left <= 0 {
		return 0
	}
	wait := math.Ceil(float64(left)/c.Speed()) * float64(time.Microsecond)
	if wait >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(wait)
}

// Wait returns nil when the domain clock has reached the instant, or the
// context's error if that ends first.
func (c *Clock) Wait(ctx context.Context, domain time.Time) error {
	timer := c.Timer(domain)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Cut returns t in UTC to the microsecond, as databases keep it.
func Cut(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }
