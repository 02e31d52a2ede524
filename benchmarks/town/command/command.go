package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
	"kerf/cmd/simulate/day"
)

// fastest is the speed of a server's clock up to which orders can be followed: beyond, a ticket lapses within a second if nobody accepts it.
const fastest = 600

// Run does what the arguments say. It prints what was measured on stdout, and how it goes on stderr. An error with a method Usage that returns true says
// that the arguments were wrong; another that the load could not be offered, that it was cut short, or that an invariant was violated.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	r, err := prepare(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer r.town.Close()
	defer r.closeFile()
	failure := r.drive(ctx)
	r.report.CutShort = failure != nil
	if failure == nil {
		failure = r.check(ctx)
	}
	r.goHome(ctx)
	if err := r.write(stdout); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

// run is one load.
type run struct {
	options  options
	mix      town.Mix
	town     *town.Town
	arrivals load.Arrivals // nil for a closed loop
	recorder *load.Recorder
	stderr   io.Writer
	file     *os.File // for the JSON, or nil
	report   Report
}

// prepare reads what is to be replayed, and settles the town.
func prepare(ctx context.Context, o options, stderr io.Writer) (*run, error) {
	r := &run{options: o, recorder: load.NewRecorder(), stderr: stderr, report: Report{Schema: Schema, Target: o.target, Mix: o.mix, Seed: o.seed}}
	var err error
	if r.mix, err = o.chosen(); err != nil {
		return nil, err
	}
	rate, err := r.arrive()
	if err != nil {
		return nil, err
	}
	trust, err := o.trust()
	if err != nil {
		return nil, err
	}
	if o.json != "" { // at once: a wrong name is not to be told after the load
		if r.file, err = os.Create(o.json); err != nil {
			return nil, misuse{err}
		}
	}
	r.say("settling a town at %s", o.target)
	r.town, err = town.Config{URL: o.target, TLS: trust, Size: town.Size{
		Restaurants: o.restaurants, Diners: o.diners, Couriers: o.couriers(rate), Seed: o.seed,
	}}.Settle(ctx)
	if err != nil {
		r.closeFile()
		return nil, err
	}
	if err := r.pace(); err != nil {
		r.town.Close()
		r.closeFile()
		return nil, err
	}
	return r, nil
}

// arrive decides when journeys begin, and returns how many there are in a second.
func (r *run) arrive() (rate float64, err error) {
	o := &r.options
	switch {
	case o.closed > 0:
		r.report.Loop = fmt.Sprintf("closed loop, %d clients", o.closed)
		return 0, nil
	case o.instance == "":
		r.report.Loop = fmt.Sprintf("open loop, Poisson, %g/s", o.rate)
		r.report.RateAsked = o.rate
		r.arrivals = load.For(o.warmup+o.length, load.Poisson(o.rate, o.seed))
		return o.rate, nil
	}
	dir := o.instance
	if dir == "small" {
		dir = ""
	}
	arrivals, length, err := town.Day(dir, o.speed)
	var bad *day.Error
	if errors.As(err, &bad) || errors.Is(err, fs.ErrNotExist) {
		return 0, misuse{err}
	} else if err != nil {
		return 0, err
	}
	o.length = min(o.length, length+time.Second) // the last order counts, too
	r.report.Loop = fmt.Sprintf("open loop, the day in %s %g times as fast", o.instance, o.speed)
	r.arrivals = load.For(o.length, arrivals)
	return 20, nil
}

// pace says what the speed of the server's clock does to the mix.
func (r *run) pace() error {
	speed := r.town.Speed()
	r.report.ServerSpeed = speed
	rides := slices.Contains(r.mix.Steps, town.Ride)
	switch {
	case speed > fastest:
		return misused("%s runs its clock at speed %g: beyond %d, tickets and offers lapse before anybody could answer them", r.options.target, speed, fastest)
	case rides && speed < 10:
		r.say("note: at speed %g an order waits up to %.0f s for a courier; a server at -speed 60 sends them out at once", speed, 30/speed)
	case !rides && speed > 1 && slices.Contains(r.mix.Steps, town.Place):
		r.say("note: at speed %g tickets that nobody accepts lapse after %.0f s, which is work, too; a server at speed 1 leaves them", speed, 600/speed)
	}
	return nil
}

