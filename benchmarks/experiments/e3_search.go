package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
	"kerf/benchmarks/usage"
)

// kneeRun is one run of E3: on one stand, first a closed loop with more and more clients, which tells about where the knee is, then the search for it.
type kneeRun struct {
	*site
	record *lab.Record
	// best is the step with the highest rate that was borne.
	best     measured
	bestRate float64
}

func findKnee(ctx context.Context, t *lab.Trial) (err error) {
	s, err := open(ctx, t, drive{Speed: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	t.Record.Curves, t.Record.Values, t.Record.Others = map[string][]lab.Point{}, map[string]float64{}, map[string]lab.Others{}
	t.Record.Facts["load"] = fmt.Sprintf("closed loops of %d to %d clients; then open loops, whose rate is searched", sweep[0], sweep[len(sweep)-1])
	t.Record.Facts["mix"] = town.Ordering.Name
	t.Record.Facts["warm-up and window"] = fmt.Sprintf("a step of the search counts %s, or until about %d orders have come, at most %s",
		stepShare(t.Setting.Profile, 0.35), fewestOrders, stepShare(t.Setting.Profile, 3))
	k := &kneeRun{site: s, record: t.Record}
	if err := k.warm(ctx); err != nil {
		return err
	}
	peak, err := k.sweep(ctx)
	if err != nil {
		return err
	}
	if err := k.search(ctx, peak); err != nil {
		return err
	}
	return s.finish(ctx, drive{})
}

// at is a load of orders.
func (k *kneeRun) at(d drive, window time.Duration) drive {
	d.Mix, d.Warmup, d.Window = town.Ordering, stepShare(k.trial.Setting.Profile, 0.05), window
	return d
}

// stepShare is a share of the profile's window.
func stepShare(p lab.Profile, share float64) time.Duration {
	return time.Duration(share * float64(p.Window))
}

// stepWindow is how long a step at a rate counts: until enough orders have come, and some to spare since arrivals vary. It has a bound: a server whose
// knee is lower than that allows for needs a profile with longer windows.
func stepWindow(p lab.Profile, rate float64) time.Duration {
	return min(max(stepShare(p, 0.35), time.Duration(1.1*fewestOrders/rate*float64(time.Second))), stepShare(p, 3))
}

func (k *kneeRun) warm(ctx context.Context) error {
	d := k.at(drive{Clients: 16}, stepShare(k.trial.Setting.Profile, 0.1))
	d.Warmup = k.trial.Setting.Profile.Warmup * 3 / 5
	_, err := k.load(ctx, d)
	return err
}

// sweep measures the throughput of closed loops, in an order of chance, so that a server that still warms up is not taken for one that scales. It
// returns the highest.
func (k *kneeRun) sweep(ctx context.Context) (peak float64, err error) {
	clients := append([]int{}, sweep...)
	rand.New(rand.NewPCG(k.trial.Seed, 3)).Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
	for _, n := range clients {
		m, err := k.load(ctx, k.at(drive{Clients: n}, stepShare(k.trial.Setting.Profile, 0.15)))
		if err != nil {
			return 0, err
		}
		throughput := float64(m.orders()) / m.Load.Seconds()
		k.note("clients", float64(n), throughput)
		peak = max(peak, throughput)
	}
	k.record.Values[peakRate.Name] = peak
	if law, err := fitUSL(k.record.Curves["clients"]); err == nil {
		k.record.Values[uslLambda.Name], k.record.Values[uslSigma.Name], k.record.Values[uslKappa.Name] = law.Lambda, law.Sigma, law.Kappa
	}
	return peak, nil
}

// search looks for the knee from somewhat below what a closed loop got: no queue is short at the peak.
func (k *kneeRun) search(ctx context.Context, peak float64) error {
	found, err := search{Begin: 0.7 * peak, Factor: 1.4, Near: 1.1, Steps: 6}.run(func(rate float64) (bool, error) { return k.step(ctx, rate) })
	var worthless worthlessStep
	if err != nil && !errors.As(err, &worthless) {
		return err
	}
	values, curves := k.record.Values, k.record.Curves
	k.best.fill(k.record)
	maps.Copy(k.record.Values, values)
	k.record.Curves = curves
	k.record.Series, k.record.Steadiness = nil, nil // of one short step
	switch rate, ok := found.knee(); {
	case err != nil:
		k.record.Void = worthless.Error()
	case ok:
		k.record.Values[kneeRate.Name] = rate
	default:
		k.record.Void = fmt.Sprintf("no knee between the rates that were tried, near %s orders/s", number(rate))
	}
	var busy float64
	for _, cpu := range k.best.Usage.CPU {
		busy += cpu
	}
	if busy > 0 {
		k.record.Values[generatorShare.Name] = k.best.Usage.CPU[usage.Generator] / busy
	}
	return nil
}

// worthlessStep is one that tells nothing of the server, so that its run does not count.
type worthlessStep struct {
	rate float64
	why  string
}

func (w worthlessStep) Error() string {
	return fmt.Sprintf("at %s orders/s: %s", number(w.rate), w.why)
}

// step tells whether a rate is borne. A step that tells nothing is made once more, and ends the search if it tells nothing again.
func (k *kneeRun) step(ctx context.Context, rate float64) (borne bool, err error) {
	m, borne, err := k.try(ctx, rate)
	if err == nil && worthless(m, borne) != "" {
		k.note("repeated", rate, 1)
		m, borne, err = k.try(ctx, rate)
	}
	if err != nil {
		return false, err
	}
	k.record.Others[number(rate)+" orders/s"] = lab.OthersIn(m.Usage)
	if borne || k.bestRate == 0 {
		k.best = m // the first is better than nothing, if none is borne
	}
	if why := worthless(m, borne); why != "" {
		return false, worthlessStep{rate, why}
	}
	if borne {
		k.bestRate = rate
	}
	return borne, nil
}

// worthless says why a step does not count, "" if it does. One that was borne lies below the knee, where the rules of all runs hold; one that was not may
// have made the generator late by itself.
func worthless(m measured, borne bool) string {
	if due := m.Load.Arrivals; due < fewestOrders { // all that came: beyond the knee some are not placed before the window ends
		return fmt.Sprintf("%d orders came in the longest window of a step, where %d are needed", due, fewestOrders)
	}
	part := &lab.Record{Others: map[string]lab.Others{"": lab.OthersIn(m.Usage)}, Overload: !borne}
	m.fill(part)
	return lab.Void(part)
}

// ordersDue are those that were to be placed, also if they were never sent.
func ordersDue(m measured) int64 { return neverSent(m) + m.Load.Ops[string(town.Place)].Count }

func neverSent(m measured) int64 { return m.Load.Missed + m.Load.Ops[string(town.Quote)].Failed }

// try loads the server at a rate, and waits until nothing of that is left to be done in the next step.
func (k *kneeRun) try(ctx context.Context, rate float64) (m measured, borne bool, err error) {
	if m, err = k.load(ctx, k.at(drive{Rate: rate}, stepWindow(k.trial.Setting.Profile, rate))); err != nil {
		return m, false, err
	}
	if borne, err = k.judge(rate, m); err != nil {
		return m, false, err
	}
	began := time.Now()
	quiet, cancel := context.WithTimeout(ctx, quietFor)
	defer cancel()
	if err := k.town.Quiet(quiet); err != nil && ctx.Err() != nil {
		return m, false, err // what does not come to rest by itself is told when the run ends
	}
	k.note("drain_seconds", rate, time.Since(began).Seconds())
	return m, borne, nil
}

// judge tells whether a step kept the objective, and notes what it measured.
func (k *kneeRun) judge(rate float64, m measured) (borne bool, err error) {
	place, approved := m.Load.Ops[string(town.Place)], m.Load.Ops[string(town.Approved)]
	if place.Response == nil || approved.Response == nil {
		return false, fmt.Errorf("at %s orders/s nothing was ordered: %w", number(rate), cmp.Or(m.Outcome.Failure, errors.New("the generator had no room")))
	}
	never := neverSent(m)
	lateOrders, lateApproved := never+late(place, placeWithin), never+late(approved, approvedWithin)
	for curve, op := range map[string]load.Op{"place_p95": place, "approved_p95": approved} {
		if ms, ok := load.Percentile(op.Response, 95); ok {
			k.note(curve, rate, ms)
		}
	}
	k.note("orders", rate, float64(ordersDue(m)))
	k.note("late", rate, float64(max(lateOrders, lateApproved))/float64(max(1, ordersDue(m))))
	if scheduled := m.Load.All().Scheduled; scheduled.TotalCount() > 0 {
		k.note("lateness_p99", rate, float64(scheduled.ValueAtPercentile(99))/1000)
	}
	return !tooMany(lateOrders, ordersDue(m), mayBeLate) && !tooMany(lateApproved, never+approved.Count, mayBeLate), nil
}

func (k *kneeRun) note(curve string, x, y float64) {
	k.record.Curves[curve] = append(k.record.Curves[curve], lab.Point{X: x, Y: y})
}

// late counts the requests that took longer, or failed.
func late(op load.Op, than time.Duration) int64 {
	if op.Response == nil {
		return op.Count
	}
	return op.Count - op.Response.TotalCount() + above(op.Response, than)
}

// above counts the values of a histogram of microseconds that are longer than d, to its three digits.
func above(h *hdrhistogram.Histogram, d time.Duration) (count int64) {
	for _, bar := range h.Distribution() {
		if bar.From > d.Microseconds() {
			count += bar.Count
		}
	}
	return count
}
