package internal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// The statements of an order's life are prepared SQL: each order runs about twenty of them.
const (
	insertOrder = `INSERT INTO orders (id, consumer_id, restaurant_id, quote_id, address_id, lines, currency, subtotal, tax,
		delivery_fee, service_fee, small_order_fee, tip, total, cancellation_fee, latitude, longitude, pickup_latitude,
		pickup_longitude, payment_token, notes, pickup_code, delivery_pin, preparation_seconds, eta_earliest, eta_latest, placed_at,
		version, state, reason, furthest, setback, failure, courier_id, dispatched, cancel_by, cancel_reason, heard_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, '', '', '', 0, '', '', ?, ?)
		ON CONFLICT (quote_id) DO NOTHING`

	updateOrder = `UPDATE orders SET version = ?, state = ?, reason = ?, charge = ?, furthest = ?, setback = ?, failure = ?,
		courier_id = ?, ready_by = ?, dispatched = ?, captured = ?, cancel_by = ?, cancel_reason = ?, payment_token = ?,
		heard_at = ?, updated_at = ? WHERE id = ?`

	orderColumns = `id, consumer_id, restaurant_id, quote_id, address_id, lines, currency, subtotal, tax,
		delivery_fee, service_fee, small_order_fee, tip, total, cancellation_fee, latitude, longitude,
		pickup_latitude, pickup_longitude, payment_token, notes, pickup_code, delivery_pin, preparation_seconds,
		eta_earliest, eta_latest, placed_at, version, state, reason, charge, furthest, setback, failure,
		courier_id, ready_by, dispatched, captured, cancel_by, cancel_reason, heard_at, updated_at`

	// Two statements and no join: SQLite prepares the join anew each time it is run, which takes six times as long as both.
	selectOrder = `SELECT ` + orderColumns + ` FROM orders WHERE id = ?`
	selectSaga  = `SELECT id, kind, step, data, anomaly, attempts, started_at FROM saga WHERE order_id = ? AND ended_at IS NULL`

	insertSaga = `INSERT INTO saga (id, order_id, kind, step, data, anomaly, attempts, started_at) VALUES (?, ?, ?, ?, ?, '', ?, ?)`
	updateSaga = `UPDATE saga SET step = ?, data = ?, anomaly = ?, attempts = ?, ended_at = ? WHERE id = ?`
)

// querier is a transaction, or the reading pool under a context.
type querier interface {
	QueryRow(query string, args ...any) *sql.Row
}

// reading is the reading pool as a querier.
type reading struct {
	ctx context.Context
	db  *database.DB
}

func (r reading) QueryRow(query string, args ...any) *sql.Row {
	return r.db.QueryRow(r.ctx, query, args...)
}

// load returns an order with the saga that acts on it, or not found. The saga is read first: outside of a transaction the order is then not
// older than the saga, which was begun with it.
func load(q querier, id string) (*Order, error) {
	saga, err := loadSaga(q, id)
	if err != nil {
		return nil, err
	}
	o, err := loadOrder(q, id)
	if err != nil {
		return nil, err
	}
	o.Saga = saga
	return o, nil
}

// loadOrder returns an order without the saga that acts on it, or not found.
func loadOrder(q querier, id string) (*Order, error) {
	var o Order
	err := q.QueryRow(selectOrder, id).Scan(orderFields(&o)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("order")
	}
	if err != nil {
		return nil, fmt.Errorf("load order: %w", err)
	}
	return &o, nil
}

