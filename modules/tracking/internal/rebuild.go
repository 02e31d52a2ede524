package internal

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/platformpb"
)

// A rebuild makes all views anew from the modules' logs, into a generation of their own, and then serves that one. Until then the old
// views are served and follow what happens, and so do the new ones as far as they are (generation.go). It goes in small steps, each of
// which is one transaction with the note of how far it has come, so whoever has the job after a crash goes on from there:
//
//   - reading: each log, to its end;
//   - merging: order by order, what the old views have beyond the logs, of which modules keep thirty days: an aggregate whose first
//     events are gone keeps what the old view says of it. The last of these steps serves the new views instead of the old ones;
//   - announcing: what came out different goes to live streams, under the next sequence of the view;
//   - clearing: the old views are deleted.

const (
	// readPage is how many events are read and folded at a time, and mergePage how many views are merged or deleted: a command that waits
	// for the step has the writer a few milliseconds later.
	readPage  = 100
	mergePage = 100
	// patienceWithLogs is how long a merge waits, on the wall, for logs to show what was heard, and for what they show to be heard: as long
	// as it takes a module to note what it has published, or a listener to work off what it has before it, and then some.
	patienceWithLogs = 10 * time.Second
	// lookAgain is the time between two looks meanwhile.
	lookAgain = 20 * time.Millisecond
	// firstRetry and longestRetry bound the wait until a step that failed is tried again.
	firstRetry   = 100 * time.Millisecond
	longestRetry = 5 * time.Second
)

// The topics by which processes that share a schema wake each other.
const (
	topicRebuild = "rebuild" // there is something to do for who has the job
	topicViews   = "views"   // a change was written
)

// Log is the log of a module.
type Log interface {
	// ReadLog returns published events of one partition after a position, in their order; fewer than the limit if there are no more yet.
	// It is asked again after whatever error it ends in.
	ReadLog(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error)
}

// Logs are those of the modules whose events the views are made of.
type Logs struct{ Orders, Kitchen, Delivery, Accounting Log }

func (l Logs) of(s Source) Log {
	switch s {
	case Orders:
		return l.Orders
	case Kitchen:
		return l.Kitchen
	case Delivery:
		return l.Delivery
	default:
		return l.Accounting
	}
}

// rebuilder rebuilds the views. All but begin belongs to the one goroutine that has the job.
type rebuilder struct {
	db    *database.DB
	clock Clock
	logs  Logs
	facts map[string]hearing // by type of event
	log   *slog.Logger
	// told has streams look at the change log, for an order or, for "", for all.
	told func(orderID string)

	fence    *database.Fence
	problem  string    // that is noted; empty for none
	patience time.Time // until when a view's other half is waited for
}

func newRebuilder(db *database.DB, clk Clock, logs Logs, told func(orderID string), log *slog.Logger) *rebuilder {
	r := &rebuilder{db: db, clock: clk, logs: logs, facts: map[string]hearing{}, log: log, told: told}
	for _, h := range hearings() {
		r.facts[h.event] = h
	}
	return r
}

// begin begins a rebuild. It is refused while one is under way.
func (r *rebuilder) begin(tx *database.Tx, cause string) (*rebuild, error) {
	last, err := scanRebuild(tx.QueryRow(selectRebuild))
	if err != nil {
		return nil, err
	}
	if last != nil && last.phase != Done {
		return nil, fault.Conflict(time.Second, "rebuild_running", "the views are being rebuilt already")
	}
	next := &rebuild{id: ids.New(), cause: cause, phase: Reading, startedAt: r.clock.Wall()}
	for _, statement := range []struct {
		text string
		args []any
	}{{beginMaking, nil}, {forgetCursors, nil}, {replaceRebuild, []any{next.id, next.cause, database.Micros(next.startedAt)}}} {
		if _, err := tx.Exec(statement.text, statement.args...); err != nil {
			return nil, fmt.Errorf("begin a rebuild: %w", err)
		}
	}
	tx.Notify(topicRebuild)
	tx.AfterCommit(func() { r.log.Info("views are rebuilt", "rebuild", next.id, "cause", cause) })
	return next, nil
}

