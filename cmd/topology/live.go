package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/topology/forward"
	"kerf/cmd/topology/layout"
	"kerf/cmd/topology/supervise"
	"kerf/platform/process"
)

// stage is children that are stopped together.
type stage struct {
	topology *topology
	cancel   context.CancelFunc
	ctx      context.Context
	running  sync.WaitGroup
}

func (t *topology) stage(ctx context.Context) *stage {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &stage{topology: t, cancel: cancel, ctx: ctx}
}

// start runs a child from now on. One that cannot run ends the topology.
func (s *stage) start(child *supervise.Child) {
	s.running.Go(func() {
		if err := child.Run(s.ctx); err != nil {
			s.topology.fail(err)
		}
	})
}

// stop stops the children, and returns when all have ended.
func (s *stage) stop() {
	s.cancel()
	s.running.Wait()
}

// fail ends the topology; the first reason is the one that is told.
func (t *topology) fail(err error) {
	select {
	case t.broken <- err:
	default:
	}
}

// live starts everything, waits for the end, and stops everything in the reverse order. The stages: the servers, one after the other
// but for what they prepare; the processes, all at the same time; what leads the public to them.
func (t *topology) live(ctx context.Context) (err error) {
	var started []func() // what stops what was started
	defer func() {
		t.report.set("draining")
		for i := len(started) - 1; i >= 0; i-- {
			started[i]()
		}
	}()
	below := t.stage(ctx)
	started = append(started, below.stop)
	if err := t.startServers(ctx, below); err != nil {
		return t.reason(ctx, err)
	}
	if err := t.configure(ctx); err != nil {
		return t.reason(ctx, err)
	}
	rest, edge := t.stage(ctx), t.stage(ctx)
	started = append(started, rest.stop)
	shut := func() {}
	if t.layout.Forwards() {
		var finish func()
		if shut, finish, err = t.forward(ctx); err != nil {
			return err
		}
		started = append(started, finish)
	}
	started = append(started, edge.stop, shut)
	children := t.startInstances(rest, edge)
	for _, child := range children {
		if err := t.await(ctx, child); err != nil {
			return t.reason(ctx, err)
		}
	}
	t.report.set("ready")
	t.log.Info("ready", "url", t.url(), "processes", len(children), "data", t.data)
	t.console.Aside(func() { err = process.Ready(t.stdout, t.url()) })
	if err != nil {
		t.log.Error("nobody reads that this is ready", "error", err)
	}
	select {
	case <-ctx.Done():
		t.log.Info("draining", "reason", context.Cause(ctx))
		return nil
	case err := <-t.broken:
		return err
	}
}

// reason is nil if the start was cut short by whoever wanted an end.
func (t *topology) reason(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		t.log.Info("ending before it was ready", "reason", context.Cause(ctx))
		return nil
	}
	return err
}

// await waits until a child is ready for the first time.
func (t *topology) await(ctx context.Context, child *supervise.Child) error {
	select {
	case <-child.FirstReady():
		return nil
	case err := <-t.broken:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startServers prepares the servers side by side, and starts their programs one by one.
func (t *topology) startServers(ctx context.Context, below *stage) error {
	preparing, preparation := errgroup.WithContext(ctx)
	for _, server := range t.servers {
		preparing.Go(func() error { return server.Prepare(preparation) })
	}
	if err := preparing.Wait(); err != nil {
		return err
	}
	starting, startup := errgroup.WithContext(ctx)
	for _, server := range t.servers {
		starting.Go(func() error {
			for _, spec := range server.Programs {
				child := t.child(spec)
				below.start(child)
				if err := t.await(startup, child); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return starting.Wait()
}

// child makes one that is reported.
func (t *topology) child(spec supervise.Spec) *supervise.Child {
	return supervise.New(spec, t.starter, t.log, func(s supervise.Status) { t.report.child(spec.Name, s) })
}

// startInstances starts the processes: those with the gateway in a stage of their own, which is stopped first.
func (t *topology) startInstances(rest, edge *stage) (children []*supervise.Child) {
	for _, i := range t.layout.Instances {
		var child *supervise.Child
		child = t.child(t.spec(i, func() <-chan struct{} { return child.FirstReady() }))
		if i.HasGateway() {
			edge.start(child)
		} else {
			rest.start(child)
		}
		children = append(children, child)
	}
	return children
}

// lastBytes is how long it may take until what gateways said at their end has been passed on.
const lastBytes = time.Second

// forward opens the public address. Shut takes no more connections, while the gateways still serve those that are open; finish passes on what they
// said last.
func (t *topology) forward(ctx context.Context) (shut, finish func(), err error) {
	t.book.ReleaseAddress(t.layout.Listen)
	listener, err := process.Listen(ctx, t.layout.Listen)
	if err != nil {
		return nil, nil, err
	}
	var gateways []layout.Instance
	for _, i := range t.layout.Instances {
		if i.HasGateway() {
			gateways = append(gateways, i)
		}
	}
	f := forward.New(listener, func() []string { return t.report.ready(gateways) }, t.log)
	accepting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.Run(accepting); err != nil {
			t.fail(err)
		}
	}()
	shut = func() {
		cancel()
		<-ended
	}
	finish = func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastBytes)
		defer cancel()
		if err := f.Stop(last); err != nil {
			t.log.Warn("at the public address", "error", err)
		}
	}
	return shut, finish, nil
}