// loadSaga returns the saga that acts on an order, nil if none does.
func loadSaga(q querier, orderID string) (*Saga, error) {
	var (
		s    Saga
		data string
	)
	err := q.QueryRow(selectSaga, orderID).Scan(&s.ID, &s.Kind, &s.Step, &data, &s.Anomaly, &s.Attempts, database.IntoTime(&s.StartedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil && data != "" {
		err = json.Unmarshal([]byte(data), &s.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("load saga: %w", err)
	}
	return &s, nil
}

// orderFields are where a row of orderColumns is scanned to.
func orderFields(o *Order) []any {
	p := &o.Price
	return append(make([]any, 0, 48),
		&o.ID, &o.ConsumerID, &o.RestaurantID, &o.QuoteID, &o.AddressID, (*linesColumn)(&o.Lines), &p.Currency, &p.Subtotal, &p.Tax,
		&p.DeliveryFee, &p.ServiceFee, &p.SmallOrderFee, &p.Tip, &p.Total, &p.CancellationFee, &o.Address.Latitude, &o.Address.Longitude,
		&o.RestaurantPosition.Latitude, &o.RestaurantPosition.Longitude, &o.PaymentToken, &o.Notes, &o.PickupCode, &o.DeliveryPIN, &o.PreparationSeconds,
		database.IntoTime(&o.EtaEarliest), database.IntoTime(&o.EtaLatest), database.IntoTime(&o.PlacedAt),
		&o.Version, &o.State, &o.Reason, &o.Charge, &o.Furthest, &o.Setback, &o.Failure,
		&o.CourierID, database.IntoTime(&o.ReadyBy), &o.Dispatched, &o.Captured, &o.CancelBy, &o.CancelReason,
		database.IntoTime(&o.HeardAt), database.IntoTime(&o.UpdatedAt),
	)
}

// create writes a new order. It reports false, and writes nothing, if its quote was ordered before.
func create(tx *database.Tx, o *Order) (bool, error) {
	lines, err := json.Marshal(o.Lines)
	if err != nil {
		return false, fmt.Errorf("create order: %w", err)
	}
	p := &o.Price
	result, err := tx.Exec(insertOrder, o.ID, o.ConsumerID, o.RestaurantID, o.QuoteID, o.AddressID, string(lines), p.Currency, p.Subtotal, p.Tax,
		p.DeliveryFee, p.ServiceFee, p.SmallOrderFee, p.Tip, p.Total, p.CancellationFee, o.Address.Latitude, o.Address.Longitude,
		o.RestaurantPosition.Latitude, o.RestaurantPosition.Longitude, o.PaymentToken, o.Notes, o.PickupCode, o.DeliveryPIN, o.PreparationSeconds,
		database.NullMicros(o.EtaEarliest), database.NullMicros(o.EtaLatest), database.NullMicros(o.PlacedAt),
		o.Version, string(o.State), string(o.Furthest), database.NullMicros(o.HeardAt), database.NullMicros(o.UpdatedAt))
	if err != nil {
		return false, fmt.Errorf("create order: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func update(tx *database.Tx, o *Order) error {
	o.Version++
	err := tx.ExecLater(updateOrder, o.Version, string(o.State), o.Reason, o.Charge, string(o.Furthest), o.Setback, o.Failure,
		o.CourierID, database.NullMicros(o.ReadyBy), o.Dispatched, o.Captured, string(o.CancelBy), o.CancelReason, o.PaymentToken,
		database.NullMicros(o.HeardAt), database.NullMicros(o.UpdatedAt), o.ID)
	if err != nil {
		return fmt.Errorf("update order: %w", err)
	}
	return nil
}

func createSaga(tx *database.Tx, orderID string, s *Saga) error {
	err := tx.ExecLater(insertSaga, s.ID, orderID, string(s.Kind), string(s.Step), s.Data.text(), s.Attempts, database.NullMicros(s.StartedAt))
	if err != nil {
		return fmt.Errorf("create saga: %w", err)
	}
	return nil
}

func saveSaga(tx *database.Tx, s *Saga) error {
	err := tx.ExecLater(updateSaga, string(s.Step), s.Data.text(), s.Anomaly, s.Attempts, database.NullMicros(s.EndedAt), s.ID)
	if err != nil {
		return fmt.Errorf("save saga: %w", err)
	}
	return nil
}

// text is the data as its column holds it.
func (d Data) text() string {
	if d == (Data{}) {
		return ""
	}
	text, _ := json.Marshal(d) // strings, booleans and a number: it cannot fail
	return string(text)
}

// linesColumn reads the JSON of an order's lines.
type linesColumn []Line

// Scan reads a column of JSON.
func (c *linesColumn) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), (*[]Line)(c))
	case []byte:
		return json.Unmarshal(v, (*[]Line)(c))
	}
	return fmt.Errorf("lines are not a %T", src)
}
