package internal

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/clock"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
	"kerf/platform/web"
)

// composedOrder is an order with what other modules know of it.
type composedOrder struct {
	ID       string        `json:"id"`
	Order    orderPart     `json:"order"`
	Ticket   *ticketPart   `json:"ticket"`
	Delivery *deliveryPart `json:"delivery"`
	Payment  *paymentPart  `json:"payment"`
	// Missing names the parts whose module did not answer.
	Missing []string  `json:"missing"`
	Links   web.Links `json:"_links"`
}

type orderPart struct {
	ordersapi.Document
	Links web.Links `json:"_links"`
}

type ticketPart struct {
	Version  int64     `json:"version"`
	State    string    `json:"state"`
	Reason   string    `json:"reason,omitempty"`
	AcceptBy time.Time `json:"accept_by,omitzero"`
	ReadyBy  time.Time `json:"ready_by,omitzero"`
	ReadyAt  time.Time `json:"ready_at,omitzero"`
	Links    web.Links `json:"_links"`
}

type deliveryPart struct {
	Version         int64         `json:"version"`
	State           string        `json:"state"`
	Reason          string        `json:"reason,omitempty"`
	CourierID       string        `json:"courier_id,omitempty"`
	CourierPosition *geo.Position `json:"courier_position,omitempty"`

	ETAEarliest time.Time `json:"eta_earliest,omitzero"`
	ETALatest   time.Time `json:"eta_latest,omitzero"`
	PickedUpAt  time.Time `json:"picked_up_at,omitzero"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	Links       web.Links `json:"_links"`
}

type paymentPart struct {
	Version    int64       `json:"version"`
	State      string      `json:"state"`
	Reason     string      `json:"reason,omitempty"`
	Authorized money.Money `json:"authorized"`
	Captured   money.Money `json:"captured"`
	Refunded   money.Money `json:"refunded"`
	Links      web.Links   `json:"_links"`
}

// getOrder asks the four owners at the same time. The order decides: its failure is the answer. A part that its module denies does
// not exist for this caller and is null; one whose module does not answer in time is null and named.
func (g *Gateway) getOrder(c echo.Context) error {
	if _, err := web.Require(c); err != nil {
		return err
	}
	id, err := ids.Parse("order_id", c.Param("order_id"))
	if err != nil {
		return fault.NotFound("order")
	}
	page := composedOrder{ID: id, Missing: []string{}}
	var (
		parts              sync.WaitGroup
		order              *ordersapi.Order
		noOrder            error
		noTicket, noPay    error
		noDelivery         error
		ctx, giveUp        = context.WithCancel(c.Request().Context())
		ask                = func(part func(context.Context)) { parts.Go(func() { g.withTimeout(ctx, part) }) }
		self, trackingHref = "/v1/orders/" + id, "/v1/tracking/" + id
	)
	defer giveUp()
	ask(func(ctx context.Context) { page.Ticket, noTicket = g.ticket(ctx, id) })
	ask(func(ctx context.Context) { page.Delivery, noDelivery = g.delivery(ctx, id) })
	ask(func(ctx context.Context) { page.Payment, noPay = g.payment(ctx, id) })
	g.withTimeout(ctx, func(ctx context.Context) {
		var res *ordersapi.GetOrderResponse
		res, noOrder = g.Orders.GetOrder(ctx, &ordersapi.GetOrderRequest{OrderId: id})
		order = res.GetOrder()
	})
	if noOrder != nil {
		giveUp() // nobody will see the parts
	}
	parts.Wait()
	if noOrder != nil {
		return noOrder
	}
	for _, part := range []struct {
		name string
		err  error
	}{{"ticket", noTicket}, {"delivery", noDelivery}, {"payment", noPay}} {
		if part.err != nil {
			page.Missing = append(page.Missing, part.name)
		}
	}

	page.Links = web.Links{}
	page.Links.Get("self", self)
	page.Links.Get("tracking", trackingHref)
	page.Links.Get("events", trackingHref+"/events")
	page.Links.Get("restaurant", "/v1/restaurants/"+order.GetRestaurantId())
	page.Order = orderPart{ordersapi.DocumentOf(order), web.Links{}}
	page.Order.Links.Get("self", self)
	for _, action := range order.GetActions() {
		page.Order.Links.Act(action, "POST", self+"/"+action)
	}
	return web.Composed(c, page)
}

func (g *Gateway) withTimeout(ctx context.Context, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, g.PartTimeout)
	defer cancel()
	f(ctx)
}

// notAsked is how a process refuses a caller that its operations are not for, whoever that speaks for.
const notAsked = "caller_not_allowed"

// absent tells whether a module's refusal means that the part does not exist for this caller. A module that refuses to be asked by the
// gateway at all says nothing about the part.
func absent(err error) bool {
	switch f := fault.As(err); {
	case f == nil:
		return false
	case f.Kind == fault.KindForbidden:
		return f.Code != notAsked
	default:
		return f.Kind == fault.KindNotFound
	}
}

func (g *Gateway) ticket(ctx context.Context, id string) (*ticketPart, error) {
	res, err := g.Kitchen.GetTicket(ctx, &kitchenapi.GetTicketRequest{OrderId: id})
	if absent(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	t := res.GetTicket()
	return &ticketPart{
		Version: t.GetVersion(), State: strings.TrimPrefix(t.GetState().String(), "TICKET_STATE_"), Reason: t.GetReason(),
		AcceptBy: clock.FromProto(t.GetAcceptBy()), ReadyBy: clock.FromProto(t.GetReadyBy()), ReadyAt: clock.FromProto(t.GetReadyAt()),
		Links: web.Links{"self": {Href: "/v1/tickets/" + id}},
	}, nil
}

func (g *Gateway) delivery(ctx context.Context, id string) (*deliveryPart, error) {
	res, err := g.Delivery.GetDelivery(ctx, &deliveryapi.GetDeliveryRequest{OrderId: id})
	if absent(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	d := res.GetDelivery()
	return &deliveryPart{
		Version: d.GetVersion(), State: strings.TrimPrefix(d.GetState().String(), "DELIVERY_STATE_"), Reason: d.GetReason(),
		CourierID: d.GetCourierId(), CourierPosition: place(d.GetCourierPosition()),
		ETAEarliest: clock.FromProto(d.GetEtaEarliest()), ETALatest: clock.FromProto(d.GetEtaLatest()),
		PickedUpAt: clock.FromProto(d.GetPickedUpAt()), DeliveredAt: clock.FromProto(d.GetDeliveredAt()),
		Links: web.Links{"self": {Href: "/v1/deliveries/" + id}},
	}, nil
}

func (g *Gateway) payment(ctx context.Context, id string) (*paymentPart, error) {
	res, err := g.Accounting.GetPayment(ctx, &accountingapi.GetPaymentRequest{OrderId: id})
	if absent(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	p := res.GetPayment()
	links := web.Links{"self": {Href: "/v1/payments/" + id}}
	if p.GetCaptured().GetAmount() > 0 {
		links.Get("receipt", "/v1/payments/"+id+"/receipt")
	}
	return &paymentPart{
		Version: p.GetVersion(), State: strings.TrimPrefix(p.GetState().String(), "PAYMENT_STATE_"), Reason: p.GetReason(),
		Authorized: money.FromProto(p.GetAuthorized()), Captured: money.FromProto(p.GetCaptured()), Refunded: money.FromProto(p.GetRefunded()),
		Links: links,
	}, nil
}

func place(p *kerfpb.Position) *geo.Position {
	if p == nil {
		return nil
	}
	at := geo.FromProto(p)
	return &at
}
