package internal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/tracking/trackingapi"
)

// Source is who published a fact. Each has a section of the view.
type Source string

// The sources.
const (
	Orders     Source = "orders"
	Kitchen    Source = "kitchen"
	Delivery   Source = "delivery"
	Accounting Source = "accounting"
)

// sources are all of them, in the order in which events of the same instant are told.
var sources = []Source{Orders, Kitchen, Delivery, Accounting}

// What the diner is told: the states of an order.
const (
	Pending       = "PENDING"
	Rejected      = "REJECTED"
	Approved      = "APPROVED"
	Accepted      = "ACCEPTED"
	Preparing     = "PREPARING"
	Ready         = "READY"
	PickedUp      = "PICKED_UP"
	Delivered     = "DELIVERED"
	Undeliverable = "UNDELIVERABLE"
	CancelPending = "CANCEL_PENDING"
	Cancelled     = "CANCELLED"
)

// openStatuses are those of orders that go on, endStatuses those of orders that have ended.
var (
	openStatuses = []string{Pending, Approved, Accepted, Preparing, Ready, PickedUp, CancelPending}
	endStatuses  = []string{Rejected, Delivered, Undeliverable, Cancelled}
)

// Further states of the sections.
const (
	Expired    = "EXPIRED"
	Unassigned = "UNASSIGNED"
	Assigned   = "ASSIGNED"
	AtPickup   = "AT_PICKUP"
	AtDropoff  = "AT_DROPOFF"
	Failed     = "FAILED"
	Created    = "CREATED"
	Authorized = "AUTHORIZED"
	Declined   = "DECLINED"
	Voided     = "VOIDED"
	Captured   = "CAPTURED"
	Refunded   = "REFUNDED"
)

// Fact is what an event says about an order.
type Fact struct {
	OrderID      string
	ConsumerID   string
	RestaurantID string
	Source       Source
	Sequence     int64 // among the source's events about the order
	Event        string
	Time         time.Time
	// Says changes the source's section, which exists, and nothing else.
	Says func(*trackingapi.View)
	// Unremarkable facts stay out of the history: they come often, and change only an estimate.
	Unremarkable bool
}

// Fold takes a fact up into its order's view, and reports false, changing nothing, if it was taken up before. A source's facts come in
// their order. How the sources interleave makes no difference to the view that all facts together give, nor do repeats.
func Fold(v *trackingapi.View, f Fact) bool {
	sequence := sectionOf(v, f.Source)
	if f.Sequence <= *sequence {
		return false
	}
	*sequence = f.Sequence
	v.OrderId = f.OrderID
	v.ConsumerId = cmp.Or(v.ConsumerId, f.ConsumerID)
	v.RestaurantId = cmp.Or(v.RestaurantId, f.RestaurantID)
	v.Sequence++
	f.Says(v)
	if !f.Unremarkable {
		remember(v, &trackingapi.HistoryEntry{Event: f.Event, Time: timestamppb.New(f.Time)})
	}
	conclude(v)
	return true
}

func conclude(v *trackingapi.View) { v.Status, v.Reason = statusOf(v), v.GetOrder().GetReason() }

// Adopt puts the section that another view of the order has of a source into v, in place of v's own, with the source's history.
func Adopt(v, from *trackingapi.View, s Source) {
	from = proto.CloneOf(from)
	v.OrderId = from.GetOrderId()
	v.ConsumerId = cmp.Or(v.ConsumerId, from.GetConsumerId())
	v.RestaurantId = cmp.Or(v.RestaurantId, from.GetRestaurantId())
	switch s {
	case Orders:
		v.Order = from.Order
	case Kitchen:
		v.Ticket = from.Ticket
	case Delivery:
		v.Delivery = from.Delivery
	default:
		v.Payment = from.Payment
	}
	v.History = slices.DeleteFunc(v.History, func(h *trackingapi.HistoryEntry) bool { return publisher(h.GetEvent()) == s })
	for _, h := range from.GetHistory() {
		if publisher(h.GetEvent()) == s {
			remember(v, h)
		}
	}
	conclude(v)
}