func (r *run) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.stderr, format+"\n", args...) // who does not listen still gets the result
}

// drive offers the load.
func (r *run) drive(ctx context.Context) error {
	o := r.options
	stop := r.window(ctx)
	var err error
	var outcome load.Outcome
	if r.arrivals == nil {
		outcome, err = load.Closed{
			Clients: o.closed, Ramp: o.warmup / 2, For: o.warmup + o.length, Deadline: o.deadline, Drain: o.drain, Recorder: r.recorder,
			Journey: r.town.Journey(r.mix),
		}.Run(ctx)
	} else {
		outcome, err = load.Open{
			Arrivals: r.arrivals, Workers: o.workers, MaxJourneys: o.journeys, Deadline: o.deadline, Drain: o.drain, Recorder: r.recorder,
			Journey: r.town.Journey(r.mix),
		}.Run(ctx)
	}
	stop()
	if outcome.Failure != nil {
		r.report.FirstFailure = outcome.Failure.Error()
	}
	r.report.measure(r.recorder.Snapshot())
	if err != nil {
		return fmt.Errorf("cut short: %w", err)
	}
	return nil
}

// tellEvery is how often is told how it goes.
const tellEvery = 5 * time.Second

// window begins and ends what counts, beside the load, and tells how it goes. The returned function ends it if it goes on, and waits for it.
func (r *run) window(ctx context.Context) (stop func()) {
	var used time.Duration
	start := func() {
		used, _ = load.Self() // what cannot be told is not told
		r.recorder.Begin()
	}
	if r.options.warmup == 0 { // at once, since the first may come at once
		start()
		start = func() {}
	}
	ended, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		begin, end := time.NewTimer(r.options.warmup), time.NewTimer(r.options.warmup+r.options.length)
		tick := time.NewTicker(tellEvery)
		defer begin.Stop()
		defer end.Stop()
		defer tick.Stop()
		finish := func() {
			r.recorder.End()
			if now, err := load.Self(); err == nil {
				r.report.cpu = now - used
			}
		}
		for {
			select {
			case <-begin.C:
				start()
			case <-end.C:
				finish()
				finish = func() {}
			case <-tick.C:
				s := r.recorder.Snapshot()
				r.say("%4.0f s  %d journeys began, %d ended, %d failed, %d missed", s.Seconds(), s.Arrivals, s.Completed, s.Failed, s.Missed)
			case <-ended:
				finish()
				return
			case <-ctx.Done():
				finish()
				return
			}
		}
	}()
	return func() { close(ended); <-told }
}

// check waits for quiet, and holds all orders against the invariants.
func (r *run) check(ctx context.Context) error {
	r.say("waiting for quiet, checking")
	quiet, cancel := context.WithTimeout(ctx, r.options.drain)
	defer cancel()
	if err := r.town.Quiet(quiet); err != nil {
		return err
	}
	var err error
	if r.report.Violations, r.report.Told, err = r.town.Check(ctx); err != nil {
		return err
	}
	for _, n := range r.report.Violations {
		if n > 0 {
			return errors.New("invariants were violated")
		}
	}
	if r.report.Completed == 0 {
		return fmt.Errorf("no journey came to its end: %s", r.report.FirstFailure)
	}
	return nil
}

// goHome lets the next load find no courier of this one. It is tried after an interruption, too.
func (r *run) goHome(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := r.town.GoHome(ctx); err != nil {
		r.say("note: couriers of this town are still on shift: %v", err)
	}
}

func (r *run) closeFile() {
	if r.file != nil {
		_ = r.file.Close() // what matters was written and checked
	}
}
