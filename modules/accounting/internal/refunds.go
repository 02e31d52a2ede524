package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/money"
)

// Given is a refund that was carried out.
type Given struct {
	OrderID string
	Number  int64
	Amount  money.Money
	Reason  string
	At      time.Time
}

// A refund is its posting: what was not booked has not happened.
const (
	refundColumns = `SELECT p.order_id, p.reference, p.reason, p.posted_at, e.amount, e.currency
		FROM posting p JOIN entry e ON e.posting_id = p.id AND e.account = 'consumer' `

	selectRefund      = refundColumns + `WHERE p.order_id = ? AND p.reference = ?`
	selectRefunds     = refundColumns + `WHERE p.order_id = ? AND p.kind = 'refund' ORDER BY p.id`
	selectRefundByKey = refundColumns + `WHERE p.reference = (SELECT reference FROM instruction WHERE key = ?)`
)

func scanRefund(row database.Row) (Given, error) {
	var g Given
	var reference string
	err := row.Scan(&g.OrderID, &reference, &g.Reason, database.IntoTime(&g.At), &g.Amount.Amount, &g.Amount.Currency)
	if errors.Is(err, sql.ErrNoRows) {
		return g, fault.NotFound("refund")
	}
	if err != nil {
		return g, fmt.Errorf("read a refund: %w", err)
	}
	g.Number, err = strconv.ParseInt(reference[strings.LastIndexByte(reference, ':')+1:], 10, 64)
	return g, err
}

// refundsOf returns what was given back of a payment, the oldest first.
func (s *Service) refundsOf(ctx context.Context, p *Payment) ([]Given, error) {
	var list []Given
	err := each(ctx, s.db, selectRefunds, []any{p.OrderID}, func(row database.Row) error {
		g, err := scanRefund(row)
		list = append(list, g)
		return err
	})
	return list, err
}
