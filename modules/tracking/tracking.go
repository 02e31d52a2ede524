package tracking

import (
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/modules/tracking/internal"
	"kerf/platform/clock"
	"kerf/platform/database"
)

// Module is tracking, wired: the service of its contract (trackingapi.TrackingService), its Routes, its Subscriptions, its Audit, and
// Run, which hears where couriers are and prunes.
type Module struct{ *internal.Service }

// New makes the module on its database. positions is a subscriber without a group.
func New(db *database.DB, clk *clock.Clock, positions message.Subscriber, log *slog.Logger) *Module {
	return &Module{internal.New(db, clk, positions, log)}
}
