package work

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// Run handles items until ctx ends. Then no further item begins, those in hand may
// go on for Config.Drain before their contexts end, and Run returns nil once the
// last handler has. A database that fails, be it from the start, is waited for.
//
// It takes over, at once, what processes had claimed that are no more: on SQLite, where
// one process owns the file, all that is claimed. Of several processes that share a
// schema each runs a queue: an item goes to the one that schedules it when it is due
// at once, else to whoever finds it first.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("work of %s: %w", q.db.Module(), err)
	}
	stop := q.db.Listen(notice, q.lookAgain)
	defer stop()
	handlers, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	q.ready.open()
	q.running.Store(true)
	var workers sync.WaitGroup
	for range q.config.Workers {
		workers.Go(func() { q.work(handlers) })
	}
	q.dispatch(ctx)
	q.running.Store(false)
	q.ready.close()
	defer time.AfterFunc(q.config.Drain, cancel).Stop()
	workers.Wait()
	q.letGo(q.ready.rest())
	return nil
}

// begin takes over what ended processes had claimed, and tries until it has: before
// that nothing is claimed here. An error is a defect, or that of ctx.
func (q *Queue) begin(ctx context.Context) error {
	for failures := 1; ; failures++ {
		err := q.takeOver(ctx)
		if kind := fault.KindOf(err); kind != fault.KindUnavailable && kind != fault.KindUnknown {
			return err
		}
		wait := min(q.backOff(failures), longestTakeOver)
		q.log.Warn("work not begun, the database fails", "retry_after", wait, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// longestTakeOver bounds the wait between two tries to begin.
const longestTakeOver = 2 * time.Second

// lettingGo bounds the transaction that frees claims at the end.
const lettingGo = 5 * time.Second

// letGo frees what was claimed and not begun, so that another process need not
// wait for the leases to expire. If that fails, they do expire.
func (q *Queue) letGo(claims []*Claim) {
	if len(claims) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lettingGo)
	defer cancel()
	err := q.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		for _, c := range claims {
			if err := c.settle(tx, ending{how: released}); err != nil && !errors.Is(err, ErrLeaseLost) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		q.log.Warn("claims not released", "count", len(claims), "error", err)
	}
}

// work is one worker.
func (q *Queue) work(ctx context.Context) {
	for {
		c, ok := q.ready.take()
		if !ok {
			return
		}
		if q.backlog.Load() && q.halfEmpty() {
			q.wake()
		}
		q.handle(ctx, c)
	}
}

// handle runs the handler for a claim and ends the claim, whatever happens.
func (q *Queue) handle(ctx context.Context, c *Claim) {
	if !q.holds(ctx, c) {
		return
	}
	q.metrics.late(c.Kind, c.late)
	began := time.Now()
	err := q.call(ctx, c)
	outcome := "done"
	switch {
	case c.end.stray:
		err = misused("Finish or Again outside of Record")
		outcome = q.fail(ctx, c, err)
	case errors.Is(err, ErrLeaseLost):
		outcome = "lost"
		q.lookAgain() // items of the key may have waited for this one
	case c.ended && err != nil:
		q.log.Warn("work failed after it had ended", "kind", c.Kind, "key", c.Key, "error", err)
	case c.ended:
	case err != nil && ctx.Err() != nil:
		outcome = "interrupted"
		q.letGo([]*Claim{c})
	case err != nil:
		outcome = q.fail(ctx, c, err)
	default:
		outcome = q.finish(ctx, c)
	}
	q.metrics.handled(c.Kind, outcome, time.Since(began))
}

// holds reports whether the claim may begin. One that waited so long for a worker
// that its lease could run out under the handler is claimed anew first; so is, where
// others may have taken this process for dead, one that waited for a while.
func (q *Queue) holds(ctx context.Context, c *Claim) bool {
	fresh := q.config.Lease - q.config.Timeout
	if q.db.Shared() {
		fresh = min(fresh, unquestioned)
	}
	left := time.Duration(c.until-micros(q.clock.Wall())) * time.Microsecond
	if left >= q.config.Lease-fresh {
		return true
	}
	until := c.until
	err := q.db.Write(ctx, func(_ context.Context, tx *database.Tx) (err error) {
		until, err = c.prolong(tx)
		return err
	})
	if err != nil {
		if !errors.Is(err, ErrLeaseLost) {
			q.log.Warn("claim not prolonged", "kind", c.Kind, "key", c.Key, "error", err)
		}
		q.lookAgain()
		return false
	}
	c.until = until
	return true
}

// unquestioned is for how long a claim is taken for good without asking the table:
// less than a process has to be silent before others take it for dead.
const unquestioned = 5 * time.Second

// call runs the handler under its deadline and turns a panic into an error.
func (q *Queue) call(ctx context.Context, c *Claim) (err error) {
	ctx, cancel := context.WithTimeout(c.origin.in(ctx), q.config.Timeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("handler panicked: %v", r)
			q.log.Error("work panicked", "kind", c.Kind, "key", c.Key, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	return c.kind.handle(ctx, c)
}

func (q *Queue) finish(ctx context.Context, c *Claim) (outcome string) {
	err := c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
		c.Finish(tx)
		return nil
	})
	return q.recorded(c, "done", err)
}

// fail has the item tried again after a back-off.
func (q *Queue) fail(ctx context.Context, c *Claim, cause error) (outcome string) {
	failures := c.Attempts + 1
	due := micros(q.clock.Wall().Add(q.backOff(failures)))
	message := cause.Error()
	if len(message) > maxCause {
		message = message[:maxCause]
	}
	err := q.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		return c.settle(tx, ending{how: failed, due: due, cause: message})
	})
	if err == nil {
		q.logFailure(c, failures, cause)
	}
	return q.recorded(c, "failed", err)
}

// maxCause bounds what is kept of an error's text.
const maxCause = 1000

// logFailure writes a line for the first failure and for the one that makes the
// item stuck, not for each of them.
func (q *Queue) logFailure(c *Claim, failures int, cause error) {
	switch failures {
	case q.config.StuckAfter:
		q.log.Error("work is stuck", "kind", c.Kind, "key", c.Key, "attempts", failures, "error", cause)
	case 1:
		q.log.Warn("work failed, to be tried again", "kind", c.Kind, "key", c.Key, "error", cause)
	}
}

func (q *Queue) recorded(c *Claim, outcome string, err error) string {
	switch {
	case err == nil:
		return outcome
	case errors.Is(err, ErrLeaseLost):
		q.lookAgain()
		return "lost"
	default: // the lease is still ours, as far as we know: handle it again when the database may be well
		q.log.Warn("outcome of work not recorded", "kind", c.Kind, "key", c.Key, "outcome", outcome, "error", err)
		time.AfterFunc(retryPass, func() { q.ready.push(c) })
		return "unrecorded"
	}
}

// backOff doubles with each failure, up to a bound, and takes off up to half of it
// at random, so that what failed together is not tried again together.
func (q *Queue) backOff(failures int) time.Duration {
	wait := q.config.BackOff
	for range failures - 1 {
		if wait >= q.config.MaxBackOff/2 {
			wait = q.config.MaxBackOff
			break
		}
		wait *= 2
	}
	return wait - rand.N(wait/2+1)
}
