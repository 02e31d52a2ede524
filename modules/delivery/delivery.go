package delivery

import (
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"

	"kerf/modules/delivery/internal"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// Config tunes delivery. Zero fields mean the default.
type Config = internal.Config

// Module is delivery, wired: the service of its contract (deliveryapi.DeliveryService), its Routes, its Subscriptions, its Audit, and
// Run, which dispatches.
type Module struct{ *internal.Service }

// New makes the module on its database, and registers its due work with the queue, which is run by the caller. Where couriers are, is
// published to positions on deliveryapi.PositionsTopic. A nil registerer leaves the metrics unregistered.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk *clock.Clock, positions message.Publisher, cfg Config,
	log *slog.Logger, reg prometheus.Registerer) *Module {
	return &Module{internal.New(db, events, queue, clk, positions, cfg, log, reg)}
}
