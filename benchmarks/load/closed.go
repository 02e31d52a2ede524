package load

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Closed is a closed loop: clients that each start the next journey when their last has ended. It tells what a server can do at most. Its latencies
// leave out all who would have come while it stalled: use Open for those.
type Closed struct {
	Clients int
	// Ramp is the time in which the clients start, one after another; 0 starts them together.
	Ramp time.Duration
	// For is how long clients start journeys; 0 is until Stop or the end of the context.
	For time.Duration
	// Deadline, Drain, Recorder, Journey and Stop are as in Open.
	Deadline time.Duration
	Drain    time.Duration
	Recorder *Recorder
	Journey  Journey
	Stop     <-chan struct{}
}

// pause is how long a client waits after a journey that failed: without it, clients of a server that refuses would only burn its and their CPU.
const pause = 10 * time.Millisecond

// Run offers the load and returns when the last journey has ended, as Open's does.
func (c Closed) Run(ctx context.Context) (Outcome, error) {
	if c.Recorder == nil || c.Journey == nil || c.Clients < 1 {
		return Outcome{}, errors.New("a closed loop needs a recorder, a journey and a client")
	}
	outer := ctx
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	f := newFlight(c.Recorder, c.Clients, c.Deadline, c.Journey)
	var n atomic.Int64
	ended := make(chan struct{})
	for i := range c.Clients {
		f.all.Go(func() {
			if pass(ctx, c.Ramp*time.Duration(i)/time.Duration(c.Clients), ended) {
				f.client(ctx, &n, ended)
			}
		})
	}
	var over <-chan time.Time
	if c.For > 0 {
		timer := time.NewTimer(c.For)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-c.Stop:
	case <-ctx.Done():
	}
	close(ended)
	return f.land(outer, c.Drain, cut)
}

// client makes one journey after another.
func (f *flight) client(ctx context.Context, n *atomic.Int64, ended <-chan struct{}) {
	for pass(ctx, 0, ended) {
		intended := time.Now()
		f.arrive(intended)
		if f.fly(ctx, int(n.Add(1)-1), intended) != nil && !pass(ctx, pause, ended) {
			return
		}
	}
}

// pass waits; it is false if the load has ended.
func pass(ctx context.Context, wait time.Duration, ended <-chan struct{}) bool {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-ended:
		return false
	case <-ctx.Done():
		return false
	default:
		return true
	}
}
