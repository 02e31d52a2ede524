package internal

import (
	"context"
	"fmt"
	"strings"
)

// Audit counts what a checker of the invariants needs: open sagas, those that are stuck, those that went on past an unforeseen refusal;
// orders by state (orders_delivered); and the charges recorded for orders' ends by currency (charges_EUR), in minor units.
func (c *Core) Audit(ctx context.Context) (map[string]int64, error) {
	counters := map[string]int64{}
	for _, s := range States {
		counters["orders_"+strings.ToLower(string(s))] = 0
	}
	if err := c.auditSagas(ctx, counters); err != nil {
		return nil, fmt.Errorf("audit sagas: %w", err)
	}
	rows, err := c.db.Query(ctx, `SELECT state, currency, count(*), coalesce(sum(charge), 0) FROM orders GROUP BY state, currency`)
	if err != nil {
		return nil, fmt.Errorf("audit orders: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var state, currency string
		var count, charges int64
		if err := rows.Scan(&state, &currency, &count, &charges); err != nil {
			return nil, fmt.Errorf("audit orders: %w", err)
		}
		counters["orders_"+strings.ToLower(state)] += count
		counters["charges_"+currency] += charges
	}
	return counters, rows.Err()
}

func (c *Core) auditSagas(ctx context.Context, counters map[string]int64) error {
	var open, stuck, anomalies int64
	err := c.db.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE attempts >= ?) FROM saga WHERE ended_at IS NULL`, stuckAttempts).
		Scan(&open, &stuck)
	if err != nil {
		return err
	}
	if err := c.db.QueryRow(ctx, `SELECT count(*) FROM saga WHERE anomaly <> ''`).Scan(&anomalies); err != nil {
		return err
	}
	counters["sagas_open"], counters["sagas_stuck"], counters["saga_anomalies"] = open, stuck, anomalies
	return nil
}
