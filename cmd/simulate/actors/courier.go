package actors

import (
	"context"
	"errors"
	"net/http"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/platform/clock"
	"kerf/platform/geo"
)

// Courier is one courier with an app.
type Courier struct {
	API   *api.Caller
	ID    string
	Clock *clock.Clock

	// Travel is how long a way takes, on the domain clock.
	Travel func(from, to geo.Position) time.Duration
	// What a stop costs on the domain clock, half of it before the food changes hands, half after.
	PickupService, DropoffService time.Duration
	// Poll is how often, on the wall, the app asks whether there is something to do; Report how often it says where it is on the way.
	Poll, Report time.Duration
	// Counter waits for the food and returns the code that the kitchen names; Door returns the PIN that the diner names. ErrGone says that
	// there is nothing to be had.
	Counter func(context.Context, api.Task) (code string, err error)
	Door    func(context.Context, api.Task) (pin string, err error)
	// Wants tells whether an offer is to be accepted; nil accepts all. Others are declined.
	Wants func(api.Task) bool
	// Notice is told what becomes of the courier and of its orders; it may be nil.
	Notice func(Notice)

	at       geo.Position
	sequence int64
	etag     string
	app      api.Courier // as last seen
}

// Notice is something that a courier did.
type Notice struct {
	CourierID string
	What      What
	OrderID   string // empty for the ends of a shift
}

// What a courier did.
type What uint8

// What a courier may do: begin and end a shift, take an order, deliver it, and lose it before it was delivered.
const (
	WentOnline What = iota
	WentOffline
	Took
	Delivered
	Lost
)

// States of a delivery that its courier acts on, and of a courier.
const (
	deliveryOffered   = "OFFERED"
	deliveryAssigned  = "ASSIGNED"
	deliveryAtPickup  = "AT_PICKUP"
	deliveryPickedUp  = "PICKED_UP"
	deliveryAtDropoff = "AT_DROPOFF"
	deliveryDelivered = "DELIVERED"
	deliveryFailed    = "FAILED"
	courierOffline    = "OFFLINE"
)

// Work is one shift: from a place, if the courier is not on shift already, until the off time (never if zero) or until done is closed, or
// longer while the courier has an order. Then it goes offline. The error is ctx's cause, or that the server did not answer or would not
// have the shift.
func (c *Courier) Work(ctx context.Context, from geo.Position, off time.Time, done <-chan struct{}) error {
	if err := c.begin(ctx, from); err != nil {
		return err
	}
	for {
		if err := c.look(ctx); err != nil {
			return err
		}
		switch task := c.app.Delivery; {
		case c.app.State == courierOffline: // somebody else ended the shift
			c.notice(WentOffline, "")
			return nil
		case task != nil && (task.State != deliveryOffered || !c.over(off, done)):
			if err := c.carryOut(ctx, *task); err != nil {
				return err
			}
			continue
		case c.over(off, done):
			return c.end(ctx)
		}
		if err := c.rest(ctx, off, done); err != nil {
			return err
		}
	}
}

func (c *Courier) over(off time.Time, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return !off.IsZero() && !c.Clock.Now().Before(off)
	}
}

// rest waits until the next look, or the end of the shift.
func (c *Courier) rest(ctx context.Context, off time.Time, done <-chan struct{}) error {
	d := c.Poll
	if !off.IsZero() {
		d = min(d, c.Clock.WallUntil(off))
	}
	return pause(ctx, d, done)
}

// begin goes online, unless the courier is.
func (c *Courier) begin(ctx context.Context, from geo.Position) error {
	if err := c.look(ctx); err != nil {
		return err
	}
	c.sequence = c.app.LocationSequence
	if c.app.State == courierOffline {
		c.at = from
		if err := c.API.Post(ctx, c.path("shift"), map[string]any{"position": from}, &c.app); err != nil {
			return err
		}
	} else if c.at = from; c.app.Position != nil {
		c.at = *c.app.Position
	}
	c.notice(WentOnline, "")
	if task := c.app.Delivery; task != nil && task.State != deliveryOffered {
		c.notice(Took, task.OrderID)
	}
	return nil
}

// end goes offline; an offer that was not answered goes back.
func (c *Courier) end(ctx context.Context) error {
	err := c.API.Post(ctx, c.path("shift-end"), nil, nil)
	if _, refused := api.Refused(err); err != nil && !refused {
		return err
	}
	c.notice(WentOffline, "")
	return nil
}

// look asks the server what there is to do. While nothing changed the answer is 304, and the courier stays as it was last seen.
func (c *Courier) look(ctx context.Context) error {
	fresh := api.Courier{}
	answer, err := c.API.Do(ctx, api.Request{Method: http.MethodGet, Path: c.path(""), IfNoneMatch: c.etag, Into: &fresh})
	if err != nil {
		return err
	}
	if answer.Status == http.StatusOK {
		c.app, c.etag = fresh, answer.ETag
	}
	return nil
}

