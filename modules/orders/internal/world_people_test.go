package internal

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/database"
)

// What people do. Each reports whether it was possible.

func (w *world) restaurant(orderID string, to kitchenapi.TicketState) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.ticket(orderID)
	from := map[kitchenapi.TicketState][]kitchenapi.TicketState{
		kitchenapi.TicketState_TICKET_STATE_ACCEPTED:  {kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE},
		kitchenapi.TicketState_TICKET_STATE_REJECTED:  {kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE},
		kitchenapi.TicketState_TICKET_STATE_EXPIRED:   {kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE},
		kitchenapi.TicketState_TICKET_STATE_PREPARING: {kitchenapi.TicketState_TICKET_STATE_ACCEPTED},
		kitchenapi.TicketState_TICKET_STATE_READY:     {kitchenapi.TicketState_TICKET_STATE_ACCEPTED, kitchenapi.TicketState_TICKET_STATE_PREPARING},
		kitchenapi.TicketState_TICKET_STATE_PICKED_UP: {kitchenapi.TicketState_TICKET_STATE_READY},
	}
	for _, s := range from[to] {
		if t.state == s {
			t.state = to
			t.promised = t.promised || to == kitchenapi.TicketState_TICKET_STATE_ACCEPTED
			if f := ticketEvent(orderID, to, w.now()); f != nil {
				w.publish("kitchen", f)
			}
			return true
		}
	}
	return false
}

func ticketEvent(orderID string, state kitchenapi.TicketState, now time.Time) fact {
	return func(ctx context.Context, tx *database.Tx, c *Core) error {
		switch state {
		case kitchenapi.TicketState_TICKET_STATE_ACCEPTED:
			return c.TicketAccepted(ctx, tx, noMeta, &kitchenapi.TicketAccepted{OrderId: orderID, ReadyBy: timestamppb.New(now.Add(15 * time.Minute))})
		case kitchenapi.TicketState_TICKET_STATE_PREPARING:
			return c.PreparationStarted(ctx, tx, noMeta, &kitchenapi.PreparationStarted{OrderId: orderID})
		case kitchenapi.TicketState_TICKET_STATE_READY:
			return c.TicketReady(ctx, tx, noMeta, &kitchenapi.TicketReady{OrderId: orderID})
		case kitchenapi.TicketState_TICKET_STATE_REJECTED:
			return c.TicketRejected(ctx, tx, noMeta, &kitchenapi.TicketRejected{OrderId: orderID, Reason: "too_busy"})
		case kitchenapi.TicketState_TICKET_STATE_EXPIRED:
			return c.TicketExpired(ctx, tx, noMeta, &kitchenapi.TicketExpired{OrderId: orderID})
		}
		return nil // handed over: the kitchen's own fact
	}
}

func (w *world) courier(orderID string, to deliveryapi.DeliveryState) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.road(orderID)
	from := map[deliveryapi.DeliveryState]deliveryapi.DeliveryState{
		deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP: deliveryapi.DeliveryState_DELIVERY_STATE_UNASSIGNED,
		deliveryapi.DeliveryState_DELIVERY_STATE_CANCELLED: deliveryapi.DeliveryState_DELIVERY_STATE_UNASSIGNED,
		deliveryapi.DeliveryState_DELIVERY_STATE_DELIVERED: deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP,
		deliveryapi.DeliveryState_DELIVERY_STATE_FAILED:    deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP,
	}
	if r.state != from[to] || r.state == deliveryapi.DeliveryState_DELIVERY_STATE_UNSPECIFIED {
		return false
	}
	if to == deliveryapi.DeliveryState_DELIVERY_STATE_CANCELLED {
		w.cancelRoad(orderID, r, "no_courier")
		return true
	}
	r.state = to
	w.publish("delivery", func(ctx context.Context, tx *database.Tx, c *Core) error {
		switch to {
		case deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP:
			return c.OrderPickedUp(ctx, tx, noMeta, &deliveryapi.OrderPickedUp{OrderId: orderID, CourierId: "courier"})
		case deliveryapi.DeliveryState_DELIVERY_STATE_DELIVERED:
			return c.OrderDroppedOff(ctx, tx, noMeta, &deliveryapi.OrderDroppedOff{OrderId: orderID, CourierId: "relief"})
		}
		return c.DeliveryFailed(ctx, tx, noMeta, &deliveryapi.DeliveryFailed{OrderId: orderID, CourierId: "courier", Reason: "damaged"})
	})
	return true
}