// sequenceOf is how far the view has heard a source; 0 if not at all.
func sequenceOf(v *trackingapi.View, s Source) int64 {
	switch s {
	case Orders:
		return v.GetOrder().GetSequence()
	case Kitchen:
		return v.GetTicket().GetSequence()
	case Delivery:
		return v.GetDelivery().GetSequence()
	default:
		return v.GetPayment().GetSequence()
	}
}

// heard is how many events the sections say that they are made of.
func heard(v *trackingapi.View) (n int64) {
	for _, s := range sources {
		n += sequenceOf(v, s)
	}
	return n
}

// sectionOf returns the sequence of the source's section, which it makes if there is none.
func sectionOf(v *trackingapi.View, s Source) *int64 {
	switch s {
	case Orders:
		if v.Order == nil {
			v.Order = &trackingapi.OrderSection{State: Pending}
		}
		return &v.Order.Sequence
	case Kitchen:
		if v.Ticket == nil {
			v.Ticket = &trackingapi.TicketSection{State: Created}
		}
		return &v.Ticket.Sequence
	case Delivery:
		if v.Delivery == nil {
			v.Delivery = &trackingapi.DeliverySection{State: Unassigned}
		}
		return &v.Delivery.Sequence
	default:
		if v.Payment == nil {
			v.Payment = &trackingapi.PaymentSection{State: Created}
		}
		return &v.Payment.Sequence
	}
}

// remember puts the event into the history: by time, then by source, then in the source's own order.
func remember(v *trackingapi.View, entry *trackingapi.HistoryEntry) {
	at := len(v.History)
	for at > 0 && later(v.History[at-1], entry) {
		at--
	}
	v.History = slices.Insert(v.History, at, entry)
}

func later(a, b *trackingapi.HistoryEntry) bool {
	return cmp.Or(
		cmp.Compare(a.GetTime().GetSeconds(), b.GetTime().GetSeconds()),
		cmp.Compare(a.GetTime().GetNanos(), b.GetTime().GetNanos()),
		cmp.Compare(rank(a.GetEvent()), rank(b.GetEvent())),
	) > 0
}

// rank is where the source of an event stands in sources.
func rank(event string) int { return slices.Index(sources, publisher(event)) }

// publisher is the source of an event such as kerf.kitchen.TicketAccepted.
func publisher(event string) Source {
	source, _, _ := strings.Cut(strings.TrimPrefix(event, "kerf."), ".")
	return Source(source)
}

// ended tells whether orders has said how the order ended.
func ended(v *trackingapi.View) bool {
	return slices.Contains(endStatuses, v.GetOrder().GetState())
}

// statusOf is the furthest fact. What was picked up is delivered or fails, whatever was asked for; before that a cancel under way is told
// rather than how far the kitchen is.
func statusOf(v *trackingapi.View) string {
	order, ticket, delivery := v.GetOrder().GetState(), v.GetTicket().GetState(), v.GetDelivery().GetState()
	if ended(v) {
		return order
	}
	switch delivery {
	case Delivered:
		return Delivered
	case Failed:
		return Undeliverable
	case PickedUp, AtDropoff:
		return PickedUp
	}
	// A ticket that was accepted is one of an approved order, even if orders has not been heard to say so: what it was told must not be taken
	// back. One that was not may be undone because the order will be rejected.
	promised := order == Approved || v.GetTicket().GetReadyBy() != nil
	if order == CancelPending || promised && setBack(ticket, delivery) {
		return CancelPending
	}
	switch ticket {
	case Ready, PickedUp: // handed over, but the courier has not said so
		return Ready
	case Preparing, Accepted:
		return ticket
	}
	if order == Approved {
		return Approved
	}
	return Pending
}

// setBack tells whether the kitchen or delivery has given up an order, so that it will be cancelled.
func setBack(ticket, delivery string) bool {
	return ticket == Rejected || ticket == Expired || ticket == Cancelled || delivery == Cancelled
}
