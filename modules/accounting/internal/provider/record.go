package provider

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kerf/platform/database"
)

// The states of a charge in the record.
const (
	statePending  = "pending"
	stateDeclined = "declined"
	stateHeld     = "held"
	stateCaptured = "captured"
	stateReleased = "released"
	stateExpired  = "expired"
)

const (
	insertCharge = `INSERT INTO simulator_charge (authorization_key, order_id, token, currency, authorized, state, decided_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	// expireCharge lets an authorisation lapse that is older than the hold.
	expireCharge  = `UPDATE simulator_charge SET state = 'expired' WHERE authorization_key = ? AND state = 'held' AND decided_at < ?`
	captureCharge = `UPDATE simulator_charge SET state = 'captured', captured = captured + ?, captures = captures + 1
		WHERE authorization_key = ? AND state = 'held' AND currency = ? AND authorized >= ?`
	voidCharge   = `UPDATE simulator_charge SET state = 'released' WHERE authorization_key = ? AND state = 'held'`
	refundCharge = `UPDATE simulator_charge SET refunded = refunded + ?
		WHERE authorization_key = ? AND state = 'captured' AND currency = ? AND captured - refunded >= ?`
)

// carryOut gives the answer to an instruction, and whether this was the first time that it was told.
func (s *Simulator) carryOut(tx *database.Tx, in Instruction, b behaviour) (answer Answer, first bool, err error) {
	answer, known, err := s.recall(tx, in.Key)
	if known || err != nil {
		return answer, false, err
	}
	now := database.Micros(s.clock.Wall())
	switch in.Kind {
	case Authorize:
		answer, err = s.authorize(tx, in, b, now)
	case Capture:
		answer, err = s.capture(tx, in, now)
	case Void:
		answer, err = change(tx, Answer{Status: NothingHeld}, voidCharge, in.Authorization)
	case Refund:
		answer, err = change(tx, Answer{Declined, "over_captured"}, refundCharge,
			in.Amount.Amount, in.Authorization, in.Amount.Currency, in.Amount.Amount)
	default:
		err = fmt.Errorf("no instruction of kind %q", in.Kind)
	}
	if err != nil {
		return Answer{}, false, fmt.Errorf("simulate a provider: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO simulator_instruction (key, kind, status, reason) VALUES (?, ?, ?, ?)`,
		in.Key, string(in.Kind), string(answer.Status), answer.Reason)
	return answer, true, err
}

func (s *Simulator) authorize(tx *database.Tx, in Instruction, b behaviour, now int64) (Answer, error) {
	answer, state, decided := Answer{Status: Approved}, stateHeld, now
	switch {
	case b.goes[Authorize] == late:
		answer, state, decided = Answer{Status: Pending}, statePending, now+s.config.Late.Microseconds()
	case b.declines != "":
		answer, state = Answer{Declined, b.declines}, stateDeclined
	case b.expires:
		state = stateExpired
	}
	_, err := tx.Exec(insertCharge, in.Key, in.OrderID, in.Token, in.Amount.Currency, in.Amount.Amount, state, decided)
	return answer, err
}

func (s *Simulator) capture(tx *database.Tx, in Instruction, now int64) (Answer, error) {
	if _, err := tx.Exec(expireCharge, in.Authorization, now-s.config.Hold.Microseconds()); err != nil {
		return Answer{}, err
	}
	var state string
	err := tx.QueryRow(`SELECT state FROM simulator_charge WHERE authorization_key = ?`, in.Authorization).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Answer{Declined, "not_authorized"}, nil
	case err != nil:
		return Answer{}, err
	case state == stateExpired:
		return Answer{Declined, ReasonExpired}, nil
	}
	return change(tx, Answer{Declined, "not_authorized"}, captureCharge,
		in.Amount.Amount, in.Authorization, in.Amount.Currency, in.Amount.Amount)
}

