package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
)

// The statements of a payment's life are prepared SQL: every order takes this path.
const (
	paymentColumns = `order_id, version, state, reason, consumer_id, restaurant_id, payment_token, currency, authorized, captured, refunded,
		subtotal, tax, delivery_fee, service_fee, small_order_fee, tip, purpose, courier_id, refunds, authorizing, moving, held,
		created_at, updated_at, captured_at`

	insertPayment = `INSERT INTO payment (` + paymentColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	selectPayment = `SELECT ` + paymentColumns + ` FROM payment WHERE order_id = ?`

	// What a payment is made of never changes, so an update leaves it out.
	updatePayment = `UPDATE payment SET version = ?, state = ?, reason = ?, captured = ?, refunded = ?, purpose = ?, courier_id = ?,
		refunds = ?, authorizing = ?, moving = ?, held = ?, updated_at = ?, captured_at = ? WHERE order_id = ?`
)

// create writes a new payment down. It returns false if the order has one already, or a tombstone.
func create(tx *database.Tx, p *Payment) (bool, error) {
	b := p.Breakdown
	result, err := tx.Exec(insertPayment, p.OrderID, p.Version, string(p.State), p.Reason, p.ConsumerID, p.RestaurantID, p.Token,
		p.Currency, p.Authorized, p.Captured, p.Refunded,
		b.Subtotal, b.Tax, b.DeliveryFee, b.ServiceFee, b.SmallOrderFee, b.Tip, string(p.Purpose), p.CourierID, p.Refunds,
		p.Authorizing, string(p.Moving), p.Held, database.Micros(p.CreatedAt), database.Micros(p.UpdatedAt), database.NullMicros(p.CapturedAt))
	if err != nil {
		return false, fmt.Errorf("create a payment: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func update(tx *database.Tx, p *Payment) error {
	err := tx.ExecLater(updatePayment, p.Version, string(p.State), p.Reason, p.Captured, p.Refunded, string(p.Purpose), p.CourierID,
		p.Refunds, p.Authorizing, string(p.Moving), p.Held, database.Micros(p.UpdatedAt), database.NullMicros(p.CapturedAt), p.OrderID)
	if err != nil {
		return fmt.Errorf("update a payment: %w", err)
	}
	return nil
}

// find returns an order's payment, tombstones included, or NotFound.
func find(tx *database.Tx, orderID string) (*Payment, error) {
	return scanPayment(tx.QueryRow(selectPayment, orderID))
}

// findMade is find, but a tombstone is no payment to it.
func findMade(tx *database.Tx, orderID string) (*Payment, error) {
	p, err := find(tx, orderID)
	if err == nil && p.isTombstone() {
		return nil, fault.NotFound("payment")
	}
	return p, err
}

// read returns an order's payment as last committed, or NotFound; a tombstone is no payment.
func read(ctx context.Context, db *database.DB, orderID string) (*Payment, error) {
	p, err := scanPayment(db.QueryRow(ctx, selectPayment, orderID))
	if err == nil && p.isTombstone() {
		return nil, fault.NotFound("payment")
	}
	return p, err
}

func scanPayment(row database.Row) (*Payment, error) {
	var p Payment
	b := &p.Breakdown
	err := row.Scan(&p.OrderID, &p.Version, &p.State, &p.Reason, &p.ConsumerID, &p.RestaurantID, &p.Token, &p.Currency,
		&p.Authorized, &p.Captured, &p.Refunded, &b.Subtotal, &b.Tax, &b.DeliveryFee, &b.ServiceFee, &b.SmallOrderFee, &b.Tip,
		&p.Purpose, &p.CourierID, &p.Refunds, &p.Authorizing, &p.Moving, &p.Held,
		database.IntoTime(&p.CreatedAt), database.IntoTime(&p.UpdatedAt), database.IntoTime(&p.CapturedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("payment")
	}
	if err != nil {
		return nil, fmt.Errorf("read a payment: %w", err)
	}
	return &p, nil
}

const (
	instructionColumns = `key, reference, order_id, kind, amount, purpose, courier_id, reason, begun_at`

	insertInstruction = `INSERT INTO instruction (` + instructionColumns + `, request_hash, done, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	selectKept = `SELECT request_hash, done, fault FROM instruction WHERE key = ?`

	selectOpen = `SELECT ` + instructionColumns + ` FROM instruction WHERE order_id = ? AND done = 0 ORDER BY begun_at, key`

	selectOrdersWithOpen = `SELECT DISTINCT order_id FROM instruction WHERE done = 0 ORDER BY order_id`

	finishInstruction = `UPDATE instruction SET done = 1, fault = ? WHERE key = ? AND done = 0`

	// A void that released something settles the authorisation whose outcome nobody had known.
	finishAuthorization = `UPDATE instruction SET done = 1, fault = ? WHERE order_id = ? AND kind = 'authorize' AND done = 0`
)

// begin writes an instruction down, before the provider hears of it.
func begin(tx *database.Tx, in *Instruction, hash []byte) error {
	return insert(tx, in, hash, false, nil)
}

// keep writes down that a command has ended without the provider: with a refusal, or because there was nothing to do.
func keep(tx *database.Tx, in *Instruction, hash []byte, refusal error) error {
	return insert(tx, in, hash, true, refusal)
}

func insert(tx *database.Tx, in *Instruction, hash []byte, done bool, refusal error) error {
	detail, err := encodeFault(refusal)
	if err != nil {
		return err
	}
	err = tx.ExecLater(insertInstruction, in.Key, in.Reference, in.OrderID, string(in.Kind), in.Amount, string(in.Purpose), in.CourierID,
		in.Reason, database.Micros(in.BegunAt), hash, done, detail)
	if err != nil {
		return fmt.Errorf("write an instruction down: %w", err)
	}
	return nil
}

// finish writes the end of an instruction down. It returns false if somebody else has.
func finish(tx *database.Tx, key string, refusal error) (bool, error) {
	detail, err := encodeFault(refusal)
	if err != nil {
		return false, err
	}
	result, err := tx.Exec(finishInstruction, detail, key)
	if err != nil {
		return false, fmt.Errorf("finish an instruction: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// kept is what is known of a command that was given before.
type kept struct {
	hash    []byte
	done    bool
	refusal error
}

// recall returns what is known of a key; nil if it is new.
func recall(row database.Row) (*kept, error) {
	var k kept
	var detail []byte
	err := row.Scan(&k.hash, &k.done, &detail)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recall an instruction: %w", err)
	}
	if detail != nil {
		var message kerfpb.Detail
		if err := proto.Unmarshal(detail, &message); err != nil {
			return nil, fmt.Errorf("recall an instruction: %w", err)
		}
		k.refusal = fault.FromProto(&message)
	}
	return &k, nil
}

func encodeFault(refusal error) ([]byte, error) {
	if refusal == nil {
		return nil, nil
	}
	detail, err := proto.Marshal(fault.ToProto(fault.As(refusal)))
	if err != nil {
		return nil, fmt.Errorf("write a refusal down: %w", err)
	}
	return detail, nil
}

// openInstructions returns those of an order that the provider has not answered, the oldest first.
func openInstructions(ctx context.Context, db *database.DB, orderID string) ([]*Instruction, error) {
	rows, err := db.Query(ctx, selectOpen, orderID)
	if err != nil {
		return nil, fmt.Errorf("find open instructions: %w", err)
	}
	defer rows.Close()
	var open []*Instruction
	for rows.Next() {
		in, err := scanInstruction(rows)
		if err != nil {
			return nil, err
		}
		open = append(open, in)
	}
	return open, rows.Err()
}

// ordersWithOpen returns the orders of which the provider has not answered an instruction.
func ordersWithOpen(ctx context.Context, db *database.DB) ([]string, error) {
	rows, err := db.Query(ctx, selectOrdersWithOpen)
	if err != nil {
		return nil, fmt.Errorf("find open instructions: %w", err)
	}
	defer rows.Close()
	var orders []string
	for rows.Next() {
		var orderID string
		if err := rows.Scan(&orderID); err != nil {
			return nil, fmt.Errorf("find open instructions: %w", err)
		}
		orders = append(orders, orderID)
	}
	return orders, rows.Err()
}

func scanInstruction(row database.Row) (*Instruction, error) {
	var in Instruction
	err := row.Scan(&in.Key, &in.Reference, &in.OrderID, &in.Kind, &in.Amount, &in.Purpose, &in.CourierID, &in.Reason,
		database.IntoTime(&in.BegunAt))
	if err != nil {
		return nil, fmt.Errorf("read an instruction: %w", err)
	}
	return &in, nil
}

const (
	insertPosting = `INSERT INTO posting (id, order_id, kind, reference, reason, posted_at) VALUES (?, ?, ?, ?, ?, ?)`
	insertEntry   = `INSERT INTO entry (posting_id, line, account, owner_id, amount, currency) VALUES (?, ?, ?, ?, ?, ?)`
	// What each account has of an order: its capture less its refunds.
	selectEarned = `SELECT e.account, e.owner_id, sum(e.amount) FROM posting p JOIN entry e ON e.posting_id = p.id
		WHERE p.order_id = ? GROUP BY e.account, e.owner_id ORDER BY e.account, e.owner_id`
)

// book adds a posting to the ledger; the entries first, because their posting seals them.
func book(tx *database.Tx, orderID string, p Posting, now time.Time) error {
	if err := p.Check(); err != nil {
		return fault.Internal(err, "unbalanced_posting")
	}
	id := ids.New()
	for i, e := range p.Entries {
		if err := tx.ExecLater(insertEntry, id, i, string(e.Kind), e.Owner, e.Amount, p.Currency); err != nil {
			return fmt.Errorf("book an entry: %w", err)
		}
	}
	err := tx.ExecLater(insertPosting, id, orderID, string(p.Kind), p.Reference, p.Reason, database.Micros(now))
	if err != nil {
		return fmt.Errorf("book a posting: %w", err)
	}
	return nil
}

// earned returns what each account has of an order.
func earned(tx *database.Tx, orderID string) ([]Entry, error) {
	rows, err := tx.Query(selectEarned, orderID)
	if err != nil {
		return nil, fmt.Errorf("read an order's entries: %w", err)
	}
	defer rows.Close()
	var list []Entry
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Kind, &e.Owner, &e.Amount); err != nil {
			return nil, fmt.Errorf("read an order's entries: %w", err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}
