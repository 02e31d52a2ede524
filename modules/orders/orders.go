package orders

import (
	"context"
	"log/slog"

	"github.com/labstack/echo/v4"

	"kerf/modules/orders/internal"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/database"
	"kerf/platform/inbox"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// Module is orders, wired. It is an OrdersService.
type Module struct{ core *internal.Core }

var _ ordersapi.OrdersService = (*Module)(nil)

// New returns the module over its database, outbox and queue, which asks the given modules. It registers its kinds of due work, so it comes
// before the queue runs.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk internal.Clock, restaurants internal.Quoter, consumers internal.Checker,
	kitchen internal.Tickets, accounting internal.Payments, delivery internal.Couriers, log *slog.Logger) *Module {
	return &Module{core: internal.New(db, events, queue, clk, internal.Collaborators{
		Restaurants: restaurants, Consumers: consumers, Kitchen: kitchen, Accounting: accounting, Delivery: delivery,
	}, log)}
}

// GetOrder returns an order as this module knows it.
func (m *Module) GetOrder(ctx context.Context, req *ordersapi.GetOrderRequest) (*ordersapi.GetOrderResponse, error) {
	return m.core.GetOrder(ctx, req)
}

// Routes serves the REST operations.
func (m *Module) Routes(e *echo.Echo) {
	e.GET("/v1/orders", m.core.GetOrders)
	e.POST("/v1/orders", m.core.PostOrder)
	e.POST("/v1/orders/:order_id/cancellation", m.core.PostCancellation)
}

// Subscriptions says what the module hears.
func (m *Module) Subscriptions() []inbox.Subscription {
	return []inbox.Subscription{
		{Module: "kitchen", Handlers: []inbox.Handler{
			inbox.On(m.core.TicketAccepted),
			inbox.On(m.core.PreparationStarted),
			inbox.On(m.core.TicketReady),
			inbox.On(m.core.TicketRejected),
			inbox.On(m.core.TicketExpired),
			inbox.On(m.core.TicketCancelled),
		}},
		{Module: "delivery", Handlers: []inbox.Handler{
			inbox.On(m.core.OrderPickedUp),
			inbox.On(m.core.OrderDroppedOff),
			inbox.On(m.core.DeliveryFailed),
			inbox.On(m.core.DeliveryCancelled),
		}},
	}
}

// Audit counts sagas, orders by state and the charges of those that ended; see the counters' names there.
func (m *Module) Audit(ctx context.Context) (map[string]int64, error) { return m.core.Audit(ctx) }
