package town

import (
	"math/rand/v2"
	"slices"
	"time"

	"kerf/benchmarks/load"
	"kerf/cmd/simulate/day"
)

// Day reads a recorded day, in the format of the public instances, and gives the arrivals of its orders, speed times as fast, and how long they
// take; "" is the small day that the project ships. The first order arrives at once.
//
// Such days tell the minute of an order. Orders of the same whole minute are spread over it, the same way each time: else each minute would begin
// with a burst that nobody recorded.
func Day(dir string, speed float64) (load.Arrivals, time.Duration, error) {
	d := day.Small(day.DefaultSeed)
	if dir != "" {
		var err error
		if d, err = day.Read(dir); err != nil {
			return nil, 0, err
		}
	}
	random := rand.New(rand.NewPCG(uint64(len(d.Orders)), 0))
	var offsets []time.Duration
	for _, o := range d.Orders {
		at := o.Placed
		if at%time.Minute == 0 {
			at += time.Duration(random.Int64N(int64(time.Minute)))
		}
		offsets = append(offsets, at)
	}
	slices.Sort(offsets)
	first, last := offsets[0], offsets[len(offsets)-1]
	for i := range offsets {
		offsets[i] -= first
	}
	if speed <= 0 {
		speed = 1
	}
	return load.Replay(offsets, speed), time.Duration(float64(last-first) / speed), nil
}
