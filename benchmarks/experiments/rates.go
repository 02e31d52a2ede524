package experiments

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"kerf/benchmarks/lab"
)

// Of two windows at different rates in one run: what each order more costs, without what comes with time whatever is ordered.
var (
	marginalTotal   = lab.Metric{Name: "marginal_ms_per_order", Label: "CPU of one order more", Unit: "ms"}
	marginalModules = lab.Metric{Name: "marginal_modules_ms_per_order", Label: "of that, modules", Unit: "ms"}
	quietTotal      = lab.Metric{Name: "quiet_total_ms_per_order", Label: "CPU per order at half the rate", Unit: "ms"}
	quietModules    = lab.Metric{Name: "quiet_cpu_ms_per_order", Label: "of that, modules", Unit: "ms"}
)

// curveOfRates is the CPU of modules, broker and database server, in ms per second, by the orders per second: nothing, quiet and busy.
const curveOfRates = "cpu_by_rate"

// twoRates drives a topology at one rate, which is what the run is about, and then at a lower one.
type twoRates struct{ Busy, Quiet drive }

func (r twoRates) run(ctx context.Context, t *lab.Trial) (err error) {
	busy := r.Busy.withDefaults(t.Setting.Profile)
	s, err := open(ctx, t, busy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	t.Record.Facts["second window"] = fmt.Sprintf("%s arrivals a second, warm-up and window %s and %s", number(r.Quiet.Rate), r.Quiet.Warmup, r.Quiet.Window)
	m, err := s.load(ctx, busy)
	if err != nil {
		return err
	}
	m.fill(t.Record)
	s.warmed.fill(t.Record)
	calm, err := s.load(ctx, r.Quiet)
	if err != nil {
		return err
	}
	beside := &lab.Record{}
	calm.fill(beside)
	if why := lab.Void(beside); why != "" {
		t.Record.Void = atRate(r.Quiet.Rate) + " " + why
	}
	t.Record.Others = map[string]lab.Others{atRate(r.Busy.Rate): lab.OthersIn(m.Usage), atRate(r.Quiet.Rate): lab.OthersIn(calm.Usage)}
	if err := s.finish(ctx, busy); err != nil {
		return err
	}
	compareRates(t.Record, beside)
	return nil
}

// atRate names a window.
func atRate(rate float64) string {
	return "at " + strconv.FormatFloat(rate, 'g', -1, 64) + " orders a second"
}

// compareRates puts what the second window told into the record of the first: its CPU per order, and what an order more costs.
func compareRates(record, quiet *lab.Record) {
	record.Curves = map[string][]lab.Point{curveOfRates: {{X: 0, Y: record.Values[idleCPU.Name]}}}
	for kind, n := range quiet.Errors {
		if record.Errors == nil {
			record.Errors = map[string]int64{}
		}
		record.Errors[kind] += n
	}
	rate, lower := record.Values[ordersPerSecond.Name], quiet.Values[ordersPerSecond.Name]
	if lower == 0 || rate <= lower {
		return // nothing was placed, and a line through one point is none
	}
	for _, of := range []struct{ per, quiet, marginal lab.Metric }{
		{totalPerOrder, quietTotal, marginalTotal}, {modulesPerOrder, quietModules, marginalModules},
	} {
		at, atLower := record.Values[of.per.Name], quiet.Values[of.per.Name]
		record.Values[of.quiet.Name] = atLower
		record.Values[of.marginal.Name] = (at*rate - atLower*lower) / (rate - lower)
	}
	record.Curves[curveOfRates] = append(record.Curves[curveOfRates],
		lab.Point{X: lower, Y: quiet.Values[totalPerOrder.Name] * lower}, lab.Point{X: rate, Y: record.Values[totalPerOrder.Name] * rate})
}
