package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
)

// What a run of E5 observes, each from the moment at which the client had the answer to its write.
const (
	// seenTold: an order was placed; tracking's live stream has told of it.
	seenTold = "placed_told"
	// seenRead: the kitchen's ticket was accepted; a look at the order, which is orders' own, was begun that shows it.
	seenRead = "accepted_read"
	// seenAcceptedTold: the kitchen's ticket was accepted; tracking's live stream has told of it.
	seenAcceptedTold = "accepted_told"

	// Looks at once after the write, in another module than the one that wrote, by what they showed.
	freshOrder, staleOrder = "fresh_order", "stale_order" // the order's own state after the acceptance
	freshList, staleList   = "fresh_list", "stale_list"   // the diner's list of views after placing
)

// visibilityRate is in orders per second: well below the knee of all arms, because a window that is measured in a queue is the queue's.
const visibilityRate = 12

// lookAgain is the shortest pause between looks. Later ones are a tenth of the time that has passed, so that a long wait costs few looks.
const lookAgain = 200 * time.Microsecond

var (
	readP50   = lab.Metric{Name: "accepted_read_p50_ms", Label: "accepted in the kitchen until read from orders, p50", Unit: "ms", Headline: true}
	readP90   = lab.Metric{Name: "accepted_read_p90_ms", Label: "accepted in the kitchen until read from orders, p90", Unit: "ms"}
	toldP50   = lab.Metric{Name: "placed_told_p50_ms", Label: "placed until tracking's stream tells, p50", Unit: "ms", Headline: true}
	toldP90   = lab.Metric{Name: "placed_told_p90_ms", Label: "placed until tracking's stream tells, p90", Unit: "ms"}
	atoldP50  = lab.Metric{Name: "accepted_told_p50_ms", Label: "accepted until tracking's stream tells, p50", Unit: "ms"}
	staleRead = lab.Metric{Name: "stale_order_share", Label: "reads of the order at once after the acceptance that do not show it", Headline: true}
	staleView = lab.Metric{Name: "stale_list_share", Label: "reads of the diner's list at once after placing that do not show the order", Headline: true}
	lookP50   = lab.Metric{Name: "look_p50_ms", Label: "one look at an order, p50", Unit: "ms", Neutral: true}
)

// visibility is E5.
func visibility() lab.Experiment {
	return lab.Experiment{
		ID: "E5", Title: "Consistency window",
		Question:   "How long after a write was acknowledged does another module show it, and how often does who reads at once not see it?",
		Hypothesis: "Less than 2 ms in one process; tens of milliseconds through Kafka.",
		Published: []lab.Finding{
			{Source: "MallBots (Stack, 2022), outbox polled every 333 ms", Found: "1.9 s from checkout to approved, idle"},
			{Source: "kgrzybek's modular monolith, outbox polled every 2 s", Found: "2–4 s a hop"},
			{Source: "Literature on consistency windows between services", Found: "none that measures them was found"},
		},
		Metrics:  []lab.Metric{readP50, readP90, toldP50, toldP90, atoldP50, staleRead, staleView, lookP50, totalPerOrder, latenessP99, errorsPer1000},
		Arms:     visibilityArms,
		Runs:     func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds:  func(p lab.Profile, arm lab.Arm) float64 { return startSeconds(arm) + (p.Warmup + p.Window).Seconds() },
		Run:      watchWrites,
		Conclude: concludeVisibility,
	}
}

func visibilityArms(s lab.Setting) ([]lab.Arm, []string, error) {
	split, notes, err := onKafka(s, splitKafka(s))
	if err != nil {
		return nil, nil, err
	}
	switch {
	case s.RabbitMQ:
		split = append(split, lab.Arm{Name: "split-amqp", Label: "a process per module, RabbitMQ, SQLite", Topology: own(s, "split-amqp.yaml")})
	case s.Strict:
		return nil, nil, errors.New("RabbitMQ is not installed here: deploy/servers install brings it; without -strict its arm is left out")
	default:
		notes = append(notes, "RabbitMQ is not installed here: its arm is left out")
	}
	return slices.Concat([]lab.Arm{monolith(s)}, split, usersArms(s)), notes, nil
}

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

// writer places orders and has them accepted, and looks for both in other modules.
type writer struct{ town *town.Town }

func (w writer) journey(ctx context.Context, caller *load.Caller, n int, intended time.Time) error {
	order, acknowledged, err := w.place(ctx, caller, n, intended)
	if err != nil {
		return err
	}
	// The stream is watched by a goroutine of its own, and tells of an order whenever it is asked; so the list can be read first.
	var listed bool
	if _, err := caller.Do(ctx, "list", acknowledged, func(ctx context.Context, worker int) (err error) {
		listed, err = w.town.Listed(ctx, worker, order)
		return err
	}); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	observeLook(caller, acknowledged, listed, freshList, staleList)
	if err := w.told(ctx, caller, seenTold, order, "", acknowledged); err != nil {
		return err
	}
	approved, err := w.town.Seen(ctx, order, "APPROVED")
	if err != nil {
		return err
	}
	if acknowledged, err = caller.Do(ctx, string(town.Accept), approved, func(ctx context.Context, worker int) error {
		return w.town.Accept(ctx, worker, order)
	}); err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	if err := w.look(ctx, caller, order, acknowledged); err != nil {
		return err
	}
	return w.told(ctx, caller, seenAcceptedTold, order, "ACCEPTED", acknowledged)
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
	acknowledged, err = caller.Do(ctx, string(town.Place), quoted, func(ctx context.Context, worker int) (err error) {
		order, err = w.town.PlaceQuote(ctx, worker, n, quote)
		return err
	})
	if err != nil {
		return "", acknowledged, fmt.Errorf("place: %w", err)
	}
	return order, acknowledged, nil
}

// told observes how long after the acknowledgement the stream told of the order; 0 if it did before.
func (w writer) told(ctx context.Context, caller *load.Caller, name, order, status string, acknowledged time.Time) error {
	told, err := w.town.Seen(ctx, order, status)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	caller.Observe(name, acknowledged, latest(acknowledged, told), nil)
	return nil
}

// look reads the order again and again until it shows that it was accepted. What is observed is when the look was begun that showed it: a client who comes
// so late after the acknowledgement sees the write, and the length of a look, which differs between arms, is not in it.
func (w writer) look(ctx context.Context, caller *load.Caller, order string, acknowledged time.Time) error {
	for first := true; ; first = false {
		var state string
		var begun time.Time
		// A look has no schedule that it could be late for: it is intended when the pause is over.
		done, err := caller.Do(ctx, "look", time.Now(), func(ctx context.Context, worker int) (err error) {
			begun = time.Now()
			state, err = w.town.State(ctx, worker, order)
			return err
		})
		if err != nil {
			return fmt.Errorf("look: %w", err)
		}
		seen := state == "ACCEPTED"
		if first {
			observeLook(caller, acknowledged, seen, freshOrder, staleOrder)
		}
		if seen && first {
			begun = acknowledged // who looks at once sees it
		}
		if seen {
			caller.Observe(seenRead, acknowledged, begun, nil)
			return nil
		}
		if err := wait(ctx, max(lookAgain, done.Sub(acknowledged)/10)); err != nil {
			return err
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
