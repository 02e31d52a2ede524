package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"kerf/platform/database"
)

// What a row's column settled says. A later change of the bus opens again what is only stored, since the bus that stores it may
// never be read again; what every group has acked has had its effects everywhere.
const (
	acked  = 1
	stored = 2
)

// firstBus is what a schema was published on that has no record of it.
const firstBus = "memory"

// reopenPart is how many rows are looked at in one transaction.
const reopenPart = 5000

const (
	selectBus = `SELECT bus FROM outbox_bus WHERE one = 1`
	recordBus = `INSERT INTO outbox_bus (one, bus) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET bus = excluded.bus`
	bounds    = `SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM outbox`
	reopen    = `UPDATE outbox SET settled = 0 WHERE settled = 2 AND number >= ? AND number < ?`
)

// adoptBus compares the bus that the schema was published on with the present one. If they differ, all rows that are not known to be
// consumed are opened again, and so are sent again in their order before any newer ones; listeners drop what they have handled. The
// new bus is recorded last: if this is interrupted, it begins anew, and until it is done nothing is published.
func (s *shift) adoptBus(ctx context.Context) error {
	last := firstBus
	if err := s.outbox.db.QueryRow(ctx, selectBus).Scan(&last); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the last bus: %w", err)
	}
	if last == s.cfg.Bus {
		return nil
	}
	var first, newest int64
	if err := s.outbox.db.QueryRow(ctx, bounds).Scan(&first, &newest); err != nil {
		return fmt.Errorf("read the bounds of the log: %w", err)
	}
	reopened := int64(0)
	for number := first; number <= newest; number += reopenPart {
		n, err := s.reopen(ctx, number, number+reopenPart)
		if err != nil {
			return fmt.Errorf("open stored events again: %w", err)
		}
		reopened += n
	}
	if err := s.write(ctx, func(tx *database.Tx) error { return tx.ExecLater(recordBus, s.cfg.Bus) }); err != nil {
		return fmt.Errorf("record the bus: %w", err)
	}
	if newest > 0 {
		s.log.Info("the bus has changed, events that may not be consumed are sent again", "from", last, "to", s.cfg.Bus, "events", reopened)
	}
	return nil
}

// reopen opens the stored rows from a number on and below another, and returns how many there were.
func (s *shift) reopen(ctx context.Context, from, below int64) (reopened int64, err error) {
	err = s.write(ctx, func(tx *database.Tx) error {
		result, err := tx.Exec(reopen, from, below)
		if err != nil {
			return err
		}
		reopened, err = result.RowsAffected()
		return err
	})
	return reopened, err
}

// write runs a command, unless another process has become the relay.
func (s *shift) write(ctx context.Context, f func(tx *database.Tx) error) error {
	return s.outbox.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		if err := s.fence.Check(tx); err != nil {
			return err
		}
		return f(tx)
	})
}
