package experiments

import (
	"math"
	"testing"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/usage"
)

// A topology that takes 90 ms of CPU a second whatever happens, 50 of them when idle, and 30 ms an order.
func TestTwoRatesTellOrdersFromTime(t *testing.T) {
	at := func(rate float64) *lab.Record {
		cost := 30 + 90/rate
		return &lab.Record{
			Values: map[string]float64{ordersPerSecond.Name: rate, totalPerOrder.Name: cost, modulesPerOrder.Name: cost / 2},
			Errors: map[string]int64{"page: 503": 1},
		}
	}
	busy, quiet := at(8), at(4)
	idled(busy, usage.Window{Seconds: 2, CPU: map[usage.Role]float64{usage.Modules: 0.06, usage.Broker: 0.03, usage.Database: 0.01}})

	compareRates(busy, quiet)

	for metric, want := range map[lab.Metric]float64{
		marginalTotal: 30, marginalModules: 15, quietTotal: 52.5, quietModules: 26.25, idleCPU: 50, idlePerOrder: 50.0 / 8, netPerOrder: 41.25/2 - 30.0/8,
	} {
		if got := busy.Values[metric.Name]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", metric.Label, got, want)
		}
	}
	points := busy.Curves[curveOfRates]
	if len(points) != 3 || points[0] != (lab.Point{X: 0, Y: 50}) || points[1] != (lab.Point{X: 4, Y: 210}) || points[2] != (lab.Point{X: 8, Y: 330}) {
		t.Errorf("the curve is %v", points)
	}
	if busy.Errors["page: 503"] != 2 {
		t.Errorf("errors of the second window are lost: %v", busy.Errors)
	}
}

func TestNothingIsSaidOfOneOrderMoreWhereNoneWasPlaced(t *testing.T) {
	busy := &lab.Record{Values: map[string]float64{totalPerOrder.Name: 50, ordersPerSecond.Name: 8}}

	compareRates(busy, &lab.Record{Values: map[string]float64{ordersPerSecond.Name: 0}})

	if v, ok := busy.Values[marginalTotal.Name]; ok {
		t.Errorf("an order more is said to take %v", v)
	}
}
