package internal

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/modules/tracking/trackingapi"
	"kerf/platform/bus"
	"kerf/platform/kerfpb"
)

// about is what every event of an order carries.
type about interface {
	proto.Message
	GetOrderId() string
	GetConsumerId() string
	GetRestaurantId() string
}

// factOf is what an event says; says gives the change of its section.
func factOf[E about](source Source, meta bus.Meta, event E, says func(E) func(*trackingapi.View)) Fact {
	_, unremarkable := any(event).(*deliveryapi.EtaChanged)
	return Fact{
		OrderID: event.GetOrderId(), ConsumerID: event.GetConsumerId(), RestaurantID: event.GetRestaurantId(),
		Source: source, Sequence: meta.Sequence, Event: meta.Type, Time: meta.Time,
		Says: says(event), Unremarkable: unremarkable,
	}
}

// Of orders.

func orderPlaced(e *ordersapi.OrderPlaced) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		o := v.Order
		o.State, o.Total, o.PlacedAt = Pending, e.GetTotal(), e.GetPlacedAt()
		o.Address, o.RestaurantPosition = e.GetAddress(), e.GetRestaurantPosition()
		o.EtaEarliest, o.EtaLatest = e.GetEtaEarliest(), e.GetEtaLatest()
	}
}

func orderApproved(*ordersapi.OrderApproved) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Order.State = Approved
		if v.Order.CancelRequested {
			v.Order.State = CancelPending
		}
	}
}

func cancelRequested(e *ordersapi.CancelRequested) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Order.CancelRequested, v.Order.Reason = true, e.GetReason()
		if v.Order.State == Approved { // before that it waits for the approval
			v.Order.State = CancelPending
		}
	}
}

func cancelRefused(*ordersapi.CancelRefused) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Order.CancelRequested, v.Order.Reason = false, ""
		if v.Order.State == CancelPending {
			v.Order.State = Approved
		}
	}
}

func orderRejected(e *ordersapi.OrderRejected) func(*trackingapi.View) {
	return orderEnded(Rejected, e.GetReason(), nil)
}

func orderCancelled(e *ordersapi.OrderCancelled) func(*trackingapi.View) {
	return orderEnded(Cancelled, e.GetReason(), e.GetCharge())
}

func orderDelivered(e *ordersapi.OrderDelivered) func(*trackingapi.View) {
	return orderEnded(Delivered, "", e.GetCharge())
}

func orderUndeliverable(e *ordersapi.OrderUndeliverable) func(*trackingapi.View) {
	return orderEnded(Undeliverable, e.GetReason(), e.GetCharge())
}

func orderEnded(state, reason string, charge *kerfpb.Money) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Order.State, v.Order.Reason, v.Order.Charge, v.Order.CancelRequested = state, reason, charge, false
	}
}

// Of the kitchen.

func ticket(state string) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Ticket.State = state }
}

func ticketCreated(*kitchenapi.TicketCreated) func(*trackingapi.View)   { return ticket(Created) }
func ticketRejected(*kitchenapi.TicketRejected) func(*trackingapi.View) { return ticket(Rejected) }
func ticketExpired(*kitchenapi.TicketExpired) func(*trackingapi.View)   { return ticket(Expired) }
func preparationStarted(*kitchenapi.PreparationStarted) func(*trackingapi.View) {
	return ticket(Preparing)
}
func ticketReady(*kitchenapi.TicketReady) func(*trackingapi.View)           { return ticket(Ready) }
func ticketHandedOver(*kitchenapi.TicketHandedOver) func(*trackingapi.View) { return ticket(PickedUp) }
func ticketCancelled(*kitchenapi.TicketCancelled) func(*trackingapi.View)   { return ticket(Cancelled) }

func ticketAccepted(e *kitchenapi.TicketAccepted) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Ticket.State, v.Ticket.ReadyBy = Accepted, e.GetReadyBy() }
}

func ticketDelayed(e *kitchenapi.TicketDelayed) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Ticket.ReadyBy = e.GetReadyBy() }
}

// Of delivery.

// arrival is what most events of delivery tell; some were written down before they did.
type arrival interface {
	GetEtaEarliest() *timestamppb.Timestamp
	GetEtaLatest() *timestamppb.Timestamp
}

func expect(v *trackingapi.View, a arrival) {
	if a.GetEtaLatest() == nil {
		return
	}
	v.Delivery.EtaEarliest, v.Delivery.EtaLatest = a.GetEtaEarliest(), a.GetEtaLatest()
}

func deliveryScheduled(e *deliveryapi.DeliveryScheduled) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Delivery.State = Unassigned
		expect(v, e)
	}
}

func courierAssigned(e *deliveryapi.CourierAssigned) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Delivery.State, v.Delivery.CourierId = Assigned, e.GetCourierId()
		expect(v, e)
	}
}

func courierUnassigned(e *deliveryapi.CourierUnassigned) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Delivery.State, v.Delivery.CourierId = Unassigned, ""
		expect(v, e)
	}
}

func courierArrived(e *deliveryapi.CourierArrived) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		expect(v, e)
		v.Delivery.State, v.Delivery.CourierId = AtPickup, e.GetCourierId()
		if e.GetPlace() == "dropoff" {
			v.Delivery.State = AtDropoff
		}
	}
}

func orderPickedUp(e *deliveryapi.OrderPickedUp) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		d := v.Delivery
		d.State, d.CourierId, d.PickedUpAt = PickedUp, e.GetCourierId(), e.GetPickedUpAt()
		expect(v, e)
	}
}

func etaChanged(e *deliveryapi.EtaChanged) func(*trackingapi.View) {
	return func(v *trackingapi.View) { expect(v, e) }
}

func orderDroppedOff(e *deliveryapi.OrderDroppedOff) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		d := v.Delivery
		d.State, d.CourierId, d.DeliveredAt = Delivered, e.GetCourierId(), e.GetDeliveredAt()
	}
}

func deliveryFailed(e *deliveryapi.DeliveryFailed) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Delivery.State, v.Delivery.CourierId = Failed, e.GetCourierId() }
}

func deliveryCancelled(*deliveryapi.DeliveryCancelled) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Delivery.State, v.Delivery.CourierId = Cancelled, "" }
}

// Of accounting.

func paymentAuthorized(e *accountingapi.PaymentAuthorized) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Payment.State, v.Payment.Authorized = Authorized, e.GetAmount() }
}

func paymentDeclined(*accountingapi.PaymentDeclined) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Payment.State = Declined }
}

func paymentVoided(*accountingapi.PaymentVoided) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Payment.State = Voided }
}

func paymentCaptured(e *accountingapi.PaymentCaptured) func(*trackingapi.View) {
	return func(v *trackingapi.View) { v.Payment.State, v.Payment.Captured = Captured, e.GetAmount() }
}

func paymentRefunded(e *accountingapi.PaymentRefunded) func(*trackingapi.View) {
	return func(v *trackingapi.View) {
		v.Payment.State = Refunded
		v.Payment.Refunded = &kerfpb.Money{
			Amount:   v.Payment.GetRefunded().GetAmount() + e.GetAmount().GetAmount(),
			Currency: e.GetAmount().GetCurrency(),
		}
	}
}
