package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Runner makes the runs of a plan.
type Runner struct {
	Folder *Folder
	// Experiments are those of the plan that are made now, in this order.
	Experiments []Experiment
	Setting     Setting
	// Launcher and Self are for the trials.
	Launcher, Self string
	Progress       *Progress
	Log            *slog.Logger
}

// Summary is what a session ended with.
type Summary struct {
	// Incomplete experiments, and those of which a run violated an invariant, with what to say of each.
	Incomplete, Violated []string
}

// Err is an error of one line if the command has to fail.
func (s Summary) Err() error {
	var all []string
	if len(s.Violated) > 0 {
		all = append(all, "invariants were violated in "+strings.Join(s.Violated, ", "))
	}
	if len(s.Incomplete) > 0 {
		all = append(all, "incomplete: "+strings.Join(s.Incomplete, "; "))
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// Run makes all runs that are missing. It ends early if the context does, with the context's cause: what was measured until then is kept, the
// run under way is not. Another error says that runs cannot be kept.
func (r *Runner) Run(ctx context.Context) (Summary, error) {
	var summary Summary
	session := time.Now()
	courses := make([]*course, len(r.Experiments))
	for i, e := range r.Experiments {
		c, err := r.course(e, session)
		if err != nil {
			return summary, err
		}
		courses[i] = c
	}
	r.Progress.begun(courses)
	for i, e := range r.Experiments {
		if err := r.experiment(ctx, e, courses[i], courses); err != nil {
			return summary, err
		}
		summary.add(e, courses[i])
	}
	return summary, nil
}

func (r *Runner) course(e Experiment, session time.Time) (*course, error) {
	for _, planned := range r.Folder.Plan.Experiments {
		if planned.ID == e.ID {
			records, err := r.Folder.Records(e.ID)
			return &course{planned: planned, slots: schedule(planned, r.Folder.Plan.Seed), records: records, session: session}, err
		}
	}
	return nil, fmt.Errorf("%s is not in the plan", e.ID)
}

func (r *Runner) experiment(ctx context.Context, e Experiment, c *course, all []*course) error {
	told := len(c.leftOut())
	for {
		run, attempt, ok := c.next()
		if !ok {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		record, err := r.run(ctx, e, c, run, attempt)
		if err != nil {
			return err
		}
		if err := r.Folder.Save(record); err != nil {
			return fmt.Errorf("cannot keep a run: %w", err)
		}
		c.records = append(c.records, *record)
		r.Progress.ended(e, c, record, remaining(all))
		if left := c.leftOut(); len(left) > told {
			told = len(left)
			r.Progress.leftOut(e, c, record.Arm, left[record.Arm])
		}
	}
}

// run makes one run. The error is the context's; that of the run itself is in its record.
func (r *Runner) run(ctx context.Context, e Experiment, c *course, run slot, attempt int) (*Record, error) {
	arm := c.planned.arm(run.arm, r.Setting.Source)
	record := &Record{
		Experiment: e.ID, Arm: arm.Name, Block: run.block, Position: run.position, Attempt: attempt, Seed: run.seed,
		Version: r.Folder.Plan.Version, Started: time.Now(), Values: map[string]float64{},
	}
	dir, err := r.Folder.trial(record)
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for a run: %w", err)
	}
	trial := &Trial{
		Setting: r.Setting, Experiment: e.ID, Arm: arm, Block: run.block, Seed: run.seed, Dir: dir,
		Launcher: r.Launcher, Self: r.Self, Record: record,
		Stage: func(what string) { r.Progress.stage(e, c, record, what) },
	}
	trial.Stage("starting")
	limit := patience(c.planned.Estimates[arm.Name])
	within, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("took more than %v", limit))
	err = e.Run(within, trial)
	if late := within.Err(); err != nil && late != nil {
		err = errors.Join(context.Cause(within), err)
	}
	cancel()
	record.Seconds = time.Since(record.Started).Seconds()
	if err != nil && ctx.Err() != nil {
		r.remove(dir)
		return nil, context.Cause(ctx)
	}
	if err != nil {
		record.Failed = oneLine(err)
		return record, nil // its folder says more
	}
	if record.Others == nil && record.Usage.Seconds > 0 {
		record.Others = map[string]Others{"window": OthersIn(record.Usage)}
	}
	record.Void, record.Disturbed = voids(record), disturbed(record)
	r.remove(dir)
	return record, nil
}

// patience is how long a run may take that was estimated at so many seconds, before it is ended: a slow machine is no fault, a run that hangs is.
func patience(estimate float64) time.Duration {
	return time.Minute + time.Duration(4*estimate)*time.Second
}

func (r *Runner) remove(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		r.Log.Warn("a run's folder could not be removed", "folder", dir, "error", err)
	}
	os.Remove(filepath.Dir(dir)) // the folder of all trials, once it is empty
}

// arm is one of the plan, its topology file where it lies on this machine.
func (p Planned) arm(name, source string) Arm {
	for _, arm := range p.Arms {
		if arm.Name == name {
			arm.Topology = located(source, arm.Topology)
			return arm
		}
	}
	return Arm{Name: name}
}

// remaining is the estimate of all that is left to do, corrected by how long the runs took that were made.
func remaining(all []*course) time.Duration {
	var left, took, estimated float64
	for _, c := range all {
		_, seconds := c.done()
		left += seconds
		for i := range c.records {
			took += c.records[i].Seconds
			estimated += c.planned.Estimates[c.records[i].Arm]
		}
	}
	const trust = 30 // seconds: what the estimates weigh against what was seen
	return time.Duration(left * (took + trust) / (estimated + trust) * float64(time.Second))
}

func (s *Summary) add(e Experiment, c *course) {
	if what := c.missing(); what != "" {
		s.Incomplete = append(s.Incomplete, e.ID+" ("+what+")")
	}
	violated := 0
	for i := range c.records {
		if len(c.records[i].Violations) > 0 {
			violated++
		}
	}
	if violated > 0 {
		s.Violated = append(s.Violated, fmt.Sprintf("%d of %d runs of %s", violated, len(c.records), e.ID))
	}
}

// oneLine is an error in one line of bounded length.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	const most = 600
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
