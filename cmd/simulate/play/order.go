package play

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"kerf/cmd/simulate/actors"
	"kerf/cmd/simulate/api"
	"kerf/platform/ids"
)

const (
	// longest is how long an order may go on, on the domain clock, before it counts as unfinished; on the wall it may for a minute, and for as
	// long as patience lasts with a server that is down.
	longest      = 6 * time.Hour
	shortestWait = time.Minute
	// lookAgain is how often, on the wall, an order is asked for of which the stream tells nothing.
	lookAgain = 2 * time.Second
)

// order is what its diner knows of an order.
type order struct {
	id      string // empty until the server has acknowledged it
	quoteID string
	pin     string
	refused string // the code, if there is no order because the server would not have it

	// The request that placed it and its answer, to be repeated at the end.
	key          string
	body, answer []byte

	began   time.Time     // when its diner clicked, on the wall
	placing time.Duration // from there to the acknowledgement
	end     string        // the state in which it ended

	cancelAt   string // the state in which its diner cancels, or empty
	cancelling sync.Once
	cancelled  error // what became of cancelling
}

// order lets a diner order at the order's time, has the kitchen cook, and waits until the order has ended.
func (p *play) order(ctx context.Context, i int) error {
	plan, d := p.config.Day.Orders[i], p.diners[i]
	if err := p.clock.Wait(ctx, p.start.Add(plan.Placed)); err != nil {
		return err
	}
	kitchen := p.kitchens[plan.Restaurant]
	switch err := p.place(ctx, i, kitchen.id); {
	case err != nil:
		return fmt.Errorf("order %s: %w", plan.ID, err)
	case d.order.id == "":
		p.counts.failed.Add(1)
		return nil
	}
	p.counts.placed.Add(1)
	if err := p.readBack(ctx, d); err != nil {
		return fmt.Errorf("order %s: %w", plan.ID, err)
	}
	cooking, stop := context.WithCancel(ctx)
	var cooked sync.WaitGroup
	var cookErr, lateErr error
	cooked.Go(func() {
		ready := p.start.Add(plan.Ready)
		cookErr = kitchen.actor.Cook(cooking, d.order.id, func(api.Ticket) time.Time { return ready },
			func() <-chan struct{} { return p.watch.changed(d.order.id) })
	})
	if d.order.cancelAt == pickedUp {
		cooked.Go(func() { lateErr = p.cancelTooLate(cooking, d) })
	}
	state, err := p.awaitEnd(ctx, d)
	stop()
	cooked.Wait()
	for _, failed := range []error{cookErr, lateErr} {
		if err == nil && failed != nil && !errors.Is(failed, context.Canceled) {
			err = failed
		}
	}
	if err != nil {
		return fmt.Errorf("order %s: %w", plan.ID, err)
	}
	d.order.end = state
	switch state {
	case api.Delivered:
		p.counts.delivered.Add(1)
	case api.Rejected:
		p.counts.rejected.Add(1)
	case "": // unfinished
	default:
		p.counts.cancelled.Add(1)
	}
	return nil
}

// place asks for a quote and orders it; an order that is refused leaves its id empty. A quote that has expired, as it may when the server
// was down between the two, is asked for again.
func (p *play) place(ctx context.Context, i int, restaurantID string) error {
	plan, d := p.config.Day.Orders[i], p.diners[i]
	d.order.began = time.Now()
	for attempt := 0; ; attempt++ {
		var quote api.Created
		err := d.api.Post(ctx, "/v1/quotes", map[string]any{
			"restaurant_id": restaurantID, "lines": meal(p.config.Seed, i), "address": positionOf(plan.To),
		}, &quote)
		if problem, refused := api.Refused(err); refused {
			d.order.refused = problem.Code
			return nil
		} else if err != nil {
			return err
		}
		d.order.quoteID, d.order.key = quote.ID, ids.New()
		if d.order.body, err = json.Marshal(map[string]any{
			"quote_id": quote.ID, "address_id": d.address, "payment_method_id": d.card, "notes": plan.ID,
		}); err != nil {
			return err
		}
		var placed api.Order
		answer, err := d.api.Do(ctx, api.Request{
			Method: http.MethodPost, Path: "/v1/orders", Key: d.order.key, Body: json.RawMessage(d.order.body), Into: &placed,
		})
		if problem, refused := api.Refused(err); refused && problem.Code == "quote_expired" && attempt < 3 {
			continue
		} else if refused {
			d.order.refused = problem.Code
			return nil
		} else if err != nil {
			return err
		}
		d.order.placing, d.order.answer = time.Since(d.order.began), answer.Body
		d.order.id, d.order.pin = placed.ID, placed.DeliveryPIN
		p.holders.expect(d.order.id, d)
		return nil
	}
}

// reads count how often a diner who has just ordered does not see it.
type reads struct {
	mu                   sync.Mutex
	orders, staleOrders  int
	views, staleTracking int
}

// readBack looks for an order right after it was acknowledged (I11): on its page, and in tracking, which follows after a moment.
func (p *play) readBack(ctx context.Context, d *diner) error {
	page := d.api.Get(ctx, "/v1/orders/"+d.order.id, nil)
	view := d.api.Get(ctx, "/v1/tracking/"+d.order.id, nil)
	for _, err := range []error{page, view} {
		if err != nil && !api.Absent(err) {
			return err
		}
	}
	r := &p.reads
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orders++
	r.views++
	if page != nil {
		r.staleOrders++
	}
	if view != nil {
		r.staleTracking++
	}
	return nil
}

// awaitEnd waits until orders says how an order ended, and returns that state, or "" for one that goes on for too long.
func (p *play) awaitEnd(ctx context.Context, d *diner) (string, error) {
	patience, cancel := context.WithTimeout(ctx, max(shortestWait, p.config.Patience, p.wall(longest, 0)))
	defer cancel()
	for patience.Err() == nil {
		changed := p.watch.changed(d.order.id)
		if view, _ := p.watch.view(d.order.id); view.Order != nil && api.Ended(view.Order.State) {
			return view.Order.State, nil
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-changed:
			timer.Stop()
			continue
		case <-patience.Done():
		case <-timer.C:
		}
		timer.Stop()
		var page api.OrderPage
		if err := d.api.Get(ctx, "/v1/orders/"+d.order.id, &page); err != nil {
			return "", err
		}
		if api.Ended(page.Order.State) {
			return page.Order.State, nil
		}
	}
	return "", ctx.Err()
}

// atCounter waits for an order's food at its restaurant.
func (p *play) atCounter(ctx context.Context, task api.Task) (string, error) {
	for _, k := range p.kitchens {
		if k.id == task.RestaurantID {
			return k.actor.HandOver(ctx, task.OrderID)
		}
	}
	return "", actors.ErrGone // not of this day: somebody else orders here
}

// atDoor has the diner name the PIN.
func (p *play) atDoor(_ context.Context, task api.Task) (string, error) {
	if d := p.holders.diner(task.OrderID); d != nil {
		return d.order.pin, nil
	}
	return "", actors.ErrGone
}
