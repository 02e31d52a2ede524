package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
)

// watchWrites makes a run of E5.
func watchWrites(ctx context.Context, t *lab.Trial) (err error) {
	d := drive{Rate: visibilityRate, Speed: 1, Warmup: t.Setting.Profile.Warmup, Window: t.Setting.Profile.Window}
	s, err := open(ctx, t, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	t.Record.Facts["mix"] = "quote, place, look for it in tracking; accept, look for it in orders and tracking"
	d.Journey = writer{s.town}.journey
	m, err := s.load(ctx, d)
	if err != nil {
		return err
	}
	m.fill(t.Record)
	windows(t.Record, m.Load)
	countUnseen(t.Record, m.Load)
	return s.finish(ctx, d)
}

// windows tells what was observed.
func windows(record *lab.Record, seen load.Snapshot) {
	for _, name := range []string{seenTold, seenRead, seenAcceptedTold, "look"} {
		of := seen.Ops[name].Response
		if of == nil {
			continue
		}
		for _, p := range []float64{50, 90} {
			if ms, ok := load.Percentile(of, p); ok {
				metric := fmt.Sprintf("%s_p%.0f_ms", name, p)
				record.Values[metric], record.Samples[metric] = ms, of.TotalCount()
			}
		}
		keep(record, name+"/response", of)
	}
	for metric, ops := range map[string][2]string{staleRead.Name: {staleOrder, freshOrder}, staleView.Name: {staleList, freshList}} {
		stale, fresh := seen.Ops[ops[0]].Count, seen.Ops[ops[1]].Count
		if stale+fresh > 0 {
			record.Values[metric], record.Samples[metric] = float64(stale)/float64(stale+fresh), stale+fresh
		}
	}
}

// countUnseen tells what share of the orders was not seen to the end: their windows are missing, and could be the longest.
func countUnseen(record *lab.Record, seen load.Snapshot) {
	if seen.Arrivals > 0 {
		record.Values[unseenShare.Name] = float64(seen.Arrivals-seen.Completed) / float64(seen.Arrivals)
		record.Samples[unseenShare.Name] = seen.Arrivals
	}
}

// writer places orders and has them accepted, and looks for both in other modules.
type writer struct{ town *town.Town }

func (w writer) journey(ctx context.Context, caller *load.Caller, n int, intended time.Time) error {
	order, placed, err := w.place(ctx, caller, n, intended)
	if err != nil {
		return err
	}
	// The stream is watched by a goroutine of its own, and tells of an order whenever it is asked; so the list can be read first.
	var listed bool
	read, err := caller.Then(ctx, "list", placed, func(ctx context.Context, worker int) (err error) {
		listed, err = w.town.Listed(ctx, worker, order)
		return err
	})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	observeLook(caller, placed, listed, freshList, staleList)
	if _, err := observe(ctx, caller, seenTold, placed, w.told(order, "")); err != nil {
		return err
	}
	approved, err := observe(ctx, caller, string(town.Approved), placed, w.told(order, "APPROVED"))
	if err != nil {
		return err
	}
	accepted, err := caller.Then(ctx, string(town.Accept), latest(read, approved), func(ctx context.Context, worker int) error {
		return w.town.Accept(ctx, worker, order)
	})
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	if _, err := observe(ctx, caller, seenRead, accepted, w.read(caller, order, accepted)); err != nil {
		return err
	}
	_, err = observe(ctx, caller, seenAcceptedTold, accepted, w.told(order, "ACCEPTED"))
	return err
}

// place orders, and returns when that was acknowledged.
func (w writer) place(ctx context.Context, caller *load.Caller, n int, intended time.Time) (order string, acknowledged time.Time, err error) {
	var quote string
	quoted, err := caller.Do(ctx, string(town.Quote), intended, func(ctx context.Context, worker int) (err error) {
		quote, err = w.town.QuoteFor(ctx, worker, n)
		return err
	})
	if err != nil {
		return "", quoted, fmt.Errorf("quote: %w", err)
	}
	acknowledged, err = caller.Then(ctx, string(town.Place), quoted, func(ctx context.Context, worker int) (err error) {
		order, err = w.town.PlaceQuote(ctx, worker, n, quote)
		return err
	})
	if err != nil {
		return "", acknowledged, fmt.Errorf("place: %w", err)
	}
	return order, acknowledged, nil
}

// sight waits until something shows, and returns when it did.
type sight func(ctx context.Context) (time.Time, error)

// observe observes how long after the acknowledgement something showed; 0 if it did before. What fails, or is given up, is observed too, because it
// may be what took longest.
func observe(ctx context.Context, caller *load.Caller, name string, acknowledged time.Time, show sight) (time.Time, error) {
	ctx, cancel := context.WithDeadline(ctx, acknowledged.Add(givenUp))
	defer cancel()
	at, err := show(ctx)
	if err != nil {
		caller.Observe(name, acknowledged, time.Now(), err)
		return at, fmt.Errorf("%s: %w", name, err)
	}
	at = latest(acknowledged, at)
	caller.Observe(name, acknowledged, at, nil)
	return at, nil
}

// told is when the stream told that the order was so far.
func (w writer) told(order, status string) sight {
	return func(ctx context.Context) (time.Time, error) { return w.town.Seen(ctx, order, status) }
}

// read reads the order again and again until it shows that it was accepted. That is when the look was begun that showed it: a client who comes so late
// after the acknowledgement sees the write, and the length of a look, which differs between arms, is not in it. Who looks at once and sees it has waited
// for nothing.
func (w writer) read(caller *load.Caller, order string, accepted time.Time) sight {
	return func(ctx context.Context) (begun time.Time, err error) {
		for first := true; ; first = false {
			var state string
			// A look has no schedule that it could be late for: it is intended when the pause is over.
			done, err := caller.Then(ctx, "look", time.Now(), func(ctx context.Context, worker int) (err error) {
				begun = time.Now()
				state, err = w.town.State(ctx, worker, order)
				return err
			})
			if err != nil {
				return done, err
			}
			seen := state == "ACCEPTED"
			if first {
				observeLook(caller, accepted, seen, freshOrder, staleOrder)
			}
			switch {
			case seen && first:
				return accepted, nil
			case seen:
				return begun, nil
			}
			if err := wait(ctx, max(lookAgain, done.Sub(accepted)/10)); err != nil {
				return done, err
			}
		}
	}
}

// observeLook counts a look by what it showed.
func observeLook(caller *load.Caller, at time.Time, shown bool, fresh, stale string) {
	name := stale
	if shown {
		name = fresh
	}
	caller.Observe(name, at, at, nil)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
