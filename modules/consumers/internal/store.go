package internal

import (
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"kerf/platform/database"
	"kerf/platform/fault"
)

func find(db *gorm.DB, id string) (*Consumer, error) {
	var c Consumer
	if err := db.Take(&c, "id = ?", id).Error; err != nil {
		return nil, missing(err, "consumer")
	}
	return &c, nil
}

func findAddress(db *gorm.DB, consumerID, id string) (*Address, error) {
	var a Address
	if err := db.Take(&a, "consumer_id = ? AND id = ?", consumerID, id).Error; err != nil {
		return nil, missing(err, "address")
	}
	return &a, nil
}

func findPaymentMethod(db *gorm.DB, consumerID, id string) (*PaymentMethod, error) {
	var p PaymentMethod
	if err := db.Take(&p, "consumer_id = ? AND id = ?", consumerID, id).Error; err != nil {
		return nil, missing(err, "payment method")
	}
	return &p, nil
}

func countOf(tx *database.Tx, of any, consumerID string) (int64, error) {
	var n int64
	if err := tx.Gorm().Model(of).Where("consumer_id = ?", consumerID).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count what a consumer has: %w", err)
	}
	return n, nil
}

// missing turns "no row" into Not found, and describes every other error.
func missing(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.NotFound(what)
	}
	return fmt.Errorf("find %s: %w", what, err)
}
