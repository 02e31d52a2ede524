// Package internal is tracking: how facts fold into a view (fold.go, which knows neither database nor network nor other modules) and what
// each event says (facts.go), the views and the log of their changes (store.go, changes.go), how they are rebuilt
// (generation.go, rebuild.go and what follows it), and the ways in and out: events (listen.go, positions.go), requests (routes.go,
// first_view.go, rebuild_routes.go), live streams (stream.go, follow.go).
package internal

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

// Clock tells domain time and wall time, how many seconds of the one go by in one of the other, and when an instant has come.
type Clock interface {
	Now() time.Time
	Wall() time.Time
	Speed() float64
	WallTimer(wall time.Time) *clock.Timer
}

// Service is tracking.
type Service struct {
	db        *database.DB
	clock     Clock
	positions message.Subscriber
	log       *slog.Logger
	watchers  *watchers
	lag       *lag
	patient   chan struct{} // holds one for each request that waits for a first view
	rebuilder *rebuilder
}

var _ trackingapi.TrackingService = (*Service)(nil)

// New makes tracking on its database.
func New(db *database.DB, clk Clock, positions message.Subscriber, logs Logs, log *slog.Logger) *Service {
	watchers := newWatchers()
	return &Service{db: db, clock: clk, positions: positions, log: log, watchers: watchers, lag: &lag{clock: clk},
		patient: make(chan struct{}, mostPatient), rebuilder: newRebuilder(db, clk, logs, watchers.changed, log)}
}

// GetView returns the view of an order: see the contract.
func (s *Service) GetView(ctx context.Context, req *trackingapi.GetViewRequest) (*trackingapi.GetViewResponse, error) {
	p, _ := identity.From(ctx)
	v, err := s.viewFor(ctx, p, req.GetOrderId())
	if err != nil {
		return nil, s.notYet(ctx, err)
	}
	behind, err := s.behind(ctx)
	if err != nil {
		return nil, err
	}
	return &trackingapi.GetViewResponse{View: v, BehindMilliseconds: behind.Milliseconds()}, nil
}

// viewFor returns an order's view if the caller may see it, else NotFound.
func (s *Service) viewFor(ctx context.Context, p identity.Principal, orderID string) (*trackingapi.View, error) {
	v, err := read(ctx, s.db, orderID)
	if err != nil {
		return nil, err
	}
	if !maySee(p, v) {
		return nil, fault.NotFound("order")
	}
	return v, nil
}

// notYet turns NotFound into Unavailable while the views of older orders are still to be built.
func (s *Service) notYet(ctx context.Context, err error) error {
	if fault.KindOf(err) != fault.KindNotFound {
		return err
	}
	last, failed := scanRebuild(s.db.QueryRow(ctx, selectRebuild))
	switch {
	case failed != nil:
		return failed
	case last != nil && last.cause == causeEmpty && !last.served():
		return fault.Unavailable(time.Second, "rebuilding", "the views of orders are being built")
	}
	return err
}

func maySee(p identity.Principal, v *trackingapi.View) bool {
	return seesAll(p) ||
		p.Has(identity.RoleConsumer) && p.Owns(v.GetConsumerId()) ||
		p.Has(identity.RoleRestaurant) && p.Owns(v.GetRestaurantId()) ||
		p.Has(identity.RoleCourier) && p.Owns(v.GetDelivery().GetCourierId())
}

func seesAll(p identity.Principal) bool {
	return p.Has(identity.RoleSupport, identity.RoleAdmin, identity.RoleService)
}

// Audit counts the views by status: views_delivered and so on, zeros included.
func (s *Service) Audit(ctx context.Context) (map[string]int64, error) {
	counters := map[string]int64{}
	for _, statuses := range [][]string{openStatuses, endStatuses} {
		for _, status := range statuses {
			counters["views_"+strings.ToLower(status)] = 0
		}
	}
	rows, err := s.db.Query(ctx, `SELECT status, count(*) FROM order_view
		WHERE generation = (SELECT generation FROM showing WHERE one = 1) GROUP BY status`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var status string
		var n int64
		if err := rows.Scan(&status, &n); err != nil {
			return nil, err
		}
		counters["views_"+strings.ToLower(status)] = n
	}
	return counters, rows.Err()
}
