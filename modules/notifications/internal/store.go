package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// Prepared SQL: every order takes this path about ten times.
const (
	notificationColumns = `id, recipient_id, event_id, about, order_id, state, reason, amount, currency, ready_by, locale, title, body,
		created_at, read_at`

	insertNotification = `INSERT INTO notification (` + notificationColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (recipient_id, event_id) DO NOTHING`

	selectPending = `SELECT ` + notificationColumns + ` FROM notification WHERE recipient_id = ? AND state = 'PENDING'
		ORDER BY event_id LIMIT ?`

	answerNotification = `UPDATE notification SET state = ?, locale = ?, title = ?, body = ? WHERE id = ? AND state = 'PENDING'`

	selectNotification = `SELECT ` + notificationColumns + ` FROM notification WHERE id = ?`

	markRead = `UPDATE notification SET read_at = ? WHERE id = ?`

	// The inbox has what was sent; the rest is for who looks why something was not.
	selectInbox = `SELECT ` + notificationColumns + ` FROM notification
		WHERE recipient_id = ? AND event_id < ? AND state = 'SENT' ORDER BY event_id DESC LIMIT ?`
	selectAll = `SELECT ` + notificationColumns + ` FROM notification
		WHERE recipient_id = ? AND event_id < ? ORDER BY event_id DESC LIMIT ?`
)

// create writes a notification down. It returns false if the recipient is told of the event already.
func create(tx *database.Tx, n *Notification) (bool, error) {
	result, err := tx.Exec(insertNotification, n.ID, n.RecipientID, n.EventID, n.About, n.OrderID, string(n.State), n.Facts.Reason,
		n.Facts.Amount.Amount, n.Facts.Amount.Currency, database.NullMicros(n.Facts.ReadyBy), n.Text.locale, n.Text.title, n.Text.body,
		database.Micros(n.CreatedAt), database.NullMicros(n.ReadAt))
	if err != nil {
		return false, fmt.Errorf("create a notification: %w", err)
	}
	created, err := result.RowsAffected()
	return created == 1, err
}

// writeAnswer writes down how a pending notification ended.
func writeAnswer(tx *database.Tx, n *Notification) error {
	if err := tx.ExecLater(answerNotification, string(n.State), n.Text.locale, n.Text.title, n.Text.body, n.ID); err != nil {
		return fmt.Errorf("answer a notification: %w", err)
	}
	return nil
}

// writeRead writes down when a notification was read.
func writeRead(tx *database.Tx, n *Notification) error {
	if _, err := tx.Exec(markRead, database.NullMicros(n.ReadAt), n.ID); err != nil {
		return fmt.Errorf("mark a notification read: %w", err)
	}
	return nil
}

// pending returns up to limit notifications that a recipient has not been told, from the oldest on.
func pending(ctx context.Context, db *database.DB, recipientID string, limit int) ([]*Notification, error) {
	return readNotifications(ctx, db, selectPending, recipientID, limit)
}

// afterAll is greater than every event's id.
const afterAll = "~"

// inboxOf returns up to limit notifications of a recipient, the newest first, of events before one; all: those too that were not sent.
func inboxOf(ctx context.Context, db *database.DB, recipientID, beforeEvent string, all bool, limit int) ([]*Notification, error) {
	if beforeEvent == "" {
		beforeEvent = afterAll
	}
	if all {
		return readNotifications(ctx, db, selectAll, recipientID, beforeEvent, limit)
	}
	return readNotifications(ctx, db, selectInbox, recipientID, beforeEvent, limit)
}

func readNotifications(ctx context.Context, db *database.DB, query string, args ...any) ([]*Notification, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read notifications: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found []*Notification
	for rows.Next() {
		n, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	return found, rows.Err()
}

// scan reads a notification, or answers NotFound.
func scan(row database.Row) (*Notification, error) {
	var n Notification
	err := row.Scan(&n.ID, &n.RecipientID, &n.EventID, &n.About, &n.OrderID, &n.State, &n.Facts.Reason, &n.Facts.Amount.Amount,
		&n.Facts.Amount.Currency, database.IntoTime(&n.Facts.ReadyBy), &n.Text.locale, &n.Text.title, &n.Text.body,
		database.IntoTime(&n.CreatedAt), database.IntoTime(&n.ReadAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("notification")
	}
	if err != nil {
		return nil, fmt.Errorf("read a notification: %w", err)
	}
	return &n, nil
}
