package outbox

import (
	"context"
	"errors"
	"time"

	"kerf/platform/database"
)

const (
	// databaseRetry is how long to wait after the database failed.
	databaseRetry = time.Second
	// lastMark bounds the writing at the end of Run.
	lastMark = 5 * time.Second
	// pruneEvery and prunePart are how often old rows are deleted, and how many are looked at in one transaction.
	pruneEvery = time.Hour
	prunePart  = 500
)

// markAll writes down what becomes of rows, many at a time, and deletes old ones. Its error is ErrFenced: another process is the relay.
func (s *shift) markAll(ctx context.Context) error {
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	s.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMark)
			defer cancel()
			_ = s.mark(last) // what is not marked is sent again
			return nil
		case <-prune.C:
			s.prune(ctx)
			continue
		case <-s.flights.wake:
		}
		wait(ctx, s.cfg.Mark)
		switch err := s.mark(ctx); {
		case errors.Is(err, database.ErrFenced):
			return err
		case err != nil:
			wait(ctx, databaseRetry)
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
	markSettled   = `UPDATE outbox SET settled = ? WHERE number = ?`
)

// mark tells the table what became of rows since it was last told.
func (s *shift) mark(ctx context.Context) error {
	marks := s.flights.takeMarks()
	if len(marks) == 0 {
		return nil
	}
	now := database.Micros(s.outbox.clock.Wall())
	err := s.write(ctx, func(tx *database.Tx) error {
		for _, m := range marks {
			if err := s.markOne(tx, m, now); err != nil {
				return err
			}
		}
		return nil
	})
	s.flights.marked(marks, err == nil)
	if err != nil && ctx.Err() == nil && !errors.Is(err, database.ErrFenced) { // what the end of a shift interrupts is marked once more, with time of its own
		s.log.Error("outbox cannot be marked, trying again", "rows", len(marks), "error", err)
	}
	if err != nil {
		s.flights.remind()
	}
	return err
}

func (s *shift) markOne(tx *database.Tx, m mark, now int64) error {
	settled := 0
	if m.settled {
		settled = s.done
	}
	if m.first {
		return tx.ExecLater(markPublished, m.position, now, settled, m.number)
	}
	return tx.ExecLater(markSettled, settled, m.number)
}

// prune deletes rows that are done and old.
func (s *shift) prune(ctx context.Context) {
	before := database.Micros(s.outbox.clock.Wall().Add(-s.cfg.Keep))
	for ctx.Err() == nil {
		deleted, err := s.outbox.prune(ctx, before, prunePart)
		if err != nil && ctx.Err() == nil {
			s.log.Error("outbox cannot be pruned", "error", err)
		}
		if err != nil || deleted == 0 {
			return
		}
	}
}
