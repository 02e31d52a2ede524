package outbox

import (
	"context"
	"database/sql"
	"fmt"

	"kerf/platform/bus"
	"kerf/platform/database"
)

// Entry is a published event in the log.
type Entry struct {
	// Position in the partition, from 1 without gaps; positions in different partitions say nothing about each other.
	Position int64
	Meta     bus.Meta
	// Data is the event in protobuf.
	Data []byte
}

const columns = `number, event_id, type, schema_version, subject, key, sequence, time, correlation_id, causation_id, trace_parent,
	data, partition, coalesce(position, 0)`

// ReadLog returns published events of a partition whose position is above after, in order, limit at most. Fewer means that there are
// no more yet. Events that are older than 30 days may be gone.
func (o *Outbox) ReadLog(ctx context.Context, partition int, after int64, limit int) ([]Entry, error) {
	rows, err := o.query(ctx, `SELECT `+columns+` FROM outbox WHERE partition = ? AND position IS NOT NULL AND position > ?
		ORDER BY position LIMIT ?`, partition, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read log of %s: %w", o.source, err)
	}
	entries := make([]Entry, len(rows))
	for i, r := range rows {
		r.meta.ContentType = bus.Protobuf.ContentType()
		entries[i] = Entry{Position: r.position, Meta: r.meta, Data: r.data}
	}
	return entries, nil
}

func (o *Outbox) query(ctx context.Context, query string, args ...any) ([]row, error) {
	found, err := o.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		r := row{meta: bus.Meta{Source: o.source}}
		var micros int64
		m := &r.meta
		if err := found.Scan(&r.number, &m.ID, &m.Type, &m.SchemaVersion, &m.Subject, &m.Key, &m.Sequence, &micros,
			&m.CorrelationID, &m.CausationID, &m.TraceParent, &r.data, &r.partition, &r.position); err != nil {
			return nil, err
		}
		m.Time = database.Time(micros)
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// Counts says how many events the module has had in all, those whose rows are gone included.
type Counts struct {
	Written, Published int64
	// Settled events are known to have been acked by every group; on a bus that stores messages, to be stored there. After a change
	// of the bus they may become fewer.
	Settled int64
}

// The last row of a partition's log is never deleted, so its position is the number of events that were ever published there.
const (
	lastPositions = `WITH RECURSIVE partitions (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM partitions WHERE n < 15)
		SELECT coalesce((SELECT position FROM outbox WHERE partition = n AND position IS NOT NULL ORDER BY position DESC LIMIT 1), 0) AS last
		FROM partitions ORDER BY n`
	counts = `SELECT
		(SELECT CAST(sum(last) AS BIGINT) FROM (` + lastPositions + `) AS positions),
		(SELECT count(*) FROM outbox WHERE settled = 0 AND position IS NULL),
		(SELECT count(*) FROM outbox WHERE settled = 0 AND position IS NOT NULL)`
)

// Counts counts the module's events. It is cheap: its cost grows only with what is not settled.
func (o *Outbox) Counts(ctx context.Context) (Counts, error) {
	var published, unpublished, unsettled int64
	if err := o.db.QueryRow(ctx, counts).Scan(&published, &unpublished, &unsettled); err != nil {
		return Counts{}, fmt.Errorf("count events of %s: %w", o.source, err)
	}
	return Counts{Written: published + unpublished, Published: published, Settled: published - unsettled}, nil
}

// positions returns the last position of each partition.
func (o *Outbox) positions(ctx context.Context) (last [Partitions]int64, err error) {
	found, err := o.db.Query(ctx, lastPositions)
	if err != nil {
		return last, err
	}
	defer found.Close()
	for i := 0; found.Next(); i++ {
		if err := found.Scan(&last[i]); err != nil {
			return last, err
		}
	}
	return last, found.Err()
}

const (
	openRows       = `SELECT ` + columns + ` FROM outbox WHERE settled = 0 AND number > ? ORDER BY number LIMIT ?`
	openUnsentRows = `SELECT ` + columns + ` FROM outbox WHERE settled = 0 AND position IS NULL AND number > ? ORDER BY number LIMIT ?`
)

// open returns rows above number that are not settled, in order of number; published ones too if again is set.
func (o *Outbox) open(ctx context.Context, number int64, again bool, limit int) ([]row, error) {
	if again {
		return o.query(ctx, openRows, number, limit)
	}
	return o.query(ctx, openUnsentRows, number, limit)
}

// The newest row stays, so that no number is given twice, and the last of each partition, so that no position is.
const deleteOld = `DELETE FROM outbox WHERE number IN (
		SELECT number FROM (SELECT number, settled, published_at FROM outbox ORDER BY number LIMIT ?) AS oldest
		WHERE settled <> 0 AND published_at < ?)
	AND number < (SELECT max(number) FROM outbox)
	AND position < (SELECT l.position FROM outbox l WHERE l.partition = outbox.partition AND l.position IS NOT NULL
		ORDER BY l.position DESC LIMIT 1)`

// prune deletes some of the oldest rows that are settled and were published before the given instant. It returns their number.
func (o *Outbox) prune(ctx context.Context, before int64, limit int) (deleted int64, err error) {
	err = o.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		var result sql.Result
		if result, err = tx.Exec(deleteOld, limit, before); err != nil {
			return err
		}
		deleted, err = result.RowsAffected()
		return err
	})
	return deleted, err
}
