package internal

import (
	"context"
	"fmt"
)

// auditQuery counts what a checker needs. A courier is in disagreement if it is BUSY without a delivery that says so too, or if a
// delivery is a courier's who does not know of it: never, however often it is asked.
const auditQuery = `SELECT
	(SELECT count(*) FROM delivery WHERE state = 'UNASSIGNED'),
	(SELECT count(*) FROM delivery WHERE state IN ('OFFERED', 'ASSIGNED', 'AT_PICKUP', 'PICKED_UP', 'AT_DROPOFF', 'FAILED')),
	(SELECT count(*) FROM courier WHERE state <> 'OFFLINE'),
	(SELECT count(*) FROM courier WHERE state <> 'OFFLINE' AND state = 'BUSY'),
	(SELECT count(*) FROM courier c LEFT JOIN delivery d ON d.order_id = c.order_id AND d.courier_id = c.id
		AND d.state IN ('OFFERED', 'ASSIGNED', 'AT_PICKUP', 'PICKED_UP', 'AT_DROPOFF', 'FAILED')
		WHERE (c.state = 'BUSY') <> (d.order_id IS NOT NULL) OR (c.state = 'BUSY') <> (c.order_id <> ''))
	+ (SELECT count(*) FROM delivery d LEFT JOIN courier c ON c.id = d.courier_id AND c.order_id = d.order_id
		WHERE d.state IN ('OFFERED', 'ASSIGNED', 'AT_PICKUP', 'PICKED_UP', 'AT_DROPOFF', 'FAILED') AND c.id IS NULL)`

// Audit counts, as last committed: deliveries that wait and that a courier has, couriers on shift and busy, and disagreements between
// the two tables, of which there must be none.
func (s *Service) Audit(ctx context.Context) (map[string]int64, error) {
	var waiting, held, onShift, busy, disagree int64
	if err := s.db.QueryRow(ctx, auditQuery).Scan(&waiting, &held, &onShift, &busy, &disagree); err != nil {
		return nil, fmt.Errorf("audit delivery: %w", err)
	}
	return map[string]int64{
		"deliveries_waiting": waiting, "deliveries_with_courier": held,
		"couriers_on_shift": onShift, "couriers_busy": busy, "courier_disagreements": disagree,
	}, nil
}
