package internal

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/database"
)

// A client may stay away for changesKept, on the wall, and still go on where it left off, unless more than mostChanges happened since:
// a log that is bounded by time alone grows with the load.
const (
	changesKept = 24 * time.Hour
	mostChanges = 200_000
)

const (
	selectChangesOfOrder = `SELECT position, document FROM view_change WHERE order_id = ? AND sequence > ? ORDER BY sequence LIMIT ?`
	selectChanges        = `SELECT position, document FROM view_change WHERE position > ? ORDER BY position LIMIT ?`
	selectLogEnds        = `SELECT coalesce((SELECT min(position) FROM view_change), 1), coalesce((SELECT max(position) FROM view_change), 0)`

	// A step of pruning looks at the oldest rows only, whatever the log's length.
	// For a view that is what it was when it was last told, there is a change already.
	insertAnnounced = insertChange + ` ON CONFLICT (order_id, sequence) DO NOTHING`

	selectLastPosition = `SELECT coalesce(max(position), 0) FROM view_change`
	selectChanged      = `SELECT position, order_id FROM view_change WHERE position > ? ORDER BY position LIMIT ?`

	deleteOldChanges = `DELETE FROM view_change WHERE position < (SELECT min(position) + ? FROM view_change)
		AND (changed_at < ? AND position < (SELECT max(position) FROM view_change)
			OR position <= (SELECT max(position) - ? FROM view_change))`
)

const (
	// pruneStep is how many changes are deleted in a transaction.
	pruneStep = 1000
	// pruneEvery is the time, on the wall, from one pruning to the next.
	pruneEvery = time.Minute
)

// change is a row of the log.
type change struct {
	position int64
	view     *trackingapi.View
}

// changesOf returns up to limit changes of an order's view after a sequence.
func changesOf(ctx context.Context, db *database.DB, orderID string, after int64, limit int) ([]change, error) {
	return readChanges(ctx, db, selectChangesOfOrder, orderID, after, limit)
}

// changes returns up to limit changes of all views after a position.
func changes(ctx context.Context, db *database.DB, after int64, limit int) ([]change, error) {
	return readChanges(ctx, db, selectChanges, after, limit)
}

func readChanges(ctx context.Context, db *database.DB, query string, args ...any) ([]change, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found []change
	for rows.Next() {
		var position int64
		var document []byte
		if err := rows.Scan(&position, &document); err != nil {
			return nil, fmt.Errorf("read changes: %w", err)
		}
		v, err := decode(document)
		if err != nil {
			return nil, err
		}
		found = append(found, change{position, v})
	}
	return found, rows.Err()
}

// announceView has the log hold a view as it is now.
func announceView(tx *database.Tx, v *trackingapi.View, wall time.Time) error {
	document, err := proto.Marshal(v)
	if err == nil {
		now := database.Micros(wall)
		err = tx.ExecLater(insertAnnounced, now, v.GetOrderId(), v.GetSequence(), now, document)
	}
	if err != nil {
		return fmt.Errorf("announce a view: %w", err)
	}
	return nil
}

// logEnds returns the first and the last position in the log; 1 and 0 while it is empty.
func logEnds(ctx context.Context, db *database.DB) (first, last int64, err error) {
	if err := db.QueryRow(ctx, selectLogEnds).Scan(&first, &last); err != nil {
		return 0, 0, fmt.Errorf("read changes: %w", err)
	}
	return first, last, nil
}

// pruneAll prunes every so often, until ctx ends.
func (s *Service) pruneAll(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "changes of views are not pruned", "error", err)
			}
		}
	}
}

// Prune deletes the changes that are kept no longer.
func (s *Service) Prune(ctx context.Context) error {
	before := database.Micros(s.clock.Wall().Add(-changesKept))
	for {
		var deleted int64
		err := s.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
			result, err := tx.Exec(deleteOldChanges, pruneStep, before, mostChanges)
			if err != nil {
				return err
			}
			deleted, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("prune changes: %w", err)
		}
		if deleted == 0 {
			return nil
		}
	}
}
