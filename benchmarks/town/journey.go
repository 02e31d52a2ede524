package town

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kerf/benchmarks/load"
)

// Journey gives what a load does for each arrival. The error of a journey names the step that failed, and why. One that fails lets go of its courier.
func (t *Town) Journey(mix Mix) load.Journey {
	rides := slices.Contains(mix.Steps, Ride)
	return func(ctx context.Context, caller *load.Caller, n int, intended time.Time) error {
		if rides {
			t.ride(caller, mix.Poll)
		}
		j := &journey{town: t, caller: caller, ctx: ctx, think: mix.Think, next: intended, order: t.order(n)}
		if rides {
			j.order.offers = make(chan *courier, 1)
		}
		defer t.orders.leave(j.order)
		for _, step := range mix.Steps {
			if err := j.do(step); err != nil {
				return fmt.Errorf("%s: %w", step, err)
			}
		}
		return nil
	}
}

// journey is one under way. It keeps the context, against the custom, because it is the story of one goroutine and ends with it.
type journey struct {
	town   *Town
	caller *load.Caller
	ctx    context.Context
	think  time.Duration
	order  *order
	next   time.Time // when the next request is intended
	follow bool      // it is intended at once when something else is done, so that it can hardly be late
	// When the order was intended, and when the readiness of its food and the hand-over at the door were acknowledged.
	placed, ready, dropped time.Time
}

var empty = []byte("{}")

// do makes one step.
func (j *journey) do(step Op) error {
	o := j.order
	switch step {
	case Search:
		return j.get(step, o.diner.search, o.diner.bearer, nil)
	case Restaurant:
		return j.get(step, o.restaurant.page, o.diner.bearer, nil)
	case Menu:
		return j.get(step, o.restaurant.menu, o.diner.bearer, nil)
	case Quote:
		_, err := j.send(step, func(ctx context.Context, worker int) error { return j.town.quote(ctx, worker, o) })
		return err
	case Place:
		j.placed = j.next
		_, err := j.send(step, func(ctx context.Context, worker int) error { return j.town.submit(ctx, worker, o) })
		return err
	case Page:
		return j.get(step, "/v1/orders/"+o.id, o.diner.bearer, nil)
	case Tracking:
		return j.get(step, "/v1/tracking/"+o.id, o.diner.bearer, nil)
	case Ticket:
		return j.get(step, "/v1/tickets/"+o.id, o.restaurant.bearer, func(a answer) error {
			o.pickupCode = text(a.body, `"pickup_code":"`)
			return nil
		})
	case Accept, Prepare, Ready:
		return j.cook(step)
	case Ride, AtPickup, Pickup, AtDropoff, Dropoff:
		return j.carry(step)
	case Approved, Offered, Delivered:
		return j.wait(step)
	}
	return errors.New("no step of a journey")
}

// send makes a request at the time when it is intended.
func (j *journey) send(step Op, f func(ctx context.Context, worker int) error) (time.Time, error) {
	request := j.caller.Do
	if j.follow {
		request = j.caller.Then
	}
	done, err := request(j.ctx, string(step), j.next, f)
	j.after(done)
	return done, err
}

// after has the next request follow when the one before was done, and some time to think has passed.
func (j *journey) after(done time.Time) {
	j.next, j.follow = done.Add(j.think), j.think == 0
}

func (j *journey) get(step Op, path, bearer string, read func(answer) error) error {
	_, err := j.send(step, func(ctx context.Context, worker int) error {
		return j.town.lines.exchange(ctx, worker, request{method: "GET", path: path, bearer: bearer}, read)
	})
	return err
}

func (j *journey) post(step Op, path, bearer string, body []byte) (time.Time, error) {
	r := request{method: "POST", path: path, bearer: bearer, key: j.town.keys.next(nil), body: body}
	return j.send(step, func(ctx context.Context, worker int) error { return j.town.lines.exchange(ctx, worker, r, nil) })
}

// cook makes a request of the restaurant's.
func (j *journey) cook(step Op) error {
	paths := map[Op]string{Accept: "/acceptance", Prepare: "/preparation", Ready: "/readiness"}
	done, err := j.post(step, "/v1/tickets/"+j.order.id+paths[step], j.order.restaurant.bearer, empty)
	j.ready = done
	return err
}

// carry makes a request of the courier's.
func (j *journey) carry(step Op) error {
	o := j.order
	if o.courier == nil {
		return errors.New("nobody was offered the order")
	}
	path, body := "", empty
	switch step {
	case Ride:
		return j.takeOn()
	case AtPickup:
		path = "/arrival-at-pickup"
	case Pickup:
		path, body = "/pickup", []byte(`{"code":"`+o.pickupCode+`"}`)
	case AtDropoff:
		path = "/arrival-at-dropoff"
	case Dropoff:
		path, body = "/dropoff", []byte(`{"pin":"`+o.pin+`"}`)
	}
	done, err := j.post(step, "/v1/deliveries/"+o.id+path, o.courier.bearer, body)
	j.dropped = done
	return err
}

// mostOffers is how many couriers are tried.
const mostOffers = 3

// takeOn has the courier accept the offer. One that has lapsed meanwhile is waited for again: some other courier gets it.
func (j *journey) takeOn() error {
	o := j.order
	for offers := 1; ; offers++ {
		_, err := j.post(Ride, "/v1/deliveries/"+o.id+"/acceptance", o.courier.bearer, empty)
		refusal, refused := errors.AsType[*Refusal](err)
		if !refused || refusal.Status >= 500 || offers == mostOffers {
			return err
		}
		o.courier.free()
		o.courier = nil
		j.ready = j.next
		if err := j.wait(Offered); err != nil {
			return err
		}
	}
}
