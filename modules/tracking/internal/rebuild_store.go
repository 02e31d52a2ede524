package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"kerf/platform/database"
	"kerf/platform/outbox"
)

// Phase is how far a rebuild is.
type Phase string

// The phases, in their order.
const (
	Reading    Phase = "reading"    // the logs, from their beginning to their end
	Merging    Phase = "merging"    // what the views that are served have beyond the logs
	Announcing Phase = "announcing" // the new views are served, and streams are told
	Clearing   Phase = "clearing"   // of the old views
	Done       Phase = "done"
)

// Why a rebuild was begun.
const (
	causeAsked = "asked"
	causeEmpty = "empty" // the schema is younger than the installation's orders
)

// rebuild is the last rebuild.
type rebuild struct {
	id         string
	cause      string
	phase      Phase
	merged     string
	changed    int64
	kept       int64
	unreadable int64
	problem    string
	startedAt  time.Time
	swappedAt  time.Time
	endedAt    time.Time
}

// served tells whether the views that it makes are the ones that are served.
func (r *rebuild) served() bool { return r.phase != Reading && r.phase != Merging }

const (
	selectRebuild = `SELECT id, cause, phase, merged, changed, kept, unreadable, problem, started_at, swapped_at, ended_at
		FROM rebuild WHERE one = 1`
	replaceRebuild = `INSERT INTO rebuild (one, id, cause, phase, merged, changed, kept, unreadable, problem, started_at)
		VALUES (1, ?, ?, 'reading', '', 0, 0, 0, '', ?)
		ON CONFLICT (one) DO UPDATE SET id = excluded.id, cause = excluded.cause, phase = excluded.phase, merged = '', changed = 0, kept = 0,
			unreadable = 0, problem = '', started_at = excluded.started_at, swapped_at = NULL, ended_at = NULL`
	forgetCursors  = `DELETE FROM rebuild_log`
	setPhase       = `UPDATE rebuild SET phase = ? WHERE one = 1`
	setSwapped     = `UPDATE rebuild SET phase = 'announcing', swapped_at = ? WHERE one = 1`
	setEnded       = `UPDATE rebuild SET phase = 'done', ended_at = ? WHERE one = 1`
	setProblem     = `UPDATE rebuild SET problem = ? WHERE one = 1 AND problem <> ?`
	addRead        = `UPDATE rebuild SET kept = kept + ?, unreadable = unreadable + ? WHERE one = 1`
	addMerged      = `UPDATE rebuild SET merged = ?, kept = kept + ?, changed = changed + ? WHERE one = 1`
	selectProgress = `SELECT source, sum(events), max(newest) FROM rebuild_log GROUP BY source`
	selectCursors  = `SELECT source, partition, position FROM rebuild_log`
	upsertCursor   = `INSERT INTO rebuild_log (source, partition, position, events, newest) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (source, partition) DO UPDATE SET position = excluded.position, events = rebuild_log.events + excluded.events,
			newest = excluded.newest`

	insertNews = `INSERT INTO rebuild_news (order_id) VALUES (?) ON CONFLICT DO NOTHING`
	selectNews = `SELECT order_id FROM rebuild_news ORDER BY order_id LIMIT ?`
	deleteNews = `DELETE FROM rebuild_news WHERE order_id = ?`
	clearOld   = `DELETE FROM order_view WHERE generation < ?
		AND order_id IN (SELECT order_id FROM order_view WHERE generation < ? LIMIT ?)`

	// The plus has orders passed through by their ids: by an index of the generation all that are left would be sorted for each page.
	selectUnmerged = `SELECT o.order_id, o.document, n.document FROM order_view o
		LEFT JOIN order_view n ON n.order_id = o.order_id AND n.generation = ?
		WHERE +o.generation = ? AND o.order_id > ? ORDER BY o.order_id LIMIT ?`
)

// The open orders that were not served before, of which whoever follows all orders has to learn.
var newsOfOpen = `INSERT INTO rebuild_news (order_id) SELECT n.order_id FROM order_view n
	WHERE n.generation = ? AND n.status IN ('` + strings.Join(openStatuses, `', '`) + `')
		AND NOT EXISTS (SELECT 1 FROM order_view o WHERE o.order_id = n.order_id AND o.generation = ?)
	ON CONFLICT DO NOTHING`

