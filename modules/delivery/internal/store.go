package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// The statements of a delivery's life are prepared SQL: every order takes this path several times.
const (
	deliveryColumns = `order_id, version, state, reason, consumer_id, restaurant_id, pickup_latitude, pickup_longitude, dropoff_latitude,
		dropoff_longitude, pickup_code, delivery_pin, courier_id, wrong_codes, wrong_code_at, offer_expires_at, ready_by, ready_at,
		eta, eta_earliest, eta_latest, picked_up_at, delivered_at, created_at, updated_at`

	insertDelivery = `INSERT INTO delivery (` + deliveryColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	selectDelivery = `SELECT ` + deliveryColumns + ` FROM delivery WHERE order_id = ?`

	// What a delivery is made of never changes, so an update leaves it out.
	updateDeliveryRow = `UPDATE delivery SET version = ?, state = ?, reason = ?, courier_id = ?, wrong_codes = ?, wrong_code_at = ?,
		offer_expires_at = ?, ready_by = ?, ready_at = ?, eta = ?, eta_earliest = ?, eta_latest = ?, picked_up_at = ?, delivered_at = ?,
		updated_at = ? WHERE order_id = ? AND version = ?`

	// By the index delivery_waiting, whose order is the order of being scheduled.
	selectWaiting = `SELECT ` + deliveryColumns + ` FROM delivery WHERE state = 'UNASSIGNED' ORDER BY created_at`
)

