package internal

import (
	"context"
	"fmt"
	"math"

	"kerf/platform/database"
)

// The board of a restaurant: its tickets from the oldest on, less those that it was never asked about. The open ones are found by
// the index of that name, whatever the restaurant's history.
const (
	boardOpen = `SELECT ` + ticketColumns + ` FROM ticket WHERE restaurant_id = ?
		AND state IN ('AWAITING_ACCEPTANCE', 'ACCEPTED', 'PREPARING', 'READY', 'CANCEL_PENDING')
		AND accept_by IS NOT NULL AND (created_at, order_id) > (?, ?) ORDER BY created_at, order_id LIMIT ?`
	boardByState = `SELECT ` + ticketColumns + ` FROM ticket WHERE restaurant_id = ? AND state = ?
		AND accept_by IS NOT NULL AND (created_at, order_id) > (?, ?) ORDER BY created_at, order_id LIMIT ?`
)

// position is where a page of a board begins: after this ticket. The zero value is the beginning.
type position struct {
	created int64 // microseconds
	orderID string
}

// board returns up to limit tickets of a restaurant after a position: those in a state, or without one the open ones.
func board(ctx context.Context, db *database.DB, restaurantID string, state State, after position, limit int) ([]*Ticket, error) {
	if after == (position{}) {
		after.created = math.MinInt64
	}
	query, args := boardOpen, []any{restaurantID, after.created, after.orderID, limit}
	if state != "" {
		query, args = boardByState, []any{restaurantID, string(state), after.created, after.orderID, limit}
	}
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read a board: %w", err)
	}
	defer rows.Close()
	var tickets []*Ticket
	for rows.Next() {
		t, err := scanTicket(rows)
		if err != nil {
			return nil, err
		}
		tickets = append(tickets, t)
	}
	return tickets, rows.Err()
}
