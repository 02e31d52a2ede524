package experiments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/stand"
	"kerf/benchmarks/town"
	"kerf/benchmarks/usage"
)

// drive says how a topology is driven. What is zero has a default.
type drive struct {
	// Mix is what an arrival does: town.Standard.
	Mix town.Mix
	// Journey is made instead of the mix, if it is not nil.
	Journey load.Journey
	// Rate of arrivals per second, in an open loop: see steadyPoisson. Clients make a closed loop instead.
	Rate    float64
	Clients int
	Size    town.Size
	// Speed of domain time: 60, at which the rounds in which couriers are found, every 30 s of the domain's time, come twice a second.
	Speed float64
	// Warmup and Window: those of the profile.
	Warmup, Window time.Duration
	// Burn is the share of the modules' CPU that is burned beside them, as if they had needed it.
	Burn float64
	// Idle is for how long the topology is left alone at the end, to see what it uses then; 0 leaves that out.
	Idle time.Duration
	// Pour is for how long, at most, messages are carried through Apache Kafka before the warm-up, see warmBroker; 0 leaves that out.
	Pour time.Duration
	// Count has calls and events counted, by the metrics of the processes.
	Count bool
	// Beside runs beside the window, from its beginning, and is waited for. Its context ends with the window.
	Beside func(ctx context.Context, s *site) error
	// Restarts says that processes are expected to be started again in the window; otherwise a run in which that happened does not count.
	Restarts bool
}

// Bounds of all that is waited for.
const (
	workers      = 64   // requests on their way at a time
	room         = 2000 // journeys on their way at a time
	settleFor    = time.Minute
	drainFor     = 20 * time.Second // for journeys to end after the last arrival
	quietFor     = 30 * time.Second
	checkFor     = time.Minute
	stopFor      = 30 * time.Second
	standardRate = 6 // orders per second of the standard mix: half of what two cores can do where every module is a process on PostgreSQL
)

// withDefaults fills in what is zero.
func (d drive) withDefaults(p lab.Profile) drive {
	if d.Mix.Name == "" {
		d.Mix = town.Standard
	}
	if d.Rate == 0 && d.Clients == 0 {
		d.Rate = standardRate
	}
	if d.Size == (town.Size{}) {
		d.Size = town.Size{Restaurants: 8, Diners: 128, Couriers: 32}
	}
	if d.Speed == 0 {
		d.Speed = 60
	}
	if d.Warmup == 0 {
		d.Warmup = p.Warmup
	}
	if d.Window == 0 {
		d.Window = p.Window
	}
	return d
}

// site is a topology that was started for a run, with a town that has settled there.
type site struct {
	trial *lab.Trial
	stand *stand.Stand
	town  *town.Town
	watch *usage.Watcher
	// warmed is what became of the broker before the warm-up, nil if it was left as it was.
	warmed *warmed
}

