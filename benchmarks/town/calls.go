package town

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"kerf/cmd/simulate/rules"
)

// What follows are single requests, for experiments that decide by themselves what is asked when. Each goes by the connection of a worker. What
// is asked for is the same for the same number. Errors are those of journeys: a *Refusal, or the connection's.

// QuoteFor asks for the price of an order, and returns the quote's id.
func (t *Town) QuoteFor(ctx context.Context, worker, n int) (quoteID string, err error) {
	o := t.order(n)
	err = t.quote(ctx, worker, o)
	return o.quoteID, err
}

// PlaceQuote places an order of the same number for which there is a quote, once. It is held against the invariants by Check, also if nobody knows
// what became of it.
func (t *Town) PlaceQuote(ctx context.Context, worker, n int, quoteID string) (orderID string, err error) {
	o := t.order(n)
	o.quoteID = quoteID
	if err := t.submit(ctx, worker, o); err != nil {
		return "", err
	}
	return o.id, nil
}

// SearchNow has a diner look for what is open near by.
func (t *Town) SearchNow(ctx context.Context, worker, n int) error {
	d := t.diners[n%len(t.diners)]
	return t.lines.exchange(ctx, worker, request{method: "GET", path: d.search, bearer: d.bearer}, nil)
}

// PageOf has an order's diner look at its page. missing is how many parts of it are not there, because their modules did not answer.
func (t *Town) PageOf(ctx context.Context, worker int, orderID string) (missing int, err error) {
	err = t.read(ctx, worker, orderID, "/v1/orders/"+orderID, func(a answer) error {
		names, _, _ := bytes.Cut(after(a.body, `"missing":[`), []byte("]"))
		missing = bytes.Count(names, []byte(`"`)) / 2
		return nil
	})
	return missing, err
}

// State has an order's diner look at its page, and tells the state that orders itself knows.
func (t *Town) State(ctx context.Context, worker int, orderID string) (state string, err error) {
	err = t.read(ctx, worker, orderID, "/v1/orders/"+orderID, func(a answer) error {
		if state = text(after(a.body, `"order":{`), `"state":"`); state == "" {
			return fmt.Errorf("the page of order %s has no state", orderID)
		}
		return nil
	})
	return state, err
}

// TrackingOf has an order's diner look at the view of it.
func (t *Town) TrackingOf(ctx context.Context, worker int, orderID string) error {
	return t.read(ctx, worker, orderID, "/v1/tracking/"+orderID, nil)
}

// Listed has an order's diner look at the list of the latest orders, and tells whether the order is among them. Unlike the view of one order, the list
// waits for nobody.
func (t *Town) Listed(ctx context.Context, worker int, orderID string) (listed bool, err error) {
	err = t.read(ctx, worker, orderID, "/v1/tracking?limit=20", func(a answer) error {
		listed = bytes.Contains(a.body, []byte(`"order_id":"`+orderID+`"`))
		return nil
	})
	return listed, err
}

// TicketOf has an order's restaurant look at the ticket.
func (t *Town) TicketOf(ctx context.Context, worker int, orderID string) error {
	o, err := t.known(orderID)
	if err != nil {
		return err
	}
	return t.lines.exchange(ctx, worker, request{method: "GET", path: "/v1/tickets/" + orderID, bearer: o.restaurant.bearer}, nil)
}

// Accept has an order's restaurant accept it, which must be approved. It returns when the server has acknowledged that.
func (t *Town) Accept(ctx context.Context, worker int, orderID string) error {
	o, err := t.known(orderID)
	if err != nil {
		return err
	}
	return t.lines.exchange(ctx, worker, request{
		method: "POST", path: "/v1/tickets/" + orderID + "/acceptance", bearer: o.restaurant.bearer, key: t.keys.next(nil), body: empty,
	}, nil)
}

// CourierLook has a courier look at what there is to do.
func (t *Town) CourierLook(ctx context.Context, worker, n int) error {
	c := t.couriers[n%len(t.couriers)]
	return t.lines.exchange(ctx, worker, request{method: "GET", path: c.path, bearer: c.bearer}, nil)
}

// Seen waits until the live stream has told of an order that it has come to a status on its way, or farther; "" waits until it has told of the order at
// all. It returns when the stream first did, and waits for as long as ctx lets it and the town is patient.
func (t *Town) Seen(ctx context.Context, orderID, status string) (time.Time, error) {
	return t.live.await(ctx, orderID, t.config.Patience, rules.Reached(status))
}

// order is what somebody will order, which the number decides.
func (t *Town) order(n int) *order {
	random := rand.New(rand.NewPCG(t.config.Seed, uint64(n)))
	return &order{diner: t.diners[random.IntN(len(t.diners))], restaurant: t.restaurants[random.IntN(len(t.restaurants))], number: n, meal: meal(random)}
}

func (t *Town) known(orderID string) (*order, error) {
	if o := t.orders.find(orderID); o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("the town knows no order %q", orderID)
}

// read has an order's diner read something.
func (t *Town) read(ctx context.Context, worker int, orderID, path string, read func(answer) error) error {
	o, err := t.known(orderID)
	if err != nil {
		return err
	}
	return t.lines.exchange(ctx, worker, request{method: "GET", path: path, bearer: o.diner.bearer}, read)
}
