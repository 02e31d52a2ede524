package internal

import (
	"context"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// hear records a fact in the transaction of its message and begins what follows from it. A fact that does not fit any more, or is of an
// order that is not known here, changes nothing: it never fails for a reason of business, which would park it.
func (c *Core) hear(ctx context.Context, tx *database.Tx, orderID string, f Fact) error {
	o, err := load(tx, orderID)
	if fault.KindOf(err) == fault.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	now := c.clock.Now()
	if !o.Hear(f, now) {
		return nil
	}
	o.TakeUp(now, newID)
	return c.save(ctx, tx, o, nil)
}

// TicketAccepted hears that the restaurant will cook.
func (c *Core) TicketAccepted(ctx context.Context, tx *database.Tx, _ bus.Meta, e *kitchenapi.TicketAccepted) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: TicketAccepted, ReadyBy: clock.FromProto(e.GetReadyBy())})
}

// PreparationStarted hears that the restaurant cooks.
func (c *Core) PreparationStarted(ctx context.Context, tx *database.Tx, _ bus.Meta, e *kitchenapi.PreparationStarted) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: PreparationStarted})
}

// TicketReady hears that the food waits for its courier.
func (c *Core) TicketReady(ctx context.Context, tx *database.Tx, _ bus.Meta, e *kitchenapi.TicketReady) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: TicketReady})
}

// TicketRejected hears that the restaurant will not cook.
func (c *Core) TicketRejected(ctx context.Context, tx *database.Tx, _ bus.Meta, e *kitchenapi.TicketRejected) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: TicketRejected, Reason: e.GetReason()})
}

// TicketExpired hears that the restaurant did not answer in time.
func (c *Core) TicketExpired(ctx context.Context, tx *database.Tx, _ bus.Meta, e *kitchenapi.TicketExpired) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: TicketExpired})
}

// TicketCancelled hears that the ticket is no more. Mostly it is the echo of an order's own cancel, and then no news.
func (c *Core) TicketCancelled(ctx context.Context, tx *database.Tx, _ bus.Meta, e *kitchenapi.TicketCancelled) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: TicketCancelled, Reason: e.GetReason()})
}

// OrderPickedUp hears that the courier has the food.
func (c *Core) OrderPickedUp(ctx context.Context, tx *database.Tx, _ bus.Meta, e *deliveryapi.OrderPickedUp) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: OrderPickedUp, CourierID: e.GetCourierId()})
}

// OrderDroppedOff hears that the diner has the food.
func (c *Core) OrderDroppedOff(ctx context.Context, tx *database.Tx, _ bus.Meta, e *deliveryapi.OrderDroppedOff) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: OrderDroppedOff, CourierID: e.GetCourierId()})
}

// DeliveryFailed hears that the food will not reach the diner.
func (c *Core) DeliveryFailed(ctx context.Context, tx *database.Tx, _ bus.Meta, e *deliveryapi.DeliveryFailed) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: DeliveryFailed, Reason: e.GetReason(), CourierID: e.GetCourierId()})
}

// DeliveryCancelled hears that no courier comes: none could be found, or this is the echo of an order's own cancel.
func (c *Core) DeliveryCancelled(ctx context.Context, tx *database.Tx, _ bus.Meta, e *deliveryapi.DeliveryCancelled) error {
	return c.hear(ctx, tx, e.GetOrderId(), Fact{On: DeliveryCancelled, Reason: e.GetReason()})
}