// run makes a whole run: it starts the arm's topology, drives it, checks what became of the orders, and ends it. The trial's record is filled in.
func (d drive) run(ctx context.Context, t *lab.Trial) (err error) {
	d = d.withDefaults(t.Setting.Profile)
	s, err := open(ctx, t, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	m, err := s.load(ctx, d)
	if err != nil {
		return err
	}
	m.fill(t.Record)
	return s.finish(ctx, d)
}

// open starts the arm's topology on fresh data, and settles a town there. The site has to be closed.
func open(ctx context.Context, t *lab.Trial, d drive) (_ *site, err error) {
	d = d.withDefaults(t.Setting.Profile)
	t.Stage("start")
	s := &site{trial: t}
	s.stand, err = stand.Start(ctx, stand.Config{
		Launcher: t.Launcher, Topology: fileOf(t), Kfake: t.Arm.Kfake, Overrides: t.Arm.Config, Dir: t.Dir, Speed: d.Speed,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	t.Record.Facts = d.facts(s.stand.Facts())
	t.Stage("settle")
	settling, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	d.Size.Seed = t.Seed
	if s.town, err = town.Settle(settling, s.stand.URL(), d.Size); err != nil {
		return s, fmt.Errorf("settle a town: %w", err)
	}
	if d.Burn > 0 {
		if err = s.stand.Plant(ctx, t.Self, d.Burn); err != nil {
			return s, fmt.Errorf("plant a burner: %w", err)
		}
	}
	if s.watch, err = s.stand.Watch(); err != nil {
		return s, err
	}
	if d.Pour > 0 {
		if err = s.warmBroker(ctx, d.Pour); err != nil {
			return s, err
		}
	}
	t.Record.Facts["generator's scheduling"] = "before all other processes (SCHED_FIFO)"
	if prefer(true) != nil {
		t.Record.Facts["generator's scheduling"] = "as all other processes, since this user may not change it"
	}
	return s, nil
}

// facts are those of the stand, and what the fairness sheet has to say of the load.
func (d drive) facts(facts map[string]string) map[string]string {
	if facts == nil {
		facts = map[string]string{}
	}
	facts["load"] = fmt.Sprintf("open loop, %s arrivals a second of a Poisson process that brings as many in each %s", number(d.Rate), span)
	if d.Clients > 0 {
		facts["load"] = fmt.Sprintf("closed loop, %d clients", d.Clients)
	}
	facts["mix"] = d.Mix.Name
	facts["town"] = fmt.Sprintf("%d restaurants, %d diners, %d couriers", d.Size.Restaurants, d.Size.Diners, d.Size.Couriers)
	facts["domain time"] = number(d.Speed) + " times as fast as the wall's"
	facts["warm-up and window"] = fmt.Sprintf("%s and %s", d.Warmup, d.Window)
	return facts
}

// fileOf is the path of the arm's topology file.
func fileOf(t *lab.Trial) string {
	if filepath.IsAbs(t.Arm.Topology) {
		return t.Arm.Topology
	}
	return filepath.Join(t.Setting.Source, t.Arm.Topology)
}

// finish waits until nothing is under way any more and holds what happened against the invariants, in the trial's record. An orders' system that
// finds no rest breaks one too.
func (s *site) finish(ctx context.Context, d drive) error {
	record := s.trial.Record
	s.trial.Stage("quiet")
	waiting, cancel := context.WithTimeout(ctx, quietFor)
	defer cancel()
	if err := s.town.Quiet(waiting); err != nil {
		if waiting.Err() == nil || ctx.Err() != nil {
			return fmt.Errorf("wait for quiet: %w", err)
		}
		record.Violations = map[string]int{"I9": 1}
		record.Told = append(record.Told, "no rest after "+quietFor.String()+": "+err.Error())
		return nil
	}
	s.trial.Stage("check")
	checking, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	violations, told, err := s.town.Check(checking)
	if err != nil {
		return fmt.Errorf("check the invariants: %w", err)
	}
	maps.DeleteFunc(violations, func(_ string, n int) bool { return n == 0 })
	record.Violations, record.Told = violations, append(record.Told, told...)
	if !d.Restarts {
		if err := s.undisturbed(record); err != nil {
			return err
		}
	}
	if d.Idle > 0 {
		return s.idle(ctx, d.Idle)
	}
	return nil
}

// undisturbed has a run not count in which a process or server ended and was started again.
func (s *site) undisturbed(record *lab.Record) error {
	state, err := s.stand.Status()
	if err != nil {
		return err
	}
	for _, p := range state.Processes {
		if p.Restarts > 0 {
			record.Void = fmt.Sprintf("%s ended by itself (%s) and was started again", p.Name, p.Ended)
		}
	}
	for _, server := range state.Servers {
		if server.Restarts > 0 {
			record.Void = fmt.Sprintf("%s ended by itself (%s) and was started again", server.Name, server.Ended)
		}
	}
	return nil
}

// idle measures what the topology uses when nobody asks for anything.
func (s *site) idle(ctx context.Context, for_ time.Duration) error {
	s.trial.Stage("idle")
	s.town.Close() // its couriers would go on asking for offers
	if err := s.watch.Begin(); err != nil {
		return err
	}
	if err := wait(ctx, for_); err != nil {
		return err
	}
	w, err := s.watch.End()
	if err != nil {
		return err
	}
	idled(s.trial.Record, w)
	return nil
}

// idled tells what was used while nothing happened, per second, and what of the CPU per order that is: the fewer orders there are, the more of what time
// costs is booked on each.
func idled(record *lab.Record, w usage.Window) {
	modules := 1000 * (w.CPU[usage.Modules] + w.CPU[usage.Planted]) / w.Seconds
	all := modules + 1000*(w.CPU[usage.Broker]+w.CPU[usage.Database])/w.Seconds
	record.Values[idleCPU.Name] = all
	if rate := record.Values[ordersPerSecond.Name]; rate > 0 {
		record.Values[idlePerOrder.Name] = all / rate
		record.Values[netPerOrder.Name] = record.Values[modulesPerOrder.Name] - modules/rate
	}
}

// close ends the topology, however the run went.
func (s *site) close(ctx context.Context) error {
	s.trial.Stage("stop")
	_ = prefer(false) // what could not be raised need not be lowered
	if s.town != nil {
		s.town.Close()
	}
	if s.watch != nil {
		s.watch.Close()
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
	defer cancel()
	return s.stand.Stop(stopping)
}

// wait passes time.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// loop is the load that d asks for, until stop is closed.
func (d drive) loop(s *site, recorder *load.Recorder, stop <-chan struct{}) func(context.Context) (load.Outcome, error) {
	journey := d.Journey
	if journey == nil {
		journey = s.town.Journey(d.Mix)
	}
	if d.Clients > 0 {
		return load.Closed{Clients: d.Clients, Ramp: d.Warmup / 2, Drain: drainFor, Recorder: recorder, Journey: journey, Stop: stop}.Run
	}
	return load.Open{
		Arrivals: steadyPoisson(d.Rate, s.trial.Seed), Workers: workers, MaxJourneys: room, Drain: drainFor,
		Recorder: recorder, Journey: journey, Stop: stop,
	}.Run
}
