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

// maxCapacity bounds what a restaurant may set: a larger number is a slip, and "no limit" is 0.
const maxCapacity = 1000

// Kitchen is what a restaurant has set for its kitchen.
type Kitchen struct {
	RestaurantID string
	// Version is 1 for a kitchen that nobody has set yet.
	Version int64
	// Capacity is how many tickets may be in preparation at a time; 0 is no limit.
	Capacity  int64
	UpdatedAt time.Time
}

const (
	selectKitchen = `SELECT version, capacity, updated_at FROM kitchen WHERE restaurant_id = ?`
	upsertKitchen = `INSERT INTO kitchen (restaurant_id, version, capacity, updated_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (restaurant_id) DO UPDATE SET version = excluded.version, capacity = excluded.capacity, updated_at = excluded.updated_at`
)

// scanKitchen reads a kitchen's row, and gives the defaults where there is none: which restaurants there are, is not known here.
func scanKitchen(restaurantID string, row database.Row) (Kitchen, error) {
	k := Kitchen{RestaurantID: restaurantID, Version: 1}
	err := row.Scan(&k.Version, &k.Capacity, database.IntoTime(&k.UpdatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read a kitchen: %w", err)
	}
	return k, nil
}

func readKitchen(ctx context.Context, db *database.DB, restaurantID string) (Kitchen, error) {
	return scanKitchen(restaurantID, db.QueryRow(ctx, selectKitchen, restaurantID))
}

// setCapacity changes a kitchen of the version that was seen, or answers Stale. Tickets in preparation stay so, also beyond it.
func setCapacity(tx *database.Tx, restaurantID string, seen, capacity int64, now time.Time) (Kitchen, error) {
	k, err := scanKitchen(restaurantID, tx.QueryRow(selectKitchen, restaurantID))
	if err != nil {
		return k, err
	}
	if k.Version != seen {
		return k, fault.Stale("the kitchen has version %d now", k.Version)
	}
	k.Version, k.Capacity, k.UpdatedAt = k.Version+1, capacity, now
	if _, err := tx.Exec(upsertKitchen, restaurantID, k.Version, k.Capacity, database.Micros(now)); err != nil {
		return k, fmt.Errorf("set a kitchen: %w", err)
	}
	return k, nil
}

// load returns how many tickets the kitchen works on, and how many it takes at a time; without a limit nobody counts.
func load(tx *database.Tx, restaurantID string) (inPreparation, capacity int64, err error) {
	k, err := scanKitchen(restaurantID, tx.QueryRow(selectKitchen, restaurantID))
	if err != nil || k.Capacity == 0 {
		return 0, 0, err
	}
	if err := tx.QueryRow(countPreparing, restaurantID).Scan(&inPreparation); err != nil {
		return 0, 0, fmt.Errorf("count the tickets in preparation: %w", err)
	}
	return inPreparation, k.Capacity, nil
}
