package work

import (
	"database/sql"

	"kerf/platform/database"
)

// row is an item as the table keeps it.
type row struct {
	key, kind  string
	clock      Time
	due        int64 // µs on clock
	next       sql.NullInt64
	attempts   int
	stuck      bool
	lease      int64
	leaseUntil int64
	payload    []byte
	lastError  string
	origin     origin
}

func (r *row) dueAt(now instants) bool { return r.due <= now.on(r.clock) }

// renew asks for a further run after the one that is claimed.
func (r *row) renew(due int64) {
	if !r.next.Valid || due < r.next.Int64 {
		r.next = sql.NullInt64{Int64: due, Valid: true}
	}
}

func (r *row) free() { r.lease, r.leaseUntil = 0, 0 }

// rows are the items of one key.
type rows []*row

func (rs rows) of(kind string) *row {
	for _, r := range rs {
		if r.kind == kind {
			return r
		}
	}
	return nil
}

func (rs rows) heldByOther(kind string, wall int64) bool {
	for _, r := range rs {
		if r.kind != kind && r.lease != 0 && r.leaseUntil > wall {
			return true
		}
	}
	return false
}

const columns = `key, kind, clock, due, next, attempts, stuck, lease, lease_until, payload, last_error, correlation, causation, traceparent`

func rowsOf(tx *database.Tx, key string) (rows, error) {
	found, err := tx.Query(`SELECT `+columns+` FROM work WHERE key = ?`, key)
	if err != nil {
		return nil, err
	}
	return scanRows(found)
}

func scanRows(found *sql.Rows) (rows, error) {
	defer found.Close()
	var all rows
	for found.Next() {
		r := &row{}
		err := found.Scan(&r.key, &r.kind, &r.clock, &r.due, &r.next, &r.attempts, &r.stuck, &r.lease, &r.leaseUntil,
			&r.payload, &r.lastError, &r.origin.correlation, &r.origin.causation, &r.origin.traceParent)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, found.Err()
}

func insertRow(tx *database.Tx, r *row) error {
	return tx.ExecLater(`INSERT INTO work (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.key, r.kind, r.clock, r.due, r.next, r.attempts, r.stuck, r.lease, r.leaseUntil,
		r.payload, r.lastError, r.origin.correlation, r.origin.causation, r.origin.traceParent)
}

func updateRow(tx *database.Tx, r *row) error {
	return tx.ExecLater(`UPDATE work SET clock = ?, due = ?, next = ?, attempts = ?, stuck = ?, lease = ?, lease_until = ?,
		payload = ?, last_error = ?, correlation = ?, causation = ?, traceparent = ? WHERE key = ? AND kind = ?`,
		r.clock, r.due, r.next, r.attempts, r.stuck, r.lease, r.leaseUntil, r.payload, r.lastError,
		r.origin.correlation, r.origin.causation, r.origin.traceParent, r.key, r.kind)
}

func deleteRow(tx *database.Tx, r *row) error {
	return tx.ExecLater(`DELETE FROM work WHERE key = ? AND kind = ?`, r.key, r.kind)
}

func leaseRow(tx *database.Tx, r *row) error {
	return tx.ExecLater(`UPDATE work SET lease = ?, lease_until = ? WHERE key = ? AND kind = ?`, r.lease, r.leaseUntil, r.key, r.kind)
}
