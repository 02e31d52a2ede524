package work

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// Claim is an item that a handler holds by lease.
type Claim struct {
	Kind     string
	Key      string
	Payload  []byte
	Attempts int // failures in a row before this run

	queue  *Queue
	kind   kind
	origin origin
	token  int64
	until  int64         // end of the lease, µs of the wall
	late   time.Duration // how long after it was due it was claimed

	recording *database.Tx // the transaction of the Record that runs
	end       ending       // what that Record asked for
	ended     bool         // a committed Record has ended the claim
}

// ending is how a claim ends, or the zero value: it does not yet.
type ending struct {
	how     how
	due     int64 // again: on the kind's clock; failed: on the wall
	payload []byte
	cause   string
	stray   bool // asked for outside of Record
}

type how uint8

const (
	goOn how = iota
	finish
	again
	failed
	released
)

// Record runs f in a transaction and commits it only if the item is still this
// claim's; otherwise nothing is recorded and it fails with ErrLeaseLost. It
// prolongs the lease, or ends the claim if f calls Finish or Again. It may be
// called several times, once for each step, by one goroutine at a time. Other
// errors are f's own or the database's; after the latter the outcome is unknown.
func (c *Claim) Record(ctx context.Context, f func(ctx context.Context, tx *database.Tx) error) error {
	if c.ended || c.end.stray {
		return misused("Record, Finish or Again after the claim has ended or outside of Record")
	}
	until := c.until
	err := c.queue.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		c.recording, c.end = tx, ending{} // f may run more than once: see database.DB.Write
		defer func() { c.recording = nil }()
		err := f(ctx, tx)
		if err != nil {
			return err
		}
		if c.end.stray {
			return misused("Finish or Again with a transaction that is not Record's")
		}
		if c.end.how == goOn {
			until, err = c.prolong(tx)
			return err
		}
		return c.settle(tx, c.end)
	})
	if err != nil {
		c.end = ending{stray: c.end.stray}
		return err
	}
	c.until, c.ended = until, c.end.how != goOn
	return nil
}

func misused(what string) error {
	return fault.Internal(errors.New("work: "+what), "work_misused")
}

// Finish ends the item when the Record that tx is of commits. If the item was
// scheduled again meanwhile, it runs again.
func (c *Claim) Finish(tx *database.Tx) {
	c.end = ending{how: finish, stray: tx != c.recording}
}

// Again ends this run when the Record that tx is of commits, and has the handler
// run again once due has come on the kind's clock, with the new payload unless it
// is nil. It counts as success: the failures counted so far are forgotten.
func (c *Claim) Again(tx *database.Tx, due time.Time, payload []byte) {
	c.end = ending{how: again, due: micros(due), payload: payload, stray: tx != c.recording}
}

// prolong writes a longer lease and gives its end, in microseconds of the wall.
func (c *Claim) prolong(tx *database.Tx) (int64, error) {
	until := micros(c.queue.clock.Wall()) + c.queue.config.Lease.Microseconds()
	result, err := tx.Exec(`UPDATE work SET lease_until = ? WHERE key = ? AND kind = ? AND lease = ?`, until, c.Key, c.Kind, c.token)
	if err != nil {
		return 0, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return 0, errors.Join(err, ErrLeaseLost)
	}
	return until, nil
}

// settle ends the claim as e says and hands the key on to the item that is due
// next, in the same transaction.
func (c *Claim) settle(tx *database.Tx, e ending) error {
	items, err := rowsOf(tx, c.Key)
	if err != nil {
		return err
	}
	item := items.of(c.Kind)
	if item == nil || item.lease != c.token {
		return ErrLeaseLost
	}
	item.free()
	switch e.how {
	case finish:
		if !item.next.Valid {
			return errors.Join(deleteRow(tx, item), c.queue.handOn(tx, items, item, true))
		}
		c.succeed(item, item.next.Int64)
	case again:
		due := e.due
		if item.next.Valid {
			due = min(due, item.next.Int64)
		}
		c.succeed(item, due)
		if e.payload != nil {
			item.payload = e.payload
		}
	case failed:
		item.attempts++
		item.stuck = item.attempts >= c.queue.config.StuckAfter
		item.clock, item.due, item.lastError = Wall, e.due, e.cause
	}
	return c.queue.handOn(tx, items, item, false)
}

func (c *Claim) succeed(item *row, due int64) {
	item.clock, item.due, item.next = c.kind.on, due, sql.NullInt64{}
	item.attempts, item.stuck, item.lastError = 0, false, ""
}

// handOn gives the key, which item has just let go, to the item of the key that is
// due and waits longest, and writes item down unless it is gone. The others of the
// key come first: one that always runs again must not starve them.
func (q *Queue) handOn(tx *database.Tx, items rows, item *row, gone bool) error {
	now := q.now()
	var heir *row
	for _, r := range items {
		if _, known := q.kinds[r.kind]; !known || r == item || r.lease != 0 || !r.dueAt(now) {
			continue
		}
		if heir == nil || q.late(r, now) > q.late(heir, now) {
			heir = r
		}
	}
	if heir == nil {
		if gone {
			return nil
		}
		return q.place(tx, nil, item, updateRow)
	}
	if !gone {
		if err := updateRow(tx, item); err != nil {
			return err
		}
		q.announce(tx, item, false)
	}
	return q.place(tx, nil, heir, leaseRow)
}
