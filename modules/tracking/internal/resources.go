package internal

import (
	"time"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/tracking/trackingapi"
	"kerf/platform/clock"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
	"kerf/platform/web"
)

// viewResource is a view in the public API and in live streams.
type viewResource struct {
	OrderID      string            `json:"order_id"`
	Sequence     int64             `json:"sequence"`
	ConsumerID   string            `json:"consumer_id"`
	RestaurantID string            `json:"restaurant_id"`
	Status       string            `json:"status"`
	Reason       string            `json:"reason,omitempty"`
	Order        *orderResource    `json:"order"`
	Ticket       *ticketResource   `json:"ticket"`
	Delivery     *deliveryResource `json:"delivery"`
	Payment      *paymentResource  `json:"payment"`
	History      []historyResource `json:"history"`
	// Behind is shown by the view's own address only.
	Behind *int64    `json:"behind_milliseconds,omitempty"`
	Links  web.Links `json:"_links"`
}

type orderResource struct {
	Sequence           int64         `json:"sequence"`
	State              string        `json:"state"`
	Reason             string        `json:"reason,omitempty"`
	CancelRequested    bool          `json:"cancel_requested"`
	Total              *money.Money  `json:"total,omitempty"`
	Charge             *money.Money  `json:"charge,omitempty"`
	PlacedAt           time.Time     `json:"placed_at,omitzero"`
	Address            *geo.Position `json:"address,omitempty"`
	RestaurantPosition *geo.Position `json:"restaurant_position,omitempty"`
	EtaEarliest        time.Time     `json:"eta_earliest,omitzero"`
	EtaLatest          time.Time     `json:"eta_latest,omitzero"`
}

type ticketResource struct {
	Sequence int64     `json:"sequence"`
	State    string    `json:"state"`
	ReadyBy  time.Time `json:"ready_by,omitzero"`
}

type deliveryResource struct {
	Sequence    int64     `json:"sequence"`
	State       string    `json:"state"`
	CourierID   string    `json:"courier_id,omitempty"`
	EtaEarliest time.Time `json:"eta_earliest,omitzero"`
	EtaLatest   time.Time `json:"eta_latest,omitzero"`
	PickedUpAt  time.Time `json:"picked_up_at,omitzero"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
}

type paymentResource struct {
	Sequence   int64        `json:"sequence"`
	State      string       `json:"state"`
	Authorized *money.Money `json:"authorized,omitempty"`
	Captured   *money.Money `json:"captured,omitempty"`
	Refunded   *money.Money `json:"refunded,omitempty"`
}

type historyResource struct {
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
}

// resourceOf shows a view to a caller: of the links those that he may follow, which for couriers is not the order.
func resourceOf(v *trackingapi.View, p identity.Principal) viewResource {
	self := "/v1/tracking/" + v.GetOrderId()
	links := web.Links{}
	links.Get("self", self)
	links.Get("events", self+"/events")
	if maySee(p, &trackingapi.View{ConsumerId: v.GetConsumerId(), RestaurantId: v.GetRestaurantId()}) {
		links.Get("order", "/v1/orders/"+v.GetOrderId())
	}
	r := viewResource{
		OrderID: v.GetOrderId(), Sequence: v.GetSequence(), ConsumerID: v.GetConsumerId(), RestaurantID: v.GetRestaurantId(),
		Status: v.GetStatus(), Reason: v.GetReason(), History: make([]historyResource, len(v.GetHistory())), Links: links,
	}
	for i, h := range v.GetHistory() {
		r.History[i] = historyResource{h.GetEvent(), h.GetTime().AsTime()}
	}
	if o := v.GetOrder(); o != nil {
		r.Order = &orderResource{
			Sequence: o.GetSequence(), State: o.GetState(), Reason: o.GetReason(), CancelRequested: o.GetCancelRequested(),
			Total: amount(o.GetTotal()), Charge: amount(o.GetCharge()), PlacedAt: clock.FromProto(o.GetPlacedAt()),
			Address: position(o.GetAddress()), RestaurantPosition: position(o.GetRestaurantPosition()),
			EtaEarliest: clock.FromProto(o.GetEtaEarliest()), EtaLatest: clock.FromProto(o.GetEtaLatest()),
		}
	}
	if t := v.GetTicket(); t != nil {
		r.Ticket = &ticketResource{t.GetSequence(), t.GetState(), clock.FromProto(t.GetReadyBy())}
	}
	if d := v.GetDelivery(); d != nil {
		r.Delivery = &deliveryResource{
			Sequence: d.GetSequence(), State: d.GetState(), CourierID: d.GetCourierId(),
			EtaEarliest: clock.FromProto(d.GetEtaEarliest()), EtaLatest: clock.FromProto(d.GetEtaLatest()),
			PickedUpAt: clock.FromProto(d.GetPickedUpAt()), DeliveredAt: clock.FromProto(d.GetDeliveredAt()),
		}
	}
	if p := v.GetPayment(); p != nil {
		r.Payment = &paymentResource{p.GetSequence(), p.GetState(), amount(p.GetAuthorized()), amount(p.GetCaptured()), amount(p.GetRefunded())}
	}
	return r
}

// positionResource is where a courier is, in live streams.
type positionResource struct {
	CourierID string       `json:"courier_id"`
	Position  geo.Position `json:"position"`
	Sequence  int64        `json:"sequence"`
	OrderIDs  []string     `json:"order_ids"`
	Time      time.Time    `json:"time"`
}

func positionOf(m *deliveryapi.CourierMoved, orderIDs []string) positionResource {
	return positionResource{m.GetCourierId(), geo.FromProto(m.GetPosition()), m.GetSequence(), orderIDs, clock.FromProto(m.GetTime())}
}

// endResource is the last event of an order's stream.
type endResource struct {
	OrderID string `json:"order_id"`
	Status  string `json:"status"`
}

func amount(m *kerfpb.Money) *money.Money {
	if m == nil {
		return nil
	}
	a := money.FromProto(m)
	return &a
}

func position(p *kerfpb.Position) *geo.Position {
	if p == nil {
		return nil
	}
	at := geo.FromProto(p)
	return &at
}
