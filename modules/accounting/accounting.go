package accounting

import (
	"log/slog"

	"kerf/modules/accounting/internal"
	"kerf/modules/accounting/internal/provider"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/inbox"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// Provider is the company that moves the money.
type Provider = provider.Provider

// Module is the accounting, wired: the service of its contract (accountingapi.AccountingService), its Routes and its Audit.
type Module struct{ *internal.Service }

// New makes the module on its database, and registers its due work with the queue, which is run by the caller.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk *clock.Clock, p Provider, log *slog.Logger) *Module {
	return &Module{internal.New(db, events, queue, clk, p, log)}
}

// Subscriptions are none: accounting does what it is told by calls.
func (m *Module) Subscriptions() []inbox.Subscription { return nil }

// NewSimulator returns the built-in provider. Its record lies in tables of its own in the module's database, so that it moves with the
// module, and replicas share it.
func NewSimulator(db *database.DB, clk *clock.Clock) Provider {
	return provider.NewSimulator(db, clk, provider.Config{})
}
