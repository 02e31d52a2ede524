package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Component is a part of the process that has to be run, or stopped, or both.
type Component struct {
	Name string

	// Run works until ctx ends, then finishes what it has in hand and returns nil.
	// An error, or a return before ctx ended, ends the process. It may be nil.
	Run func(ctx context.Context) error

	// Stop is called once, after Run's context has ended, and lets go of what the
	// component holds. What is still in hand when ctx ends is given up. It may be nil.
	Stop func(ctx context.Context) error
}

// Group is the components of a process.
type Group struct {
	log        *slog.Logger
	health     *Health
	drain      time.Duration
	components []Component
}

// NewGroup makes a group that takes at most about drain to end, and tells health when
// it has begun and when it is about to end.
func NewGroup(log *slog.Logger, health *Health, drain time.Duration) *Group {
	return &Group{log: log, health: health, drain: drain}
}

// Add adds components, after those they need. It must not be called after Run.
func (g *Group) Add(components ...Component) { g.components = append(g.components, components...) }

// Run starts the components, calls ready, and returns when all have been stopped, which
// begins when ctx ends or a component fails. The error tells what failed first, or
// what could not be stopped in time; it is nil if ctx ended and all stopped.
func (g *Group) Run(ctx context.Context, ready func()) error {
	running := make([]*runner, len(g.components))
	failures := make(chan error, len(g.components))
	for i, c := range g.components {
		running[i] = start(context.WithoutCancel(ctx), c, failures)
	}
	g.health.set(serving)
	ready()
	var failure error
	select {
	case <-ctx.Done():
		g.log.Info("ending", "reason", context.Cause(ctx))
	case failure = <-failures:
		g.log.Error("ending", "reason", failure)
	}
	g.health.set(draining)
	if err := g.stop(context.WithoutCancel(ctx), running); failure == nil {
		failure = err
	}
	return failure
}

// Close stops components that were added but will not be run, as when a later one
// could not be constructed.
func (g *Group) Close(ctx context.Context) error {
	idle := make([]*runner, len(g.components))
	for i, c := range g.components {
		idle[i] = start(ctx, Component{Name: c.Name, Stop: c.Stop}, nil)
	}
	return g.stop(ctx, idle)
}

// stop stops in reverse order. Each component may take half of the time that is left,
// so that one that hangs leaves some to the others.
func (g *Group) stop(ctx context.Context, running []*runner) error {
	began := time.Now()
	var problems []error
	for i := len(running) - 1; i >= 0; i-- {
		left := g.drain - time.Since(began)
		if err := running[i].stop(ctx, max(left/2, shortestStop)); err != nil {
			g.log.Warn("not stopped cleanly", "component", running[i].Name, "error", err)
			problems = append(problems, err)
		}
	}
	g.log.Info("ended", "seconds", time.Since(began).Seconds())
	return errors.Join(problems...)
}

// shortestStop is what a component gets although the time limit is over.
const shortestStop = 100 * time.Millisecond

// runner is a component that was started.
type runner struct {
	Component
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, once ended is closed
}

func start(ctx context.Context, c Component, failures chan<- error) *runner {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{Component: c, cancel: cancel, ended: make(chan struct{})}
	if c.Run == nil {
		close(r.ended)
		return r
	}
	go func() {
		defer close(r.ended)
		err := c.Run(ctx)
		switch {
		case ctx.Err() != nil && errors.Is(err, context.Canceled):
			err = nil
		case ctx.Err() == nil && err == nil:
			err = errors.New("ended by itself")
		}
		if err != nil {
			r.err = fmt.Errorf("%s: %w", c.Name, err)
			failures <- r.err
		}
	}()
	return r
}

func (r *runner) stop(ctx context.Context, limit time.Duration) error {
	r.cancel()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if r.Stop != nil {
		if err := r.waitStop(ctx); err != nil {
			return err
		}
	}
	select {
	case <-r.ended:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("%s: did not end within %v", r.Name, limit)
	}
}

// waitStop calls Stop, and goes on without it if it does not return in time.
func (r *runner) waitStop(ctx context.Context) error {
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(ctx) }()
	select {
	case err := <-stopped:
		return r.named(err)
	case <-ctx.Done():
	}
	select { // one that minds its context is about to return
	case err := <-stopped:
		return r.named(err)
	case <-time.After(shortestStop):
		return fmt.Errorf("%s: did not stop in time", r.Name)
	}
}

func (r *runner) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", r.Name, err)
}
