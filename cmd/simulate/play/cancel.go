package play

import (
	"context"
	"time"

	"kerf/cmd/simulate/api"
)

// cancelAt are the states, as the kitchen and the courier see them, at which diners cancel who were told to: in the first nothing is charged,
// in the next three a fee, and in the last it is too late.
var cancelAt = []string{"AWAITING_ACCEPTANCE", "ACCEPTED", "PREPARING", "READY", pickedUp}

const pickedUp = "PICKED_UP"

// cancelState is at which state the diner of the ith order cancels it, or empty.
func (c Config) cancelState(i int) string {
	if c.CancelEvery == 0 || (i+1)%c.CancelEvery != 0 {
		return ""
	}
	return cancelAt[(i+1)/c.CancelEvery%len(cancelAt)]
}

// mayCancel is asked by a kitchen before it does the next thing with an order's ticket. If the order's diner cancels in this state, the
// kitchen goes on when that has been decided, so that the same cancels meet the same states on each run.
func (p *play) mayCancel(ctx context.Context, orderID, state string) error {
	d := p.holders.diner(orderID)
	if d == nil || d.order.cancelAt != state {
		return nil
	}
	d.order.cancelling.Do(func() { d.order.cancelled = p.cancel(ctx, d) })
	return d.order.cancelled
}

// cancel has a diner cancel an order, and waits until the order has ended. One that may not be cancelled any more goes on.
func (p *play) cancel(ctx context.Context, d *diner) error {
	err := d.api.Post(ctx, "/v1/orders/"+d.order.id+"/cancellation", map[string]any{"reason": "changed my mind"}, nil)
	if _, refused := api.Refused(err); refused {
		return nil
	} else if err != nil {
		return err
	}
	_, err = p.awaitEnd(ctx, d)
	return err
}

// cancelTooLate has the diner try it after the courier has left with the food.
func (p *play) cancelTooLate(ctx context.Context, d *diner) error {
	for {
		changed := p.watch.changed(d.order.id)
		view, _ := p.watch.view(d.order.id)
		if view.Order != nil && (view.Order.State == pickedUp || api.Ended(view.Order.State)) {
			return p.cancel(ctx, d)
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}
