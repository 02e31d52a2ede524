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

const (
	courierColumns = `id, version, state, name, vehicle, latitude, longitude, sequence, located_at, order_id, created_at, updated_at`

	insertCourier = `INSERT INTO courier (` + courierColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	selectCourier = `SELECT ` + courierColumns + ` FROM courier WHERE id = ?`
	updateCourier = `UPDATE courier SET version = ?, state = ?, latitude = ?, longitude = ?, sequence = ?, located_at = ?, order_id = ?,
		updated_at = ? WHERE id = ? AND version = ?`

	// The first condition is that of the index courier_on_shift.
	selectAvailable = `SELECT ` + courierColumns + ` FROM courier WHERE state <> 'OFFLINE' AND state = 'AVAILABLE'`
	selectOnShift   = `SELECT ` + courierColumns + ` FROM courier WHERE state <> 'OFFLINE'`

	updatePosition = `UPDATE courier SET version = version + 1, latitude = ?, longitude = ?, sequence = ?, located_at = ?
		WHERE id = ? AND sequence < ? AND (located_at IS NULL OR located_at <= ?) RETURNING version`

	// topicCouriers tells the other processes on the schema that a courier was changed.
	topicCouriers = "couriers"
)

// createCourier writes a new courier down. It returns false if the id is taken.
func (s *Service) createCourier(tx *database.Tx, c *Courier) (bool, error) {
	result, err := tx.Exec(insertCourier, c.ID, c.Version, string(c.State), c.Name, c.Vehicle, c.Position.Latitude, c.Position.Longitude,
		c.Sequence, database.NullMicros(c.LocatedAt), c.OrderID, database.Micros(c.CreatedAt), database.Micros(c.UpdatedAt))
	if err != nil {
		return false, fmt.Errorf("create a courier: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// findCourier returns a courier, with the latest position that is known, or NotFound.
func (s *Service) findCourier(tx *database.Tx, id string) (*Courier, error) {
	c, err := scanCourier(tx.QueryRow(selectCourier, id))
	if err == nil {
		s.tracks.overlay(c)
	}
	return c, err
}

// saveCourier writes a courier down that has changed once, with its position, and has the tracks know after the commit. d is the delivery that the
// courier has, or another, which is not looked at; it must not be nil while the courier has one.
func (s *Service) saveCourier(tx *database.Tx, c *Courier, d *Delivery) error {
	result, err := tx.Exec(updateCourier, c.Version, string(c.State), c.Position.Latitude, c.Position.Longitude, c.Sequence,
		database.NullMicros(c.LocatedAt), c.OrderID, database.Micros(c.UpdatedAt), c.ID, c.Version-1)
	if err != nil {
		return fmt.Errorf("update a courier: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fault.Conflict(time.Second, "courier_busy", "the courier has just changed").WithCause(err)
	}
	stand := *c
	var has *Delivery
	if c.OrderID != "" {
		copied := *d
		has = &copied
	}
	asOf := s.tracks.asOf()
	tx.Notify(topicCouriers)
	tx.AfterCommit(func() { s.tracks.committed(stand, has, asOf) })
	return nil
}

// writePosition writes down where a courier is, unless something later is written, and returns the courier's new version; 0 if not.
func writePosition(tx *database.Tx, id string, r report) (int64, error) {
	var version int64
	at := database.Micros(r.at)
	err := tx.QueryRow(updatePosition, r.position.Latitude, r.position.Longitude, r.sequence, at, id, r.sequence, at).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("write a position down: %w", err)
	}
	return version, nil
}

// readCourier returns a courier as last committed, and the delivery that it has, nil if none; or NotFound. The delivery is read after
// the courier, so it is never older than the courier's version says.
func readCourier(ctx context.Context, db *database.DB, id string) (*Courier, *Delivery, error) {
	c, err := scanCourier(db.QueryRow(ctx, selectCourier, id))
	if err != nil || c.OrderID == "" {
		return c, nil, err
	}
	d, err := readDelivery(ctx, db, c.OrderID)
	if err == nil && d.CourierID != c.ID {
		return c, nil, nil // it was given back between the two
	}
	return c, d, err
}

// readCouriers returns the couriers that a query finds, with the latest positions that are known.
func (s *Service) readCouriers(ctx context.Context, query string) ([]*Courier, error) {
	rows, err := s.db.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read couriers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found []*Courier
	for rows.Next() {
		c, err := scanCourier(rows)
		if err != nil {
			return nil, err
		}
		s.tracks.overlay(c)
		found = append(found, c)
	}
	return found, rows.Err()
}

func scanCourier(row database.Row) (*Courier, error) {
	var c Courier
	err := row.Scan(&c.ID, &c.Version, &c.State, &c.Name, &c.Vehicle, &c.Position.Latitude, &c.Position.Longitude, &c.Sequence,
		database.IntoTime(&c.LocatedAt), &c.OrderID, database.IntoTime(&c.CreatedAt), database.IntoTime(&c.UpdatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("courier")
	}
	if err != nil {
		return nil, fmt.Errorf("read a courier: %w", err)
	}
	return &c, nil
}
