package experiments

import (
	"math/rand/v2"
	"slices"
	"time"

	"kerf/benchmarks/load"
)

// span is the time in which the number of arrivals is fixed: short enough to go into every warm-up and window a whole number of times.
const span = 2500 * time.Millisecond

// steadied is a Poisson process of which it is known how many come in each span: within one, the arrivals are independent and uniform, as those of a Poisson
// process with that many are. Ten seconds of a true one at eight a second bring 80 give or take 9, and with fewer orders what a process uses anyway weighs
// more on each; that would be noise of the load's making in every figure per order.
type steadied struct {
	rate   float64
	random *rand.Rand
	spans  int // that have begun
	made   int // arrivals in them
	coming []time.Duration
}

// steadyPoisson are arrivals at a rate per second. The same seed gives the same ones. They never end; a rate of 0 or less has none.
func steadyPoisson(rate float64, seed uint64) load.Arrivals {
	return &steadied{rate: rate, random: rand.New(rand.NewPCG(seed, 0x73706163))}
}

// Next implements load.Arrivals.
func (s *steadied) Next() (time.Duration, bool) {
	if s.rate <= 0 {
		return 0, false
	}
	for len(s.coming) == 0 {
		from := time.Duration(s.spans) * span
		s.spans++
		total := int(s.rate * float64(s.spans) * span.Seconds())
		for ; s.made < total; s.made++ {
			s.coming = append(s.coming, from+time.Duration(s.random.Int64N(int64(span))))
		}
		slices.Sort(s.coming)
	}
	next := s.coming[0]
	s.coming = s.coming[1:]
	return next, true
}
