package load

import (
	"context"
	"errors"
	"time"
)

// Journey is what one arrival does: it runs in a goroutine of its own and reads top down. n counts arrivals from 0, those that were missed too. intended
// is when it was to start, and the intended instant of its first request, which it makes by Caller.Do. A later one follows when the one before it is done,
// by Caller.Then; or some time to think after that, by Do. Its error counts the journey as failed; its requests have been counted by then.
type Journey func(ctx context.Context, caller *Caller, n int, intended time.Time) error

// Caller sends the requests of journeys. All journeys of a load share one.
type Caller struct {
	recorder *Recorder
	// workers that are free, by number.
	workers  chan int
	deadline time.Duration
}

// DefaultDeadline is how long a request is waited for, from its intended instant.
const DefaultDeadline = 10 * time.Second

// NewCaller makes a caller of its own, for requests outside a load. No more than the given number of requests are on their way at a time.
func NewCaller(recorder *Recorder, workers int, deadline time.Duration) *Caller {
	if deadline <= 0 {
		deadline = DefaultDeadline
	}
	c := &Caller{recorder: recorder, workers: make(chan int, workers), deadline: deadline}
	for i := range workers {
		c.workers <- i
	}
	recorder.grow(workers)
	return c
}

// Do sends one request: it waits for a free worker, calls f and records what happened under op. The context that f gets ends at the deadline, counted
// from the intended instant, and f must return then. Requests of one worker do not overlap: f may keep a connection for each. Workers are numbered
// from 0. An intended instant that is yet to come is awaited by a timer of Go's, up to a millisecond late.
//
// The intended instant has to be known beforehand: by how late such requests are, the generator is judged. One that is due as soon as something else is
// done, is made by Then.
//
// done is when the request ended, also if it failed. The error is that of f, or that of the context if no worker was free before the deadline.
func (c *Caller) Do(ctx context.Context, op string, intended time.Time, f func(ctx context.Context, worker int) error) (done time.Time, err error) {
	return c.request(ctx, op, intended, true, f)
}

// Then sends a request as Do does, that is due at once when something else was done: it waits for nothing but a worker, so that it is hardly ever late, and
// would only hide that others are.
func (c *Caller) Then(ctx context.Context, op string, after time.Time, f func(ctx context.Context, worker int) error) (done time.Time, err error) {
	return c.request(ctx, op, after, false, f)
}

func (c *Caller) request(
	ctx context.Context, op string, intended time.Time, scheduled bool, f func(ctx context.Context, worker int) error,
) (done time.Time, err error) {
	ctx, cancel := context.WithDeadline(ctx, intended.Add(c.deadline))
	defer cancel()
	worker, err := c.take(ctx, intended)
	if err != nil {
		done = time.Now()
		c.recorder.request(nobody, op, intended, done, done, scheduled, err)
		return done, err
	}
	sent := time.Now()
	err = f(ctx, worker)
	done = time.Now()
	c.recorder.request(worker, op, intended, sent, done, scheduled, err)
	c.workers <- worker
	return done, err
}

// Observe records what is no request: how long it took from an instant until something was seen, for instance from an order to its approval. A
// non-nil err says that it was not seen.
func (c *Caller) Observe(op string, intended, done time.Time, err error) {
	c.recorder.observation(op, intended, done, err)
}

// Deadline is how long a request is waited for, from its intended instant.
func (c *Caller) Deadline() time.Duration { return c.deadline }

// take waits for the instant and then for a worker.
func (c *Caller) take(ctx context.Context, intended time.Time) (int, error) {
	if wait := time.Until(intended); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	select {
	case worker := <-c.workers:
		return worker, nil
	default:
	}
	select {
	case worker := <-c.workers:
		return worker, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Kinds of errors that this package tells by itself. A client's own errors have a method Kind() string, for instance "503".
const (
	KindDeadline = "deadline" // no answer before the deadline, or no worker
	KindRefused  = "refused"  // nobody listens
	KindReset    = "reset"    // the connection broke
	KindCut      = "cut"      // the load was cut short; not the server's fault
	KindOther    = "other"
)

// Kind is what an error is counted as.
func Kind(err error) string {
	var kinder interface{ Kind() string }
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &kinder):
		return kinder.Kind()
	case errors.Is(err, context.Canceled):
		return KindCut
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return KindDeadline
	default:
		return connectionKind(err)
	}
}
