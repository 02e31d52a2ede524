package load

import (
	"math/rand/v2"
	"time"
)

// Arrivals is a process of arrivals. Next tells the next one as its distance from the start of the load, never less than the one before; ok is false
// when there are no more. It is called by one goroutine.
type Arrivals interface {
	Next() (offset time.Duration, ok bool)
}

// arrivals makes a function an Arrivals.
type arrivals func() (time.Duration, bool)

func (a arrivals) Next() (time.Duration, bool) { return a() }

// Poisson arrivals come at a mean rate per second and independently of each other: gaps are exponential. The same seed gives the same arrivals, and at
// another rate the same ones stretched. They never end; a rate of 0 or less has none.
func Poisson(rate float64, seed uint64) Arrivals {
	random := rand.New(rand.NewPCG(seed, 0x6c6f6164)) // the second half of PCG's state: any constant
	var at float64
	return arrivals(func() (time.Duration, bool) {
		if rate <= 0 {
			return 0, false
		}
		at += random.ExpFloat64() / rate
		return seconds(at), true
	})
}

// Uniform arrivals come at equal gaps, the first after one of them. They never end; a rate of 0 or less has none. Poisson is nearer to life: equal gaps
// never bunch, so they find queues shorter than they are.
func Uniform(rate float64) Arrivals {
	var n float64
	return arrivals(func() (time.Duration, bool) {
		if rate <= 0 {
			return 0, false
		}
		n++
		return seconds(n / rate), true
	})
}

// Replay repeats recorded arrivals, given as ascending offsets from the start of the recording, speed times as fast. A speed of 0 or less is 1.
func Replay(offsets []time.Duration, speed float64) Arrivals {
	if speed <= 0 {
		speed = 1
	}
	next := 0
	return arrivals(func() (time.Duration, bool) {
		if next == len(offsets) {
			return 0, false
		}
		next++
		return time.Duration(float64(offsets[next-1]) / speed), true
	})
}

// For is what arrives before d has passed.
func For(d time.Duration, of Arrivals) Arrivals {
	return arrivals(func() (time.Duration, bool) {
		offset, ok := of.Next()
		return offset, ok && offset < d
	})
}

// First are the first n arrivals.
func First(n int, of Arrivals) Arrivals {
	return arrivals(func() (time.Duration, bool) {
		if n <= 0 {
			return 0, false
		}
		n--
		return of.Next()
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