// carryOut does what an order needs, from wherever it is to the diner's door.
func (c *Courier) carryOut(ctx context.Context, task api.Task) error {
	offered := task.State == deliveryOffered
	for {
		before := task.State
		delivery, err := c.step(ctx, task)
		_, refused := api.Refused(err)
		switch {
		case errors.Is(err, ErrGone), refused:
			if !offered {
				c.notice(Lost, task.OrderID)
			}
			c.etag = "" // what the courier has is to be seen afresh
			return pause(ctx, c.Poll, nil)
		case err != nil:
			return err
		}
		if task.State = delivery.State; task.State == deliveryAssigned && before == deliveryOffered {
			offered = false
			c.notice(Took, task.OrderID)
		}
		switch task.State {
		case deliveryAssigned, deliveryAtPickup, deliveryPickedUp, deliveryAtDropoff:
			continue
		case deliveryDelivered:
			c.notice(Delivered, task.OrderID)
			return c.spend(ctx, c.DropoffService/2)
		}
		c.notice(Lost, task.OrderID)
		return nil
	}
}

// step does the next thing with an order.
func (c *Courier) step(ctx context.Context, task api.Task) (api.Delivery, error) {
	switch task.State {
	case deliveryOffered:
		if c.Wants != nil && !c.Wants(task) {
			if _, err := c.act(ctx, task, "decline", nil); err != nil {
				return api.Delivery{}, err
			}
			return api.Delivery{}, ErrGone
		}
		return c.act(ctx, task, "acceptance", nil)
	case deliveryAssigned:
		if err := c.travel(ctx, task.Pickup); err != nil {
			return api.Delivery{}, err
		}
		return c.act(ctx, task, "arrival-at-pickup", nil)
	case deliveryAtPickup:
		return c.pickUp(ctx, task)
	case deliveryPickedUp:
		if err := c.travel(ctx, task.Dropoff); err != nil {
			return api.Delivery{}, err
		}
		return c.act(ctx, task, "arrival-at-dropoff", nil)
	case deliveryAtDropoff:
		if err := c.spend(ctx, c.DropoffService/2); err != nil {
			return api.Delivery{}, err
		}
		pin, err := c.Door(ctx, task)
		if err != nil {
			return api.Delivery{}, err
		}
		return c.act(ctx, task, "dropoff", map[string]any{"pin": pin})
	case deliveryFailed:
		return c.act(ctx, task, "return", nil)
	}
	return api.Delivery{}, ErrGone
}

// pickUp waits for the food and takes it.
func (c *Courier) pickUp(ctx context.Context, task api.Task) (api.Delivery, error) {
	if err := c.spend(ctx, c.PickupService/2); err != nil {
		return api.Delivery{}, err
	}
	code, err := c.Counter(ctx, task)
	if err != nil {
		return api.Delivery{}, err
	}
	if err := c.spend(ctx, c.PickupService-c.PickupService/2); err != nil {
		return api.Delivery{}, err
	}
	return c.act(ctx, task, "pickup", map[string]any{"code": code})
}

func (c *Courier) act(ctx context.Context, task api.Task, action string, body any) (d api.Delivery, err error) {
	err = c.API.Post(ctx, "/v1/deliveries/"+task.OrderID+"/"+action, body, &d)
	return d, err
}

// travel goes somewhere along the straight line, and says from time to time where it is.
func (c *Courier) travel(ctx context.Context, to geo.Position) error {
	from, began := c.at, c.Clock.Now()
	takes := c.Travel(from, to)
	for {
		left := c.Clock.WallUntil(began.Add(takes))
		if err := pause(ctx, min(left, c.Report), nil); err != nil {
			return err
		}
		if passed := c.Clock.Now().Sub(began); passed < takes {
			part := float64(passed) / float64(takes)
			c.at = geo.Position{
				Latitude:  from.Latitude + part*(to.Latitude-from.Latitude),
				Longitude: from.Longitude + part*(to.Longitude-from.Longitude),
			}
		} else {
			c.at = to
		}
		c.sequence++
		_, err := c.API.Do(ctx, api.Request{Method: http.MethodPut, Path: c.path("location"), Body: map[string]any{"position": c.at, "sequence": c.sequence}})
		if err != nil || c.at == to {
			return err
		}
	}
}

// spend lets domain time pass.
func (c *Courier) spend(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return c.Clock.Wait(ctx, c.Clock.Now().Add(d))
}

func (c *Courier) path(part string) string {
	if part != "" {
		part = "/" + part
	}
	return "/v1/couriers/" + c.ID + part
}

func (c *Courier) notice(what What, orderID string) {
	if c.Notice != nil {
		c.Notice(Notice{CourierID: c.ID, What: what, OrderID: orderID})
	}
}
