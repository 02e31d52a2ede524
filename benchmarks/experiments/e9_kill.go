package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/cmd/topology/status"
)

// killing is one run of E9.
type killing struct {
	*site
	goodput *goodput
	quotes  []string // one for each order to be placed
	orders  []string // to be looked at
	// before is what was asked until the kill.
	before measured
}

func killOne(ctx context.Context, t *lab.Trial) (err error) {
	s, err := open(ctx, t, drive{Speed: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	t.Record.Facts["load"] = fmt.Sprintf("open loop, %d requests a second to each of %d endpoints, given up after %s", askRate, len(endpoints), inTime)
	t.Record.Facts["mix"] = "single requests"
	before, after := beforeKill(t.Setting.Profile), afterKill(t.Setting.Profile)
	t.Record.Facts["warm-up and window"] = fmt.Sprintf("%s before the kill, %s after it", before, after)
	k := &killing{site: s}
	if err := k.prepare(ctx, before+after); err != nil {
		return err
	}
	t.Stage("kill")
	givenUp, err := k.callsGivenUp(ctx)
	if err != nil {
		return err
	}
	killed, ready, err := k.ask(ctx, before, after)
	if err != nil {
		return err
	}
	k.fill(killed, ready, after)
	k.inTimeBefore()
	if err := k.tellGivenUp(ctx, givenUp); err != nil {
		return err
	}
	return s.finish(ctx, drive{Restarts: true})
}

// prepare makes orders to look at and the quotes that will be ordered, so that an order needs no other request just then; it warms the processes up.
func (k *killing) prepare(ctx context.Context, length time.Duration) error {
	k.trial.Stage("prepare")
	k.quotes = make([]string, int(1.5*askRate*length.Seconds())) // Poisson arrivals may be more than expected
	k.orders = make([]string, looked)
	all, ctx := errgroup.WithContext(ctx)
	const hands = 8
	for worker := range hands {
		all.Go(func() error {
			for n := worker; n < len(k.quotes); n += hands {
				quote, err := k.town.QuoteFor(ctx, worker, n)
				if err != nil {
					return fmt.Errorf("prepare: quote: %w", err)
				}
				k.quotes[n] = quote
			}
			for n := worker; n < looked; n += hands {
				order, err := k.approvedOrder(ctx, worker, n)
				if err != nil {
					return fmt.Errorf("prepare: %w", err)
				}
				k.orders[n] = order
			}
			return nil
		})
	}
	return all.Wait()
}

// approvedOrder orders, and waits for the approval.
func (k *killing) approvedOrder(ctx context.Context, worker, n int) (order string, err error) {
	quote, err := k.town.QuoteFor(ctx, worker, n)
	if err != nil {
		return "", err
	}
	if order, err = k.town.PlaceQuote(ctx, worker, n, quote); err != nil {
		return "", err
	}
	_, err = k.town.Seen(ctx, order, "APPROVED")
	return order, err
}

// ask asks for a while, kills the victim, and asks on. It returns when that was, and when its successor was ready.
func (k *killing) ask(ctx context.Context, before, after time.Duration) (killed, ready time.Time, err error) {
	recorder := load.NewRecorder()
	recorder.Begin() // all counts: there was load before, in the preparation
	k.goodput = newGoodput(time.Now(), bin)
	if err := k.watch.Begin(); err != nil {
		return killed, ready, err
	}
	var killing sync.WaitGroup
	var killErr error
	killing.Go(func() {
		if killErr = wait(ctx, before); killErr != nil {
			return
		}
		k.before.Load = recorder.Snapshot()
		if killed, killErr = k.keepDown(ctx, nameOf(k.trial.Arm)); killErr != nil {
			return
		}
		waiting, cancel := context.WithTimeout(ctx, quietFor)
		defer cancel()
		ready, killErr = k.stand.Ready(waiting, nameOf(k.trial.Arm))
	})
	_, err = load.Open{
		Arrivals: load.For(before+after+settled, load.Poisson(askRate*float64(len(endpoints)), k.trial.Seed)),
		Workers:  askers, MaxJourneys: room, Deadline: inTime, Recorder: recorder, Journey: k.journey,
	}.Run(ctx)
	killing.Wait()
	recorder.End()
	seen := recorder.Snapshot()
	k.trial.Record.Errors, k.trial.Record.Sends, k.trial.Record.Missed = seen.Errors, seen.Arrivals, seen.Missed
	k.trial.Record.Overload = true // an outage is one: what is late then, or finds no room, is what is measured
	used, watchErr := k.watch.End()
	k.trial.Record.Usage = used
	return killed, ready, errors.Join(err, killErr, watchErr)
}

// inTimeBefore has the run not count if the generator was not in time even before the kill: then what was lost after it is not the kill's. The seconds
// after it may make it late.
func (k *killing) inTimeBefore() {
	part := &lab.Record{}
	k.before.fill(part)
	k.trial.Record.Spectra = part.Spectra
	if why := lab.Void(part); why != "" {
		k.trial.Record.Void = "before the kill: " + why
	}
}

// callsGivenUp tells, by reason, how many calls to other modules were not made, as all processes count them but the one that is killed and forgets.
func (k *killing) callsGivenUp(ctx context.Context) (map[string]float64, error) {
	state, err := k.stand.Status()
	if err != nil {
		return nil, err
	}
	client, err := operator(state)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	sum := map[string]float64{}
	for _, p := range state.Processes {
		if p.Name == nameOf(k.trial.Arm) {
			continue
		}
		families, err := scrape(ctx, client, state.TLS, p.Internal)
		if err != nil {
			return nil, fmt.Errorf("read the metrics of %s: %w", p.Name, err)
		}
		for _, m := range families["kerf_remote_given_up_total"].GetMetric() {
			sum[label(m, "reason")] += m.GetCounter().GetValue()
		}
	}
	return sum, nil
}

// tellGivenUp tells how many calls were given up since then.
func (k *killing) tellGivenUp(ctx context.Context, before map[string]float64) error {
	now, err := k.callsGivenUp(ctx)
	for _, m := range []lab.Metric{unreachable, broken} {
		reason := strings.TrimPrefix(m.Name, "calls_")
		k.trial.Record.Values[m.Name] = now[reason] - before[reason]
	}
	return err
}

// keepDown kills a process, and its next starts. It returns when it killed it first.
func (k *killing) keepDown(ctx context.Context, name string) (killed time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, downAtMost)
	defer cancel()
	if killed, err = k.stand.Kill(name); err != nil {
		return killed, err
	}
	for seen := 0; seen < moreKills; {
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return killed, fmt.Errorf("%s was not started again: %w", name, err)
		}
		child, err := k.child(name)
		if err != nil {
			return killed, err
		}
		if child.Restarts <= seen || child.PID == 0 {
			continue
		}
		seen = child.Restarts
		if _, err := k.stand.Kill(name); err != nil {
			return killed, err
		}
	}
	return killed, nil
}

