package consumers

import (
	"time"

	"kerf/modules/consumers/internal"
	"kerf/platform/database"
	"kerf/platform/outbox"
)

// Module is consumers, wired: the service of its contract (consumersapi.ConsumersService), its Routes and its Subscriptions.
type Module struct{ *internal.Service }

// New makes the module on its database. clk tells domain time.
func New(db *database.DB, events *outbox.Outbox, clk interface{ Now() time.Time }) *Module {
	return &Module{internal.NewService(db, events, clk)}
}
