// Package internal is accounting: the payment and its machine (payment.go, transitions.go) and the ledger's arithmetic (ledger.go),
// which know neither database nor network; what the provider is told (instruction.go, execute.go, reconcile.go); the store; and the
// ways in: calls of modules (calls.go) and requests (routes.go).
package internal

import (
	"log/slog"
	"time"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/accounting/internal/provider"
	"kerf/platform/database"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

const (
	// callTimeout is how long the provider may take to answer.
	callTimeout = 2 * time.Second
	// retryUnknown is when to ask again for a command whose outcome is not known: about when reconciliation has looked.
	retryUnknown = time.Second
	// retryBusy is when to ask again for a payment of which another movement is not answered yet.
	retryBusy = time.Second
	// firstLook is how soon after an answer failed to come the provider is asked for it.
	firstLook = 200 * time.Millisecond
)

// reconcilePayment is the due work that finishes what the provider has not answered, keyed by order.
const reconcilePayment = "reconcile_payment"

// clocks tell the domain's time and the wall's.
type clocks interface {
	Now() time.Time
	Wall() time.Time
}

// Service is accounting.
type Service struct {
	db       *database.DB
	events   *outbox.Outbox
	queue    *work.Queue
	clock    clocks
	provider provider.Provider
	log      *slog.Logger
	timeout  time.Duration // callTimeout, but in tests
}

var _ accountingapi.AccountingService = (*Service)(nil)

// New makes the accounting and registers its due work with the queue.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk clocks, p provider.Provider, log *slog.Logger) *Service {
	s := &Service{db: db, events: events, queue: queue, clock: clk, provider: p, log: log, timeout: callTimeout}
	queue.Handle(reconcilePayment, work.Wall, s.reconcile)
	return s
}