// scanRebuild reads the last rebuild; nil if there was none.
func scanRebuild(row database.Row) (*rebuild, error) {
	var r rebuild
	err := row.Scan(&r.id, &r.cause, &r.phase, &r.merged, &r.changed, &r.kept, &r.unreadable, &r.problem,
		database.IntoTime(&r.startedAt), database.IntoTime(&r.swappedAt), database.IntoTime(&r.endedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the rebuild: %w", err)
	}
	return &r, nil
}

// progress is how much of a module's log was read.
type progress struct {
	events int64
	newest time.Time // of the events that were read
}

func readProgress(ctx context.Context, db *database.DB) (map[Source]progress, error) {
	rows, err := db.Query(ctx, selectProgress)
	if err != nil {
		return nil, fmt.Errorf("read the rebuild's progress: %w", err)
	}
	defer func() { _ = rows.Close() }()
	found := map[Source]progress{}
	for rows.Next() {
		var source Source
		var p progress
		if err := rows.Scan(&source, &p.events, database.IntoTime(&p.newest)); err != nil {
			return nil, fmt.Errorf("read the rebuild's progress: %w", err)
		}
		found[source] = p
	}
	return found, rows.Err()
}

// readCursors returns the positions up to which each log was read, by partition.
func readCursors(ctx context.Context, db *database.DB) (map[Source]*[outbox.Partitions]int64, error) {
	cursors := map[Source]*[outbox.Partitions]int64{}
	for _, source := range sources {
		cursors[source] = &[outbox.Partitions]int64{}
	}
	rows, err := db.Query(ctx, selectCursors)
	if err != nil {
		return nil, fmt.Errorf("read the rebuild's progress: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var source Source
		var partition, position int64
		if err := rows.Scan(&source, &partition, &position); err != nil {
			return nil, fmt.Errorf("read the rebuild's progress: %w", err)
		}
		cursors[source][partition] = position
	}
	return cursors, rows.Err()
}

// selectStands takes readPage ids.
var selectStands = `SELECT order_id, generation, document FROM order_view
	WHERE order_id IN (?` + strings.Repeat(", ?", readPage-1) + `)`

// findAll returns what there is of up to readPage orders.
func findAll(tx *database.Tx, now showing, orderIDs []string) (map[string]*stand, error) {
	args := make([]any, readPage)
	stands := make(map[string]*stand, len(orderIDs))
	for i := range args {
		args[i] = ""
	}
	for i, id := range orderIDs {
		args[i] = id
		shown, _ := rowOf(nil, now.generation)
		making, _ := rowOf(nil, now.making)
		stands[id] = &stand{shown, making, now.merging}
	}
	rows, err := tx.Query(selectStands, args...)
	if err != nil {
		return nil, fmt.Errorf("read views: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var generation int64
		var document []byte
		if err := rows.Scan(&id, &generation, &document); err != nil {
			return nil, fmt.Errorf("read views: %w", err)
		}
		switch generation {
		case now.generation:
			stands[id].shown, err = rowOf(document, generation)
		case now.making:
			stands[id].making, err = rowOf(document, generation)
		}
		if err != nil {
			return nil, err
		}
	}
	return stands, rows.Err()
}

// findUnmerged returns up to limit orders after one whose views are served, in the order of their ids.
func findUnmerged(tx *database.Tx, now showing, after string, limit int) ([]string, []*stand, error) {
	rows, err := tx.Query(selectUnmerged, now.making, now.generation, after, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("read views: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var ids []string
	var stands []*stand
	for rows.Next() {
		var id string
		var shown, making []byte
		if err := rows.Scan(&id, &shown, &making); err != nil {
			return nil, nil, fmt.Errorf("read views: %w", err)
		}
		s := &stand{merging: true}
		if s.shown, err = rowOf(shown, now.generation); err != nil {
			return nil, nil, err
		}
		if s.making, err = rowOf(making, now.making); err != nil {
			return nil, nil, err
		}
		ids, stands = append(ids, id), append(stands, s)
	}
	return ids, stands, rows.Err()
}
