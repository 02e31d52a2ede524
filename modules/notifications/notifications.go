package notifications

import (
	"log/slog"

	"kerf/modules/notifications/internal"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/work"
)

// Module is notifications, wired: the service of its contract (notificationsapi.NotificationsService), its Routes, its Subscriptions and
// its Audit.
type Module struct{ *internal.Service }

// New makes the module on its database, and registers its due work with the queue, which is run by the caller. contacts is consumers.
func New(db *database.DB, queue *work.Queue, clk *clock.Clock, contacts internal.Contacts, log *slog.Logger) *Module {
	return &Module{internal.New(db, queue, clk, contacts, log)}
}
