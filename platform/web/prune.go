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
// early when ctx is done.
func Prune(ctx context.Context, db *database.DB, now time.Time) (int64, error) {
	limit := database.Micros(now.Add(-Kept))
	var total int64
	for {
		var deleted int64
		err := db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
			// The oldest rows have the smallest ids: no index on the time is needed.
			result, err := tx.Exec(`DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency ORDER BY id LIMIT ?) AND created_at < ?`,
				pruneBatch, limit)
			if err != nil {
				return err
			}
			deleted, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return total, fmt.Errorf("prune answers of %s: %w", db.Module(), err)
		}
		total += deleted
		if deleted < pruneBatch {
			return total, nil
		}
	}
}
