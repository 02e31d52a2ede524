package work

import (
	"context"
	"time"
)

// Depth counts the items of a queue. Each is waiting, due or claimed; Stuck counts
// some of them again.
type Depth struct {
	Waiting int64 // for their instant, or to be tried again
	Due     int64 // and not claimed yet
	Claimed int64
	Stuck   int64 // failed Config.StuckAfter times in a row, still tried again
}

// Depth counts the items as last committed.
func (q *Queue) Depth(ctx context.Context) (Depth, error) {
	var d Depth
	now := q.now()
	err := q.db.QueryRow(ctx, `SELECT
		count(*) FILTER (WHERE lease = 0 AND due >  CASE clock WHEN 0 THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END),
		count(*) FILTER (WHERE lease = 0 AND due <= CASE clock WHEN 0 THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END),
		count(*) FILTER (WHERE lease <> 0),
		count(*) FILTER (WHERE stuck <> 0) FROM work`, now.wall, now.domain, now.wall, now.domain).
		Scan(&d.Waiting, &d.Due, &d.Claimed, &d.Stuck)
	return d, err
}

// StuckItem is an item that keeps failing, as an operator sees it.
type StuckItem struct {
	Kind, Key string
	Attempts  int
	LastError string
	Next      time.Time // when it is tried again, on the wall clock
}

// Stuck lists up to limit stuck items, those that failed most often first.
func (q *Queue) Stuck(ctx context.Context, limit int) ([]StuckItem, error) {
	found, err := q.db.Query(ctx, `SELECT kind, key, attempts, last_error, due FROM work WHERE stuck <> 0
		ORDER BY attempts DESC, key, kind LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var items []StuckItem
	for found.Next() {
		var (
			item StuckItem
			due  int64
		)
		if err := found.Scan(&item.Kind, &item.Key, &item.Attempts, &item.LastError, &due); err != nil {
			return nil, err
		}
		item.Next = time.UnixMicro(due).UTC()
		items = append(items, item)
	}
	return items, found.Err()
}
