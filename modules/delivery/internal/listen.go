package internal

import (
	"context"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/inbox"
)

// Subscriptions are what delivery hears: when the food of an order waits at the counter, or will.
func (s *Service) Subscriptions() []inbox.Subscription {
	return []inbox.Subscription{{Module: "kitchen", Handlers: []inbox.Handler{
		inbox.On(func(ctx context.Context, tx *database.Tx, _ bus.Meta, event *kitchenapi.TicketDelayed) error {
			return s.heard(ctx, tx, event.GetOrderId(), word{readyBy: clock.FromProto(event.GetReadyBy())})
		}),
		inbox.On(func(ctx context.Context, tx *database.Tx, _ bus.Meta, event *kitchenapi.TicketReady) error {
			return s.heard(ctx, tx, event.GetOrderId(), word{readyAt: clock.FromProto(event.GetReadyAt())})
		}),
		inbox.On(func(ctx context.Context, tx *database.Tx, meta bus.Meta, event *kitchenapi.TicketHandedOver) error {
			return s.heard(ctx, tx, event.GetOrderId(), word{readyAt: meta.Time}) // if nothing was said before
		}),
	}}}
}

// heard takes a kitchen's word about an order. The kitchen may be faster than the saga that schedules the delivery: then the word is
// kept for it. A delivery that needs it no more stays as it is.
func (s *Service) heard(ctx context.Context, tx *database.Tx, orderID string, said word) error {
	d, err := findDelivery(tx, orderID)
	if fault.KindOf(err) == fault.KindNotFound {
		return keepWord(tx, orderID, said)
	}
	if err != nil {
		return err
	}
	_, err = s.change(ctx, tx, d, func(d *Delivery, now time.Time) (Effect, error) {
		d.Ready(said, now)
		return Nothing, nil
	})
	return err
}