// child is what the topology tells of a process or server.
func (k *killing) child(name string) (status.Child, error) {
	state, err := k.stand.Status()
	if err != nil {
		return status.Child{}, err
	}
	for _, p := range state.Processes {
		if p.Name == name {
			return p.Child, nil
		}
	}
	for _, s := range state.Servers {
		if s.Name == name {
			return s.Child, nil
		}
	}
	return status.Child{}, fmt.Errorf("the topology has no %s", name)
}

// journey is one request to one of the endpoints, in turn.
func (k *killing) journey(ctx context.Context, caller *load.Caller, n int, intended time.Time) error {
	e, n := endpoints[n%len(endpoints)], n/len(endpoints)%len(k.quotes)
	order, missing := k.orders[n%len(k.orders)], 0
	_, err := caller.Do(ctx, e.name, intended, func(ctx context.Context, worker int) (err error) {
		switch e.name {
		case "search":
			return k.town.SearchNow(ctx, worker, n)
		case "quote":
			_, err = k.town.QuoteFor(ctx, worker, n)
		case "place":
			order, err = k.town.PlaceQuote(ctx, worker, n, k.quotes[n])
		case "page":
			missing, err = k.town.PageOf(ctx, worker, order)
		case "tracking":
			return k.town.TrackingOf(ctx, worker, order)
		case "ticket":
			return k.town.TicketOf(ctx, worker, order)
		case "courier":
			return k.town.CourierLook(ctx, worker, n)
		}
		return err
	})
	k.goodput.note(e.name, intended, err == nil)
	switch e.name {
	case "page":
		k.goodput.note(wholePage.name, intended, err == nil && missing == 0)
	case "place":
		k.goodput.note(approvals.name, intended, err == nil && k.approved(ctx, order, intended))
	}
	return err
}

// approved tells whether an order is approved in time.
func (k *killing) approved(ctx context.Context, order string, intended time.Time) bool {
	ctx, cancel := context.WithDeadline(ctx, intended.Add(inTime))
	defer cancel()
	_, err := k.town.Seen(ctx, order, "APPROVED")
	return err == nil
}

// fill tells what was lost in the ten seconds after the kill, beyond what was lost before, and when all was well again.
func (k *killing) fill(killed, ready time.Time, after time.Duration) {
	record, at := k.trial.Record, killed.Sub(k.goodput.began)
	record.Values, record.Series = map[string]float64{}, map[string][]lab.Point{}
	var back []float64
	for _, e := range watched {
		record.Values[lostOf(e).Name] = k.goodput.lost(e.name, at, lossesFor).Seconds()
		if until, ok := k.goodput.back(e.name, at, at+after+settled); ok {
			back = append(back, until.Seconds())
		}
		record.Series["made/"+e.name], record.Series["good/"+e.name] = k.goodput.series(e.name, at)
	}
	var spared, needing []float64
	for _, e := range endpoints {
		lost := record.Values[lostOf(e).Name]
		if e.needsVictim(k.trial.Arm) {
			needing = append(needing, lost)
		} else {
			spared = append(spared, lost)
		}
	}
	record.Values[lostAll.Name] = mean(append(slices.Clone(spared), needing...))
	if len(spared) > 0 {
		record.Values[lostSpared.Name] = mean(spared)
	}
	if len(needing) > 0 { // the broker is needed by none of the endpoints
		record.Values[lostNeeded.Name] = mean(needing)
	}
	if len(back) == len(watched) {
		record.Values[backAfter.Name] = slices.Max(back)
	}
	record.Values[readyAfter.Name] = ready.Sub(killed).Seconds()
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}
