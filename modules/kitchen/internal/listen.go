package internal

import (
	"context"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/inbox"
)

// Subscriptions are what the kitchen hears: that a courier has picked up an order.
func (s *Service) Subscriptions() []inbox.Subscription {
	return []inbox.Subscription{{Module: "delivery", Handlers: []inbox.Handler{inbox.On(s.orderPickedUp)}}}
}

// orderPickedUp moves a ticket that its restaurant forgot to hand over, and publishes TicketHandedOver for it, so that who folds this
// module's events ends in the state that the ticket has. A ticket that is not here, or in a state that it does not fit, stays as it
// is: the fact is delivery's, and this module has no say in it.
func (s *Service) orderPickedUp(ctx context.Context, tx *database.Tx, _ bus.Meta, event *deliveryapi.OrderPickedUp) error {
	t, err := find(tx, event.GetOrderId())
	if fault.KindOf(err) == fault.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return s.change(ctx, tx, t, (*Ticket).CourierPickedUp)
}