// work rebuilds what is to be rebuilt, until ctx ends.
func (r *rebuilder) work(ctx context.Context, fence *database.Fence) error {
	ctx = identity.With(ctx, identity.Service("tracking"))
	r.fence, r.problem = fence, "what who had the job before may have noted"
	wake := newBell()
	defer r.db.Listen(topicRebuild, wake.ring)()
	retry := firstRetry
	for {
		err := r.finish(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			retry = firstRetry
			select {
			case <-wake:
			case <-ctx.Done():
			}
		default:
			r.note(ctx, err)
			pause(ctx, retry)
			retry = min(2*retry, longestRetry)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// finish takes the rebuild that is under way to its end, if there is one.
func (r *rebuilder) finish(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	for {
		now, err := scanRebuild(r.db.QueryRow(ctx, selectRebuild))
		if err != nil || now == nil || now.phase == Done {
			return err
		}
		if err := r.phase(ctx, now); err != nil {
			return err
		}
	}
}

// phase goes through the phase that the rebuild is in.
func (r *rebuilder) phase(ctx context.Context, now *rebuild) error {
	switch now.phase {
	case Reading:
		if err := r.readLogs(ctx); err != nil {
			return err
		}
		return r.exec(ctx, step{beginMerging, nil}, step{setPhase, []any{string(Merging)}})
	case Merging:
		return r.merge(ctx)
	case Announcing:
		return r.announce(ctx)
	default:
		if err := r.clear(ctx); err != nil {
			return err
		}
		r.log.InfoContext(ctx, "views were rebuilt", "rebuild", now.id, "changed", now.changed)
		return r.exec(ctx, step{setEnded, []any{database.Micros(r.clock.Wall())}})
	}
}

// look finds out, once in the life of a schema, whether it is younger than the installation's orders: then it has to be built.
func (r *rebuilder) look(ctx context.Context) error {
	now, err := readShowing(r.db.QueryRow(ctx, selectShowing))
	if err != nil || now.looked {
		return err
	}
	older, err := r.anyOrders(ctx)
	if err != nil {
		return err
	}
	if !older {
		return r.exec(ctx, step{noteLooked, nil})
	}
	err = r.write(ctx, func(tx *database.Tx) error {
		_, err := r.begin(tx, causeEmpty)
		return err
	})
	if fault.KindOf(err) == fault.KindConflict { // somebody has asked for it meanwhile
		return nil
	}
	return err
}

// note lets operators know why a rebuild does not go on, once for each reason.
func (r *rebuilder) note(ctx context.Context, problem error) {
	if problem.Error() == r.problem {
		return
	}
	r.log.WarnContext(ctx, "the rebuild of views waits", "error", problem)
	if err := r.exec(ctx, step{setProblem, []any{problem.Error(), problem.Error()}}); err == nil {
		r.problem = problem.Error()
	}
}

// write is a step of the job: it fails if somebody else has the job by now, and tells that there is no problem any more.
func (r *rebuilder) write(ctx context.Context, f func(tx *database.Tx) error) error {
	err := r.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		if err := r.fence.Check(tx); err != nil {
			return err
		}
		if r.problem != "" {
			if _, err := tx.Exec(setProblem, "", ""); err != nil {
				return err
			}
		}
		return f(tx)
	})
	if err == nil {
		r.problem = ""
	}
	return err
}

// step is a statement of a step.
type step struct {
	text string
	args []any
}

func (r *rebuilder) exec(ctx context.Context, steps ...step) error {
	return r.write(ctx, func(tx *database.Tx) error {
		for _, s := range steps {
			if _, err := tx.Exec(s.text, s.args...); err != nil {
				return fmt.Errorf("note how far a rebuild is: %w", err)
			}
		}
		return nil
	})
}
