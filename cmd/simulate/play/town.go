package play

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/actors"
	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/day"
	"kerf/platform/geo"
	"kerf/platform/ids"
	"kerf/platform/money"
)

const (
	// atOnce is how many of the town's people register at the same time.
	atOnce = 16
	// tokenSeconds is the longest life that the server gives a token.
	tokenSeconds = 86_400
	currency     = "EUR"
	// shortestPoll bounds how often an app asks, on the wall: at high speeds a domain minute is shorter than a request.
	shortestPoll = 50 * time.Millisecond
)

// kitchen is a restaurant's people.
type kitchen struct {
	id    string
	actor *actors.Kitchen
}

// diner is one who orders once.
type diner struct {
	api           *api.Caller
	address, card string // ids of the address and of the payment method
	order         order
}

// setUp opens the restaurants and registers couriers and diners.
func (p *play) setUp(ctx context.Context) error {
	d := p.config.Day
	p.counts.of.Store(int64(len(d.Restaurants) + len(d.Couriers) + len(d.Orders)))
	p.couriers, p.diners = make([]*actors.Courier, len(d.Couriers)), make([]*diner, len(d.Orders))
	reach := reachOf(d)
	kitchens := make([]*kitchen, len(d.Restaurants))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	each := func(n int, register func(i int) error) {
		for i := range n {
			group.Go(func() error {
				err := register(i)
				p.counts.ready.Add(1)
				return err
			})
		}
	}
	each(len(d.Restaurants), func(i int) (err error) {
		kitchens[i], err = p.openRestaurant(ctx, d.Restaurants[i], reach[d.Restaurants[i].ID])
		return err
	})
	each(len(d.Couriers), func(i int) (err error) {
		p.couriers[i], err = p.registerCourier(ctx, d.Couriers[i])
		return err
	})
	each(len(d.Orders), func(i int) (err error) {
		p.diners[i], err = p.registerDiner(ctx, i, d.Orders[i])
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for i, k := range kitchens {
		p.kitchens[d.Restaurants[i].ID] = k
	}
	return nil
}

// reachOf says how far each restaurant has to deliver, in metres.
func reachOf(d day.Day) map[string]float64 {
	at := map[string]day.Point{}
	for _, r := range d.Restaurants {
		at[r.ID] = r.At
	}
	reach := map[string]float64{}
	for _, o := range d.Orders {
		reach[o.Restaurant] = max(reach[o.Restaurant], day.Distance(at[o.Restaurant], o.To))
	}
	return reach
}

func (p *play) openRestaurant(ctx context.Context, r day.Restaurant, reach float64) (*kitchen, error) {
	who := api.Identity{Roles: []string{"restaurant"}, Subject: ids.New(), TTL: tokenSeconds}
	owner := p.client.As(who)
	var made api.Created
	err := owner.Post(ctx, "/v1/restaurants", map[string]any{
		"name": "Restaurant " + r.ID, "cuisine": "everything", "position": positionOf(r.At), "time_zone": "UTC", "currency": currency,
		"opening_hours": map[string]any{"always": true},
		// The plane and the globe differ by less than one in a thousand.
		"delivery_radius_metres": int(math.Ceil(reach*1.01)) + 100,
		"minimum":                price(800), "delivery_fee": price(290), "service_fee_basis_points": 500, "cancellation_fee": price(300),
		"tax_basis_points": 1000, "preparation_minutes": 15,
	}, &made)
	if err != nil {
		return nil, fmt.Errorf("restaurant %s: %w", r.ID, err)
	}
	if err := owner.Post(ctx, "/v1/restaurants/"+made.ID+"/menus", map[string]any{"items": menu()}, nil); err != nil {
		return nil, fmt.Errorf("restaurant %s: %w", r.ID, err)
	}
	if err := owner.Post(ctx, "/v1/restaurants/"+made.ID+"/opening", nil, nil); err != nil {
		return nil, fmt.Errorf("restaurant %s: %w", r.ID, err)
	}
	who.Owns = []string{made.ID}
	return &kitchen{id: made.ID, actor: &actors.Kitchen{
		API: p.client.As(who), Clock: p.clock, Poll: p.wall(5*time.Minute, 10*shortestPoll), Before: p.mayCancel,
	}}, nil
}

// wall is how long a domain time takes on the wall, and at least the shortest.
func (p *play) wall(domain, shortest time.Duration) time.Duration {
	return max(shortest, time.Duration(float64(domain)/p.clock.Speed()))
}

func (p *play) registerCourier(ctx context.Context, c day.Courier) (*actors.Courier, error) {
	id := ids.New()
	actor := &actors.Courier{
		API: p.client.As(api.Identity{Roles: []string{"courier"}, Subject: id, TTL: tokenSeconds}), ID: id, Clock: p.clock,
		Travel: func(from, to geo.Position) time.Duration {
			return p.config.Day.Parameters.Travel(day.PointAt(from.Latitude, from.Longitude), day.PointAt(to.Latitude, to.Longitude))
		},
		PickupService: p.config.Day.Parameters.PickupService, DropoffService: p.config.Day.Parameters.DropoffService,
		Poll: p.wall(time.Minute, shortestPoll), Report: p.wall(time.Minute, 2*shortestPoll),
		Counter: p.atCounter, Door: p.atDoor, Notice: p.notice,
		Wants: func(task api.Task) bool { return p.holders.diner(task.OrderID) != nil },
	}
	if err := actor.API.Post(ctx, "/v1/couriers", map[string]any{"name": "Courier " + c.ID, "vehicle": "bicycle"}, nil); err != nil {
		return nil, fmt.Errorf("courier %s: %w", c.ID, err)
	}
	return actor, nil
}

func (p *play) registerDiner(ctx context.Context, i int, o day.Order) (*diner, error) {
	id := ids.New()
	d := &diner{api: p.client.As(api.Identity{Roles: []string{"consumer"}, Subject: id, TTL: tokenSeconds})}
	fail := func(err error) (*diner, error) { return nil, fmt.Errorf("diner of order %s: %w", o.ID, err) }
	var made api.Created
	err := d.api.Post(ctx, "/v1/consumers", map[string]any{"name": "Diner " + o.ID, "email": fmt.Sprintf("diner-%d@example.com", i)}, nil)
	if err != nil {
		return fail(err)
	}
	if err := d.api.Post(ctx, "/v1/consumers/"+id+"/addresses", map[string]any{
		"label": "Home", "street": "Street " + o.ID, "city": "Day", "country": "NL", "position": positionOf(o.To),
	}, &made); err != nil {
		return fail(err)
	}
	d.address = made.ID
	_, err = d.api.Do(ctx, api.Request{Method: http.MethodPost, Path: "/v1/consumers/" + id + "/payment-methods",
		Body: map[string]any{"token": p.config.Cards[i%len(p.config.Cards)], "label": "Card"}, Into: &made})
	if err != nil {
		return fail(err)
	}
	d.card = made.ID
	d.order.cancelAt = p.config.cancelState(i)
	return d, nil
}

func price(cents int64) money.Money { return money.Money{Amount: cents, Currency: currency} }
