package experiments

import (
	"sync"
	"time"

	"kerf/benchmarks/lab"
)

// goodput counts requests, and those that were answered well and in time, by the moment at which they were to be sent: what a client gets who comes
// at that moment, which is another thing than the answers given then. It is safe for concurrent use.
type goodput struct {
	began time.Time
	bin   time.Duration

	mu   sync.Mutex
	bins map[string][]tally // by endpoint
}

// tally is how many requests were made, and how many of them were answered well.
type tally struct{ Made, Good int }

func newGoodput(began time.Time, bin time.Duration) *goodput {
	return &goodput{began: began, bin: bin, bins: map[string][]tally{}}
}

// note counts a request. What was to be sent before the beginning is not counted.
func (g *goodput) note(endpoint string, intended time.Time, good bool) {
	i := g.index(intended.Sub(g.began))
	if i < 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	bins := g.bins[endpoint]
	for len(bins) <= i {
		bins = append(bins, tally{})
	}
	bins[i].Made++
	if good {
		bins[i].Good++
	}
	g.bins[endpoint] = bins
}

// index is the bin that an offset from the beginning falls into; negative before it.
func (g *goodput) index(offset time.Duration) int {
	if offset < 0 {
		return -1
	}
	return int(offset / g.bin)
}

// between sums an endpoint's requests from one offset to another.
func (g *goodput) between(endpoint string, from, to time.Duration) tally {
	g.mu.Lock()
	defer g.mu.Unlock()
	bins := g.bins[endpoint]
	var sum tally
	for i := max(0, g.index(from)); i < min(len(bins), g.index(to)); i++ {
		sum.Made += bins[i].Made
		sum.Good += bins[i].Good
	}
	return sum
}

// share of the requests that were answered well; 1 if none was made.
func (t tally) share() float64 {
	if t.Made == 0 {
		return 1
	}
	return float64(t.Good) / float64(t.Made)
}

// lost is the share of the requests that was lost in a time from an offset on, beyond the share that was lost before it, as time: half of the requests lost
// for two seconds is one second. Clients come at a constant rate, so it is the time for which the endpoint might as well not have been there. It is
// negative if less was lost than before.
func (g *goodput) lost(endpoint string, at, length time.Duration) time.Duration {
	return time.Duration(float64(length) * (g.between(endpoint, 0, at).share() - g.between(endpoint, at, at+length).share()))
}

// settled is how long a stretch has to be good until an endpoint counts as back.
const settled = time.Second

// back is how long after from an endpoint was first as good as before again, or all but 5 % of it, for a second; false if not before to. It is 0
// for one that was never worse.
func (g *goodput) back(endpoint string, from, to time.Duration) (time.Duration, bool) {
	enough := 0.95 * g.between(endpoint, 0, from).share()
	for at := from; at+settled <= to; at += g.bin {
		if t := g.between(endpoint, at, at+settled); t.share() >= enough && t.Made > 0 {
			return at - from, true
		}
	}
	return 0, false
}

// series are an endpoint's requests, and those answered well, per second, over seconds from an offset on.
func (g *goodput) series(endpoint string, from time.Duration) (made, good []lab.Point) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, t := range g.bins[endpoint] {
		x := (time.Duration(i)*g.bin + g.bin/2 - from).Seconds()
		made = append(made, lab.Point{X: x, Y: float64(t.Made) / g.bin.Seconds()})
		good = append(good, lab.Point{X: x, Y: float64(t.Good) / g.bin.Seconds()})
	}
	return made, good
}
