package tracking

import (
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/modules/tracking/internal"
	"kerf/platform/clock"
	"kerf/platform/database"
)

// Module is tracking, wired: the service of its contract (trackingapi.TrackingService), its Routes, its Subscriptions, its Audit, and
// Run, which hears where couriers are, prunes, and rebuilds the views.
type Module struct{ *internal.Service }

// Logs are the logs of the modules whose events the views are made of; each is the module's platformpb.PlatformService, here or elsewhere.
type Logs = internal.Logs

// New makes the module on its database. positions is a subscriber without a group.
func New(db *database.DB, clk *clock.Clock, positions message.Subscriber, logs Logs, log *slog.Logger) *Module {
	return &Module{internal.New(db, clk, positions, logs, log)}
}
