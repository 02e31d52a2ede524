package town

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/benchmarks/load"
)

// defaultPoll is how often a free courier looks for an offer.
const defaultPoll = time.Second

// ride has the couriers look for offers, by the caller of the load that began last, until the town is closed.
func (t *Town) ride(caller *load.Caller, poll time.Duration) {
	if poll <= 0 {
		poll = defaultPoll
	}
	t.caller.Store(caller)
	t.poll.Store(int64(poll))
	t.riding.Do(func() {
		for i, c := range t.couriers {
			t.children.Go(func() { t.shift(t.over, c, i) })
		}
	})
}

// shift is a courier who looks for an offer, leaves the rest to the order's journey, and looks again when that has ended. Couriers look at times
// of their own, spread over the interval.
func (t *Town) shift(ctx context.Context, c *courier, number int) {
	random := rand.New(rand.NewPCG(t.config.Seed, 3<<32|uint64(number)))
	next := time.Now().Add(time.Duration(random.Int64N(t.poll.Load())))
	for ctx.Err() == nil {
		select {
		case <-c.freed: // by a journey that did not come to this courier any more
		default:
		}
		var orderID, state string
		_, err := t.caller.Load().Do(ctx, string(Offer), next, func(ctx context.Context, worker int) (err error) {
			orderID, state, err = t.look(ctx, worker, c)
			return err
		})
		switch {
		case err != nil || orderID == "":
		case state == "OFFERED" && t.orders.offer(orderID, c):
			select {
			case <-c.freed:
				c.seen = "" // what the courier has is to be seen afresh
			case <-ctx.Done():
				return
			}
		default:
			t.callOff(ctx, c, orderID, state)
			c.seen = ""
		}
		// Nobody makes up for looks that were missed.
		if next = next.Add(time.Duration(t.poll.Load())); next.Before(time.Now()) {
			next = time.Now().Add(time.Duration(random.Int64N(t.poll.Load())))
		}
	}
}

// look asks whether there is something to do, by If-None-Match, as a phone does. orderID is empty if there is no news.
func (t *Town) look(ctx context.Context, worker int, c *courier) (orderID, state string, err error) {
	err = t.lines.exchange(ctx, worker, request{method: "GET", path: c.path, bearer: c.bearer, known: c.seen}, func(a answer) error {
		if a.status != 200 {
			return nil
		}
		c.seen = string(a.etag)
		if task := after(a.body, `"delivery":{`); task != nil {
			orderID, state = text(task, `"order_id":"`), text(task, `"state":"`)
		}
		return nil
	})
	return orderID, state, err
}

// callOff has a courier get rid of an order whose journey has failed, so that it may do others: its diner cancels, and if that is too late, the
// courier brings the food back. Each look does one thing about it, and the next look tells what is left.
func (t *Town) callOff(ctx context.Context, c *courier, orderID, state string) {
	r := request{method: "POST", bearer: c.bearer, key: t.keys.next(nil)}
	o := t.orders.find(orderID)
	switch {
	case state == "PICKED_UP" || state == "AT_DROPOFF":
		r.path, r.body = "/v1/deliveries/"+orderID+"/failure", []byte(`{"reason":"consumer_absent"}`)
	case state == "FAILED":
		r.path, r.body = "/v1/deliveries/"+orderID+"/return", empty
	case o != nil:
		r.path, r.bearer, r.body = "/v1/orders/"+orderID+"/cancellation", o.diner.bearer, []byte(`{"reason":"changed my mind"}`)
	case state == "OFFERED": // somebody else's
		r.path, r.body = "/v1/deliveries/"+orderID+"/decline", empty
	default:
		return
	}
	// What becomes of it shows at the next look.
	_, _ = t.caller.Load().Then(ctx, string(CallOff), time.Now(), func(ctx context.Context, worker int) error {
		return t.lines.exchange(ctx, worker, r, nil)
	})
}

// GoHome has all couriers end their shifts, so that nobody is offered orders any more who does not look: whoever settles another town on the same
// server should have this one's couriers go home first. The couriers no longer look for offers then. Those who have an order stay.
func (t *Town) GoHome(ctx context.Context) error {
	t.close()
	t.children.Wait()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, c := range t.couriers {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, load.DefaultDeadline)
			defer cancel()
			r := request{method: "POST", path: c.path + "/shift-end", bearer: c.bearer, key: t.keys.next(nil), body: empty}
			err := t.lines.exchange(ctx, 0, r, nil)
			if _, refused := errors.AsType[*Refusal](err); refused {
				return nil
			}
			return err
		})
	}
	return group.Wait()
}
