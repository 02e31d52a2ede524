package web

import (
	"context"
	"fmt"
	"time"

	"kerf/platform/database"
)

// Kept is how long an answer is kept for repeats of its request.
const Kept = 24 * time.Hour

// pruneBatch bounds how long the module's only writer is held.
const pruneBatch = 500

// Prune deletes the answers that are older than Kept at the wall time now, in small transactions, and returns how many. It stops
// early when ctx is done. Of several processes that share the schema one prunes at a time, and the others wait for it.
func Prune(ctx context.Context, db *database.DB, now time.Time) (int64, error) {
	limit := database.Micros(now.Add(-Kept))
	var total int64
	err := db.Exclusive(ctx, "prune", func(ctx context.Context, _ *database.Fence) error {
		for {
			deleted, err := prunePart(ctx, db, limit)
			total += deleted
			if err != nil || deleted < pruneBatch {
				return err
			}
		}
	})
	if err != nil {
		return total, fmt.Errorf("prune answers of %s: %w", db.Module(), err)
	}
	return total, nil
}

// prunePart deletes some of the answers from before an instant, and returns how many.
func prunePart(ctx context.Context, db *database.DB, before int64) (deleted int64, err error) {
	err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		// The oldest rows have the smallest ids: no index on the time is needed.
		result, err := tx.Exec(`DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency ORDER BY id LIMIT ?) AND created_at < ?`,
			pruneBatch, before)
		if err != nil {
			return err
		}
		deleted, err = result.RowsAffected()
		return err
	})
	return deleted, err
}
