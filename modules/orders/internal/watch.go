package internal

import (
	"context"
	"time"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/work"
)

// An order hears of its kitchen and its courier by events, which can be late or parked. So that this delays it and cannot strand it, an
// order that has been silent for long is watched: its ticket and its delivery are asked for, and what they answer is taken as facts.
const (
	// answerLimit is how long after approval the kitchen's answer may be missing; the kitchen itself gives up after ten minutes.
	answerLimit = 15 * time.Minute
	// arrivalLimit is how long past its latest arrival an accepted order may be silent.
	arrivalLimit = 30 * time.Minute
	// watchAgain is the time between two looks.
	watchAgain = 15 * time.Minute
)

// saveWatch keeps one watch for each order between approval and end: set anew when the kitchen has accepted, taken back at the end.
func (c *Core) saveWatch(tx *database.Tx, o *Order) error {
	switch {
	case o.changes.terminal:
		return c.queue.Cancel(tx, watchWork, o.ID)
	case o.changes.approved:
		return c.queue.Schedule(tx, watchWork, o.ID, o.watchAt(), nil)
	case o.changes.accepted && o.State != Pending:
		// The earlier due would win.
		if err := c.queue.Cancel(tx, watchWork, o.ID); err != nil {
			return err
		}
		return c.queue.Schedule(tx, watchWork, o.ID, o.watchAt(), nil)
	}
	return nil
}

// watchAt is when to look after an order whose last fact has just come.
func (o *Order) watchAt() time.Time {
	if o.Furthest == Approved {
		return o.HeardAt.Add(answerLimit)
	}
	at := o.EtaLatest
	if at.Before(o.HeardAt) {
		at = o.HeardAt
	}
	return at.Add(arrivalLimit)
}

// watch looks after one order.
func (c *Core) watch(ctx context.Context, claim *work.Claim) error {
	o, err := load(reading{ctx, c.db}, claim.Key)
	if err != nil || o.State.Terminal() {
		return err
	}
	facts, err := c.enquire(identity.With(ctx, identity.Service("orders").For(o.ConsumerID)), o)
	if err != nil {
		return err
	}
	heard := 0
	err = claim.Record(ctx, func(ctx context.Context, tx *database.Tx) error {
		heard, err = c.takeFacts(ctx, tx, claim, facts)
		return err
	})
	if err == nil && heard > 0 {
		c.log.WarnContext(ctx, "an order went on from its owners' answers: events are late", "order_id", claim.Key, "facts", heard)
	}
	return err
}

// takeFacts records what was news, takes the order up, and looks again later unless it has ended.
func (c *Core) takeFacts(ctx context.Context, tx *database.Tx, claim *work.Claim, facts []Fact) (heard int, err error) {
	o, err := load(tx, claim.Key)
	if err != nil {
		return 0, err
	}
	now := c.clock.Now()
	for _, f := range facts {
		if o.Hear(f, now) {
			heard++
		}
	}
	o.TakeUp(now, newID)
	o.changes.accepted = false // this watch goes on by itself
	ended := o.changes.terminal
	o.changes.terminal = false
	if err := c.save(ctx, tx, o, nil); err != nil {
		return 0, err
	}
	if ended || o.State.Terminal() {
		claim.Finish(tx)
	} else {
		claim.Again(tx, now.Add(watchAgain), nil)
	}
	return heard, nil
}

// enquire asks kitchen and delivery, and returns what they say as facts in the order in which they happen. An owner that has nothing of
// the order says nothing.
func (c *Core) enquire(ctx context.Context, o *Order) ([]Fact, error) {
	ctx, cancel := context.WithTimeout(ctx, stepDeadline)
	defer cancel()
	var facts []Fact
	ticket, err := c.ask.Kitchen.GetTicket(ctx, &kitchenapi.GetTicketRequest{OrderId: o.ID})
	switch {
	case err == nil:
		facts = append(facts, ticketFacts(ticket.GetTicket())...)
	case fault.KindOf(err) != fault.KindNotFound:
		return nil, err
	}
	delivery, err := c.ask.Delivery.GetDelivery(ctx, &deliveryapi.GetDeliveryRequest{OrderId: o.ID})
	switch {
	case err == nil:
		facts = append(facts, deliveryFacts(delivery.GetDelivery())...)
	case fault.KindOf(err) != fault.KindNotFound:
		return nil, err
	}
	return facts, nil
}

func ticketFacts(t *kitchenapi.Ticket) []Fact {
	switch t.GetState() {
	case kitchenapi.TicketState_TICKET_STATE_ACCEPTED:
		return []Fact{{On: TicketAccepted, ReadyBy: clock.FromProto(t.GetReadyBy())}}
	case kitchenapi.TicketState_TICKET_STATE_PREPARING:
		return []Fact{{On: TicketAccepted, ReadyBy: clock.FromProto(t.GetReadyBy())}, {On: PreparationStarted}}
	case kitchenapi.TicketState_TICKET_STATE_READY, kitchenapi.TicketState_TICKET_STATE_PICKED_UP:
		return []Fact{{On: TicketAccepted, ReadyBy: clock.FromProto(t.GetReadyBy())}, {On: TicketReady}}
	case kitchenapi.TicketState_TICKET_STATE_REJECTED:
		return []Fact{{On: TicketRejected, Reason: t.GetReason()}}
	case kitchenapi.TicketState_TICKET_STATE_EXPIRED:
		return []Fact{{On: TicketExpired}}
	case kitchenapi.TicketState_TICKET_STATE_CANCELLED:
		return []Fact{{On: TicketCancelled, Reason: t.GetReason()}}
	}
	return nil
}

func deliveryFacts(d *deliveryapi.Delivery) []Fact {
	switch d.GetState() {
	case deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP, deliveryapi.DeliveryState_DELIVERY_STATE_AT_DROPOFF:
		return []Fact{{On: OrderPickedUp, CourierID: d.GetCourierId()}}
	case deliveryapi.DeliveryState_DELIVERY_STATE_DELIVERED:
		return []Fact{{On: OrderDroppedOff, CourierID: d.GetCourierId()}}
	case deliveryapi.DeliveryState_DELIVERY_STATE_FAILED, deliveryapi.DeliveryState_DELIVERY_STATE_RETURNED:
		return []Fact{{On: DeliveryFailed, Reason: d.GetReason(), CourierID: d.GetCourierId()}}
	case deliveryapi.DeliveryState_DELIVERY_STATE_CANCELLED:
		return []Fact{{On: DeliveryCancelled, Reason: d.GetReason()}}
	}
	return nil
}
