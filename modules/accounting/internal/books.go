package internal

import (
	"context"
	"fmt"
	"time"

	"kerf/platform/database"
	"kerf/platform/money"
)

// The ledger as it is read.
const (
	selectBalances = `SELECT account, currency, sum(amount) FROM entry GROUP BY account, currency ORDER BY account, currency`

	// What diners were charged and got back, by currency: the ledger's own word, not that of the payments.
	selectMoved = `SELECT e.currency, -coalesce(sum(e.amount) FILTER (WHERE p.kind = 'capture'), 0),
		coalesce(sum(e.amount) FILTER (WHERE p.kind = 'refund'), 0)
		FROM entry e JOIN posting p ON p.id = e.posting_id WHERE e.account = 'consumer' GROUP BY e.currency ORDER BY e.currency`

	selectAllPostings = `SELECT p.id, p.order_id, p.kind, p.reason, p.posted_at, e.account, e.owner_id, e.amount, e.currency
		FROM (SELECT * FROM posting WHERE id > ? ORDER BY id LIMIT ?) p
		JOIN entry e ON e.posting_id = p.id ORDER BY p.id, e.line`

	selectOrderPostings = `SELECT p.id, p.order_id, p.kind, p.reason, p.posted_at, e.account, e.owner_id, e.amount, e.currency
		FROM (SELECT * FROM posting WHERE order_id = ? AND id > ? ORDER BY id LIMIT ?) p
		JOIN entry e ON e.posting_id = p.id ORDER BY p.id, e.line`

	selectStatement = `SELECT p.id, p.order_id, p.kind, p.reason, p.posted_at, e.account, e.owner_id, e.amount, e.currency
		FROM entry e JOIN posting p ON p.id = e.posting_id
		WHERE e.owner_id = ? AND e.posting_id > ? ORDER BY e.posting_id, e.line LIMIT ?`

	selectOwed = `SELECT currency, sum(amount) FROM entry WHERE owner_id = ? GROUP BY currency ORDER BY currency`
)

// Balance is what an account, or all accounts of a kind, come to.
type Balance struct {
	Account AccountKind
	Amount  money.Money
}

// Moved is what diners were charged and got back in a currency.
type Moved struct{ Captured, Refunded money.Money }

// Booked is a posting that lies in the ledger. Its entries are of one currency.
type Booked struct {
	ID       string
	OrderID  string
	PostedAt time.Time
	Posting
}

// balances returns what the accounts of each kind come to, by currency, and how far all of them together are from zero: the sum over
// the currencies, without their signs, so that no error hides another.
func balances(ctx context.Context, db *database.DB) ([]Balance, int64, error) {
	var list []Balance
	rest := map[string]int64{}
	err := each(ctx, db, selectBalances, nil, func(row database.Row) error {
		var b Balance
		err := row.Scan(&b.Account, &b.Amount.Currency, &b.Amount.Amount)
		list = append(list, b)
		rest[b.Amount.Currency] += b.Amount.Amount
		return err
	})
	var imbalance int64
	for _, r := range rest {
		imbalance += max(r, -r)
	}
	return list, imbalance, err
}

func moved(ctx context.Context, db *database.DB) ([]Moved, error) {
	var list []Moved
	err := each(ctx, db, selectMoved, nil, func(row database.Row) error {
		var currency string
		var captured, refunded int64
		err := row.Scan(&currency, &captured, &refunded)
		list = append(list, Moved{money.Money{Amount: captured, Currency: currency}, money.Money{Amount: refunded, Currency: currency}})
		return err
	})
	return list, err
}

// postings returns up to limit postings after one, of an order or of all.
func postings(ctx context.Context, db *database.DB, orderID, after string, limit int) ([]Booked, error) {
	if orderID != "" {
		return booked(ctx, db, selectOrderPostings, orderID, after, limit)
	}
	return booked(ctx, db, selectAllPostings, after, limit)
}

// statement returns up to limit postings after one, each with an owner's entries only.
func statement(ctx context.Context, db *database.DB, ownerID, after string, limit int) ([]Booked, error) {
	return booked(ctx, db, selectStatement, ownerID, after, limit)
}

// owed returns an owner's balance in each currency.
func owed(ctx context.Context, db *database.DB, ownerID string) ([]money.Money, error) {
	list := []money.Money{}
	err := each(ctx, db, selectOwed, []any{ownerID}, func(row database.Row) error {
		var m money.Money
		err := row.Scan(&m.Currency, &m.Amount)
		list = append(list, m)
		return err
	})
	return list, err
}

// booked reads postings, whose entries follow one another.
func booked(ctx context.Context, db *database.DB, query string, args ...any) ([]Booked, error) {
	var list []Booked
	err := each(ctx, db, query, args, func(row database.Row) error {
		var b Booked
		var e Entry
		err := row.Scan(&b.ID, &b.OrderID, &b.Kind, &b.Reason, database.IntoTime(&b.PostedAt), &e.Kind, &e.Owner, &e.Amount, &b.Currency)
		if err != nil {
			return err
		}
		if n := len(list); n == 0 || list[n-1].ID != b.ID {
			list = append(list, b)
		}
		last := &list[len(list)-1]
		last.Entries = append(last.Entries, e)
		return nil
	})
	return list, err
}

// each calls f for each row of a query.
func each(ctx context.Context, db *database.DB, query string, args []any, f func(row database.Row) error) error {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
	}
	return rows.Err()
}

// totals is implemented by a provider that can say what it charged: the simulator.
type totals interface {
	Totals(ctx context.Context) (captured, refunded, held, recharged int64, err error)
}

// Audit counts what a checker needs: sums in minor units of all currencies together. The provider's figures are those of its own
// record, where it tells them.
func (s *Service) Audit(ctx context.Context) (map[string]int64, error) {
	counters := map[string]int64{}
	_, imbalance, err := balances(ctx, s.db)
	if err != nil {
		return nil, err
	}
	counters["ledger_imbalance"] = imbalance
	sums, err := moved(ctx, s.db)
	if err != nil {
		return nil, err
	}
	counters["captured_sum"], counters["refunded_sum"] = 0, 0
	for _, m := range sums {
		counters["captured_sum"] += m.Captured.Amount
		counters["refunded_sum"] += m.Refunded.Amount
	}
	for name, query := range counts {
		var n int64
		if err := s.db.QueryRow(ctx, query).Scan(&n); err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
		counters[name] = n
	}
	if told, ok := s.provider.(totals); ok {
		captured, refunded, held, recharged, err := told.Totals(ctx)
		if err != nil {
			return nil, err
		}
		counters["provider_captured_sum"], counters["provider_refunded_sum"] = captured, refunded
		counters["provider_authorisations_held"], counters["provider_orders_charged_twice"] = held, recharged
	}
	return counters, nil
}

// counts are the audit's counters that one query each gives.
var counts = map[string]string{
	"authorisations_held":   `SELECT count(*) FROM payment WHERE held = 1`,
	"operations_unfinished": `SELECT count(*) FROM instruction WHERE done = 0`,
	"orders_charged_twice": `SELECT count(*) FROM (SELECT 1 FROM posting WHERE kind = 'capture'
		GROUP BY order_id HAVING count(*) > 1) AS twice`,
	// Payments whose amounts are not what the ledger says of their order.
	"payments_off_ledger": `SELECT count(*) FROM payment y WHERE y.captured - y.refunded <>
		-coalesce((SELECT sum(e.amount) FROM posting p JOIN entry e ON e.posting_id = p.id
			WHERE p.order_id = y.order_id AND e.account = 'consumer'), 0)`,
}