// createDelivery writes a new delivery down. It returns false if the order has one already, or a tombstone.
func createDelivery(tx *database.Tx, d *Delivery) (bool, error) {
	result, err := tx.Exec(insertDelivery, d.OrderID, d.Version, string(d.State), d.Reason, d.ConsumerID, d.RestaurantID,
		d.Pickup.Latitude, d.Pickup.Longitude, d.Dropoff.Latitude, d.Dropoff.Longitude, d.PickupCode, d.DeliveryPIN, d.CourierID,
		d.WrongCodes, database.NullMicros(d.WrongCodeAt), database.NullMicros(d.OfferExpiresAt),
		database.NullMicros(d.ReadyBy), database.NullMicros(d.ReadyAt), database.NullMicros(d.Eta),
		database.NullMicros(d.EtaEarliest), database.NullMicros(d.EtaLatest),
		database.NullMicros(d.PickedUpAt), database.NullMicros(d.DeliveredAt),
		database.Micros(d.CreatedAt), database.Micros(d.UpdatedAt))
	if err != nil {
		return false, fmt.Errorf("create a delivery: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// findDelivery returns an order's delivery, tombstones included, or NotFound.
func findDelivery(tx *database.Tx, orderID string) (*Delivery, error) {
	return scanDelivery(tx.QueryRow(selectDelivery, orderID))
}

// findScheduled is findDelivery, but a tombstone is no delivery to it.
func findScheduled(tx *database.Tx, orderID string) (*Delivery, error) {
	return noTombstone(findDelivery(tx, orderID))
}

// readDelivery returns an order's delivery as last committed, or NotFound; a tombstone is no delivery.
func readDelivery(ctx context.Context, db *database.DB, orderID string) (*Delivery, error) {
	return noTombstone(scanDelivery(db.QueryRow(ctx, selectDelivery, orderID)))
}

func noTombstone(d *Delivery, err error) (*Delivery, error) {
	if err == nil && d.isTombstone() {
		return nil, fault.NotFound("delivery")
	}
	return d, err
}

// updateDelivery writes a changed delivery down. The commands of a module run one after another, whatever process they are of; should a
// delivery nevertheless be changed from what is old, the version makes it fail.
func updateDelivery(tx *database.Tx, d *Delivery, seen int64) error {
	result, err := tx.Exec(updateDeliveryRow, d.Version, string(d.State), d.Reason, d.CourierID, d.WrongCodes, database.NullMicros(d.WrongCodeAt),
		database.NullMicros(d.OfferExpiresAt), database.NullMicros(d.ReadyBy), database.NullMicros(d.ReadyAt),
		database.NullMicros(d.Eta), database.NullMicros(d.EtaEarliest), database.NullMicros(d.EtaLatest),
		database.NullMicros(d.PickedUpAt), database.NullMicros(d.DeliveredAt), database.Micros(d.UpdatedAt), d.OrderID, seen)
	if err != nil {
		return fmt.Errorf("update a delivery: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fault.Conflict(time.Second, "delivery_busy", "the delivery has just changed").WithCause(err)
	}
	return nil
}

// readWaiting returns the deliveries that wait for a courier, those scheduled first before the others.
func readWaiting(ctx context.Context, db *database.DB) ([]*Delivery, error) {
	rows, err := db.Query(ctx, selectWaiting)
	if err != nil {
		return nil, fmt.Errorf("read what waits: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found []*Delivery
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, rows.Err()
}

func scanDelivery(row database.Row) (*Delivery, error) {
	var d Delivery
	err := row.Scan(&d.OrderID, &d.Version, &d.State, &d.Reason, &d.ConsumerID, &d.RestaurantID,
		&d.Pickup.Latitude, &d.Pickup.Longitude, &d.Dropoff.Latitude, &d.Dropoff.Longitude, &d.PickupCode, &d.DeliveryPIN, &d.CourierID,
		&d.WrongCodes, database.IntoTime(&d.WrongCodeAt), database.IntoTime(&d.OfferExpiresAt),
		database.IntoTime(&d.ReadyBy), database.IntoTime(&d.ReadyAt), database.IntoTime(&d.Eta),
		database.IntoTime(&d.EtaEarliest), database.IntoTime(&d.EtaLatest),
		database.IntoTime(&d.PickedUpAt), database.IntoTime(&d.DeliveredAt),
		database.IntoTime(&d.CreatedAt), database.IntoTime(&d.UpdatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("delivery")
	}
	if err != nil {
		return nil, fmt.Errorf("read a delivery: %w", err)
	}
	return &d, nil
}

const (
	upsertTurnedDown = `INSERT INTO turned_down (order_id, courier_id, until) VALUES (?, ?, ?)
		ON CONFLICT (order_id, courier_id) DO UPDATE SET until = excluded.until`
	selectTurnedDown = `SELECT order_id, courier_id FROM turned_down WHERE until > ?
		AND order_id IN (SELECT order_id FROM delivery WHERE state = 'UNASSIGNED')`
	deleteTurnedDown = `DELETE FROM turned_down WHERE until <= ?`
)

// turnDown keeps a courier from being asked again for an order until an instant, and forgets what is over.
func turnDown(tx *database.Tx, orderID, courierID string, now, until time.Time) error {
	if err := tx.ExecLater(deleteTurnedDown, database.Micros(now)); err != nil {
		return fmt.Errorf("forget who turned orders down: %w", err)
	}
	if err := tx.ExecLater(upsertTurnedDown, orderID, courierID, database.Micros(until)); err != nil {
		return fmt.Errorf("note who turned an order down: %w", err)
	}
	return nil
}

// readTurnedDown returns, by order, the couriers who are not to be asked for it now.
func readTurnedDown(ctx context.Context, db *database.DB, now time.Time) (map[string]map[string]bool, error) {
	rows, err := db.Query(ctx, selectTurnedDown, database.Micros(now))
	if err != nil {
		return nil, fmt.Errorf("read who turned orders down: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found map[string]map[string]bool
	for rows.Next() {
		var orderID, courierID string
		if err := rows.Scan(&orderID, &courierID); err != nil {
			return nil, fmt.Errorf("read who turned orders down: %w", err)
		}
		if found == nil {
			found = map[string]map[string]bool{}
		}
		if found[orderID] == nil {
			found[orderID] = map[string]bool{}
		}
		found[orderID][courierID] = true
	}
	return found, rows.Err()
}

const (
	upsertEarlyWord = `INSERT INTO early_word (order_id, ready_by, ready_at) VALUES (?, ?, ?) ON CONFLICT (order_id)
		DO UPDATE SET ready_by = coalesce(excluded.ready_by, early_word.ready_by), ready_at = coalesce(early_word.ready_at, excluded.ready_at)`
	takeEarlyWord = `DELETE FROM early_word WHERE order_id = ? RETURNING ready_by, ready_at`
)

// keepWord keeps what a kitchen said about an order until its delivery is scheduled.
func keepWord(tx *database.Tx, orderID string, said word) error {
	if err := tx.ExecLater(upsertEarlyWord, orderID, database.NullMicros(said.readyBy), database.NullMicros(said.readyAt)); err != nil {
		return fmt.Errorf("keep a kitchen's word: %w", err)
	}
	return nil
}

// takeWord returns what was kept, and forgets it.
func takeWord(tx *database.Tx, orderID string) (word, error) {
	var said word
	err := tx.QueryRow(takeEarlyWord, orderID).Scan(database.IntoTime(&said.readyBy), database.IntoTime(&said.readyAt))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return word{}, fmt.Errorf("take a kitchen's word: %w", err)
	}
	return said, nil
}

const addWrongCode = `UPDATE delivery SET wrong_codes = wrong_codes + 1, wrong_code_at = ? WHERE order_id = ?`

// countWrongCode counts a wrong code. That is no change of the delivery that anybody is shown, so the version stays.
func countWrongCode(tx *database.Tx, orderID string, now time.Time) error {
	if _, err := tx.Exec(addWrongCode, database.Micros(now), orderID); err != nil {
		return fmt.Errorf("count a wrong code: %w", err)
	}
	return nil
}
