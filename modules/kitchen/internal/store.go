package internal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// The statements of a ticket's life are prepared SQL: every order takes this path several times.
const (
	ticketColumns = `order_id, version, state, reason, missing_items, restaurant_id, consumer_id, lines, notes, pickup_code,
		preparation_seconds, cancel_id, state_before, promised, handed_over, accept_by, ready_by, ready_at, created_at, updated_at`

	insertTicket = `INSERT INTO ticket (` + ticketColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`

	selectTicket = `SELECT ` + ticketColumns + ` FROM ticket WHERE order_id = ?`

	// What a ticket is made of never changes, so an update leaves it out.
	updateTicket = `UPDATE ticket SET version = ?, state = ?, reason = ?, missing_items = ?, cancel_id = ?, state_before = ?, promised = ?,
		handed_over = ?, accept_by = ?, ready_by = ?, ready_at = ?, updated_at = ? WHERE order_id = ? AND version = ?`

	// A ticket held by a cancel still occupies the kitchen that works on it. The states are those of the index ticket_open.
	countPreparing = `SELECT count(*) FROM ticket WHERE restaurant_id = ?
		AND state IN ('AWAITING_ACCEPTANCE', 'ACCEPTED', 'PREPARING', 'READY', 'CANCEL_PENDING')
		AND (state = 'PREPARING' OR state = 'CANCEL_PENDING' AND state_before = 'PREPARING')`
)

// create writes a new ticket down. It returns false if the order has one already, or a tombstone.
func create(tx *database.Tx, t *Ticket) (bool, error) {
	lines, err := json.Marshal(t.Lines)
	if err != nil {
		return false, fmt.Errorf("write a ticket's lines: %w", err)
	}
	result, err := tx.Exec(insertTicket, t.OrderID, t.Version, string(t.State), t.Reason, encodeIDs(t.MissingItems), t.RestaurantID,
		t.ConsumerID, string(lines), t.Notes, t.PickupCode, int64(t.Preparation/time.Second), t.CancelID, string(t.StateBefore),
		t.Promised, t.HandedOver, database.NullMicros(t.AcceptBy), database.NullMicros(t.ReadyBy), database.NullMicros(t.ReadyAt),
		database.Micros(t.CreatedAt), database.Micros(t.UpdatedAt))
	if err != nil {
		return false, fmt.Errorf("create a ticket: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// find returns an order's ticket, tombstones included, or NotFound.
func find(tx *database.Tx, orderID string) (*Ticket, error) {
	return scanTicket(tx.QueryRow(selectTicket, orderID))
}

// findMade is find, but a tombstone is no ticket to it.
func findMade(tx *database.Tx, orderID string) (*Ticket, error) {
	t, err := find(tx, orderID)
	if err == nil && t.isTombstone() {
		return nil, fault.NotFound("ticket")
	}
	return t, err
}

// read returns an order's ticket as last committed, or NotFound; a tombstone is no ticket.
func read(ctx context.Context, db *database.DB, orderID string) (*Ticket, error) {
	t, err := scanTicket(db.QueryRow(ctx, selectTicket, orderID))
	if err == nil && t.isTombstone() {
		return nil, fault.NotFound("ticket")
	}
	return t, err
}

// update writes a changed ticket down. The commands of a module run one after another, whatever process they are of; should a ticket
// nevertheless be changed from what is old, the version makes it fail.
func update(tx *database.Tx, t *Ticket, seen int64) error {
	result, err := tx.Exec(updateTicket, t.Version, string(t.State), t.Reason, encodeIDs(t.MissingItems), t.CancelID,
		string(t.StateBefore), t.Promised, t.HandedOver, database.NullMicros(t.AcceptBy), database.NullMicros(t.ReadyBy), database.NullMicros(t.ReadyAt),
		database.Micros(t.UpdatedAt), t.OrderID, seen)
	if err != nil {
		return fmt.Errorf("update a ticket: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fault.Conflict(time.Second, "ticket_busy", "the ticket has just changed").WithCause(err)
	}
	return nil
}

func scanTicket(row database.Row) (*Ticket, error) {
	var (
		t              Ticket
		missing, lines string
		preparation    int64
	)
	err := row.Scan(&t.OrderID, &t.Version, &t.State, &t.Reason, &missing, &t.RestaurantID, &t.ConsumerID, &lines, &t.Notes, &t.PickupCode,
		&preparation, &t.CancelID, &t.StateBefore, &t.Promised, &t.HandedOver,
		database.IntoTime(&t.AcceptBy), database.IntoTime(&t.ReadyBy), database.IntoTime(&t.ReadyAt), database.IntoTime(&t.CreatedAt), database.IntoTime(&t.UpdatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("ticket")
	}
	if err != nil {
		return nil, fmt.Errorf("read a ticket: %w", err)
	}
	if err := json.Unmarshal([]byte(lines), &t.Lines); err != nil {
		return nil, fmt.Errorf("read a ticket's lines: %w", err)
	}
	if missing != "" {
		if err := json.Unmarshal([]byte(missing), &t.MissingItems); err != nil {
			return nil, fmt.Errorf("read a ticket's missing items: %w", err)
		}
	}
	t.Preparation = time.Duration(preparation) * time.Second
	return &t, nil
}

func encodeIDs(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	b, err := json.Marshal(ids)
	if err != nil { // strings only: cannot happen
		return ""
	}
	return string(b)
}

const (
	insertUndone = `INSERT INTO undone_cancel (order_id, cancel_id, undone_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	selectUndone = `SELECT 1 FROM undone_cancel WHERE order_id = ? AND cancel_id = ?`
)

// refuseLateCancel has a BeginCancel of this cancel refused from now on.
func refuseLateCancel(tx *database.Tx, orderID, cancelID string, now time.Time) error {
	if _, err := tx.Exec(insertUndone, orderID, cancelID, database.Micros(now)); err != nil {
		return fmt.Errorf("remember an undone cancel: %w", err)
	}
	return nil
}

// undone tells whether the cancel was taken back.
func undone(tx *database.Tx, orderID, cancelID string) (bool, error) {
	var one int
	err := tx.QueryRow(selectUndone, orderID, cancelID).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
