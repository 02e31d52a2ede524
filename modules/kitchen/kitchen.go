package kitchen

import (
	"log/slog"

	"kerf/modules/kitchen/internal"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// Module is the kitchen, wired: the service of its contract (kitchenapi.KitchenService), its Routes and its Subscriptions.
type Module struct{ *internal.Service }

// New makes the module on its database, and registers its due work with the queue, which is run by the caller.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk *clock.Clock, log *slog.Logger) *Module {
	return &Module{internal.New(db, events, queue, clk, log)}
}
