package outbox

import (
	"context"
	"time"

	"kerf/platform/database"
)

const (
	// markRetry is how long to wait after the table could not be written.
	markRetry = time.Second
	// lastMark bounds the writing at the end of Run.
	lastMark = 5 * time.Second
	// pruneEvery and prunePart are how often old rows are deleted, and how many are looked at in one transaction.
	pruneEvery = time.Hour
	prunePart  = 500
)

// markAll writes down what becomes of rows, many at a time, and deletes old ones.
func (r *Relay) markAll(ctx context.Context) error {
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	r.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMark)
			defer cancel()
			r.mark(last)
			return nil
		case <-prune.C:
			r.prune(ctx)
			continue
		case <-r.flights.wake:
		}
		wait(ctx, r.cfg.Mark)
		if !r.mark(ctx) {
			wait(ctx, markRetry)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

const (
	markPublished = `UPDATE outbox SET position = ?, published_at = ?, settled = ? WHERE number = ?`
	markSettled   = `UPDATE outbox SET settled = 1 WHERE number = ?`
)

// mark tells the table what became of rows since it was last told; false if it could not.
func (r *Relay) mark(ctx context.Context) bool {
	marks := r.flights.takeMarks()
	if len(marks) == 0 {
		return true
	}
	now := database.Micros(r.outbox.clock.Wall())
	err := r.outbox.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		for _, m := range marks {
			var err error
			if m.first {
				_, err = tx.Exec(markPublished, m.position, now, m.settled, m.number)
			} else {
				_, err = tx.Exec(markSettled, m.number)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	r.flights.marked(marks, err == nil)
	if err != nil && ctx.Err() == nil { // what the end of Run interrupts is marked once more, with time of its own
		r.log.Error("outbox cannot be marked, trying again", "rows", len(marks), "error", err)
	}
	if err != nil {
		r.flights.remind()
	}
	return err == nil
}

// prune deletes rows that are done and old.
func (r *Relay) prune(ctx context.Context) {
	before := database.Micros(r.outbox.clock.Wall().Add(-r.cfg.Keep))
	for ctx.Err() == nil {
		deleted, err := r.outbox.prune(ctx, before, prunePart)
		if err != nil && ctx.Err() == nil {
			r.log.Error("outbox cannot be pruned", "error", err)
		}
		if err != nil || deleted == 0 {
			return
		}
	}
}