// change is Approved if the statement found its charge in the right state, and otherwise what it is given.
func change(tx *database.Tx, otherwise Answer, statement string, args ...any) (Answer, error) {
	result, err := tx.Exec(statement, args...)
	if err != nil {
		return Answer{}, err
	}
	n, err := result.RowsAffected()
	if n == 0 {
		return otherwise, err
	}
	return Answer{Status: Approved}, err
}

// recall returns the answer in the record. An authorisation that was pending is decided when its time has come.
func (s *Simulator) recall(tx *database.Tx, key string) (answer Answer, known bool, err error) {
	err = tx.QueryRow(`SELECT status, reason FROM simulator_instruction WHERE key = ?`, key).Scan(&answer.Status, &answer.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return Answer{}, false, nil
	}
	if err != nil {
		return Answer{}, false, fmt.Errorf("recall an instruction: %w", err)
	}
	if answer.Status == Pending {
		answer, err = s.decide(tx, key)
	}
	return answer, true, err
}

func (s *Simulator) decide(tx *database.Tx, key string) (Answer, error) {
	var token string
	var decided int64
	err := tx.QueryRow(`SELECT token, decided_at FROM simulator_charge WHERE authorization_key = ?`, key).Scan(&token, &decided)
	if err != nil {
		return Answer{}, fmt.Errorf("decide an authorisation: %w", err)
	}
	if database.Micros(s.clock.Wall()) < decided {
		return Answer{Status: Pending}, nil
	}
	answer, state := Answer{Status: Approved}, stateHeld
	if reason := behaviours[token].declines; reason != "" {
		answer, state = Answer{Declined, reason}, stateDeclined
	}
	if _, err := tx.Exec(`UPDATE simulator_charge SET state = ? WHERE authorization_key = ?`, state, key); err != nil {
		return Answer{}, fmt.Errorf("decide an authorisation: %w", err)
	}
	_, err = tx.Exec(`UPDATE simulator_instruction SET status = ?, reason = ? WHERE key = ?`, string(answer.Status), answer.Reason, key)
	return answer, err
}

// Totals sums the record up: what was captured and refunded, in minor units of all currencies together, how many authorisations hold
// an amount now, and how many orders have more than one captured charge.
func (s *Simulator) Totals(ctx context.Context) (captured, refunded, held, recharged int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT coalesce(sum(captured), 0), coalesce(sum(refunded), 0), count(*) FILTER (WHERE state = 'held'),
		(SELECT count(*) FROM (SELECT 1 FROM simulator_charge GROUP BY order_id HAVING sum(captures) > 1) AS twice) FROM simulator_charge`).
		Scan(&captured, &refunded, &held, &recharged)
	if err != nil {
		err = fmt.Errorf("sum the provider's record up: %w", err)
	}
	return captured, refunded, held, recharged, err
}

// Charge is one authorisation in the record.
type Charge struct {
	OrderID                        string
	State                          string
	Authorized, Captured, Refunded int64
	Currency                       string
	DecidedAt                      time.Time
}

// Charges lists what the record has of an order.
func (s *Simulator) Charges(ctx context.Context, orderID string) ([]Charge, error) {
	rows, err := s.db.Query(ctx, `SELECT order_id, state, authorized, captured, refunded, currency, decided_at FROM simulator_charge
		WHERE order_id = ? ORDER BY authorization_key`, orderID)
	if err != nil {
		return nil, fmt.Errorf("list the provider's charges: %w", err)
	}
	defer rows.Close()
	var charges []Charge
	for rows.Next() {
		var c Charge
		var decided int64
		if err := rows.Scan(&c.OrderID, &c.State, &c.Authorized, &c.Captured, &c.Refunded, &c.Currency, &decided); err != nil {
			return nil, fmt.Errorf("list the provider's charges: %w", err)
		}
		c.DecidedAt = database.Time(decided)
		charges = append(charges, c)
	}
	return charges, rows.Err()
}
