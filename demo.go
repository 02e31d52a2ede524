package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/actors"
	"kerf/cmd/simulate/api"
	"kerf/platform/clock"
	"kerf/platform/config"
	"kerf/platform/geo"
	"kerf/platform/ids"
	"kerf/platform/process"
	"kerf/platform/telemetry"
)

// How the demo city lives: fast enough that an order is at the door within a minute at speed 1.
const (
	demoPreparation = 8 * time.Second // on the domain clock, as is what follows
	demoService     = 2 * time.Second
	demoSpeed       = 14.0             // metres in a second, of couriers
	demoOrderEvery  = 20 * time.Second // on the wall: so that the live page has something to show
	demoReportEvery = 500 * time.Millisecond
	demoTokenTTL    = 3600
)

// demo gives the component that plays the demo city, in a data folder that was empty when this is called, or that has one already. Its people
// are clients of the public API like everybody else, and take up their work again after a restart.
func demo(cfg config.Config) func(url string, clk *clock.Clock, tel *telemetry.Telemetry) []process.Component {
	return demoIn(cfg, os.Stderr)
}

// demoIn is demo; the command that orders is printed on hint.
func demoIn(cfg config.Config, hint io.Writer) func(url string, clk *clock.Clock, tel *telemetry.Telemetry) []process.Component {
	file := filepath.Join(cfg.Data, "demo.json")
	_, err := os.Stat(file)
	if !cfg.Demo || err != nil && !emptyFolder(cfg.Data) {
		return nil
	}
	return func(url string, clk *clock.Clock, tel *telemetry.Telemetry) []process.Component {
		c := &city{file: file, url: url, clock: clk, log: tel.Log.With("part", "demo"), hint: hint}
		return []process.Component{{Name: "demo city", Run: c.run}}
	}
}

func emptyFolder(dir string) bool {
	entries, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
}

// city is the demo city at work.
type city struct {
	file, url string
	clock     *clock.Clock
	log       *slog.Logger
	hint      io.Writer // where the command is printed that orders
	tell      sync.Once

	client   *api.Client
	staff    *api.Caller
	people   demoPeople
	kitchens map[string]*actors.Kitchen // by restaurant id

	mu      sync.Mutex
	cooking map[string]bool // by order id
}

// demoPeople are recorded in data/demo.json. Their subjects are written down before the city is set up, and what is asked for in their names
// has fixed keys: a set-up that was interrupted is gone through again, and makes nothing twice.
type demoPeople struct {
	Restaurants []demoOwner `json:"restaurants"`
	Couriers    []string    `json:"couriers"`
	Diners      []demoDiner `json:"diners"`
}

type demoOwner struct {
	Subject string `json:"subject"`
	ID      string `json:"id"` // of the restaurant
}

type demoDiner struct {
	Subject string `json:"subject"`
	Address string `json:"address_id"`
	Card    string `json:"payment_method_id"`
}

// run lives until ctx ends. The demo is no reason to end the server: what goes wrong is logged, and tried again after a while.
func (c *city) run(ctx context.Context) error {
	for {
		err := c.live(ctx)
		if ctx.Err() != nil {
			return nil
		}
		c.log.Warn("the demo city rests", "error", err)
		again := time.NewTimer(demoOrderEvery)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil
		}
	}
}

func (c *city) live(ctx context.Context) (err error) {
	if c.client, err = api.New(api.Config{Target: c.url}); err != nil {
		return err
	}
	defer c.client.Close()
	c.staff = c.client.As(api.Identity{Roles: []string{"support"}, TTL: demoTokenTTL})
	if err := c.settle(ctx); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	c.cooking, c.kitchens = map[string]bool{}, map[string]*actors.Kitchen{}
	for _, r := range c.people.Restaurants {
		caller := c.client.As(api.Identity{Roles: []string{"restaurant"}, Subject: r.Subject, Owns: []string{r.ID}, TTL: demoTokenTTL})
		c.kitchens[r.ID] = &actors.Kitchen{API: caller, Clock: c.clock, Poll: c.poll()}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, subject := range c.people.Couriers {
		group.Go(func() error { return c.courier(subject).Work(ctx, demoStands[i%len(demoStands)], time.Time{}, nil) })
	}
	group.Go(func() error {
		// The stream begins with the orders that are open, so the kitchens take up what they had in hand.
		return c.staff.Follow(ctx, "/v1/tracking/events", nil, func(e api.Event) { c.hear(ctx, group, e) })
	})
	group.Go(func() error { return c.order(ctx) })
	c.tell.Do(func() {
		_, _ = fmt.Fprintf(c.hint, "\nOrder food in the demo city, and see it come to the door:\n\n%s\n\n", c.command())
	})
	return group.Wait()
}

// poll is how often apps ask, on the wall: each second, or more often if the domain hurries and offers lapse sooner.
func (c *city) poll() time.Duration {
	return max(100*time.Millisecond, min(time.Second, time.Duration(float64(30*time.Second)/c.clock.Speed())))
}

// hear has a kitchen cook when there is a ticket for it.
func (c *city) hear(ctx context.Context, group *errgroup.Group, e api.Event) {
	var view api.View
	if e.Name != "view" || json.Unmarshal(e.Data, &view) != nil {
		return
	}
	kitchen := c.kitchens[view.RestaurantID]
	if kitchen == nil || view.Ticket == nil || api.Ended(view.Status) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cooking[view.OrderID] {
		return
	}
	c.cooking[view.OrderID] = true
	group.Go(func() error {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.cooking, view.OrderID)
		}()
		thinking := time.NewTimer(c.poll()/2 + rand.N(c.poll()))
		select {
		case <-thinking.C:
		case <-ctx.Done():
			thinking.Stop()
			return context.Cause(ctx)
		}
		return kitchen.Cook(ctx, view.OrderID, func(t api.Ticket) time.Time {
			if t.ReadyBy.IsZero() {
				return c.clock.Now().Add(demoPreparation)
			}
			return t.ReadyBy
		}, nil)
	})
}

func (c *city) courier(subject string) *actors.Courier {
	return &actors.Courier{
		API: c.client.As(api.Identity{Roles: []string{"courier"}, Subject: subject, TTL: demoTokenTTL}), ID: subject, Clock: c.clock,
		Travel: func(from, to geo.Position) time.Duration {
			return time.Duration(from.Distance(to) / demoSpeed * float64(time.Second))
		},
		PickupService: demoService, DropoffService: demoService, Poll: c.poll(), Report: demoReportEvery,
		Counter: func(ctx context.Context, task api.Task) (string, error) {
			kitchen := c.kitchens[task.RestaurantID]
			if kitchen == nil {
				return "", actors.ErrGone
			}
			return kitchen.HandOver(ctx, task.OrderID)
		},
		Door: func(ctx context.Context, task api.Task) (string, error) {
			var page api.OrderPage
			err := c.staff.Get(ctx, "/v1/orders/"+task.OrderID, &page)
			return page.Order.DeliveryPIN, err
		},
		Wants: func(task api.Task) bool { return c.kitchens[task.RestaurantID] != nil },
	}
}

// order has one of the diners order, now and then.
func (c *city) order(ctx context.Context) error {
	tick := time.NewTicker(demoOrderEvery)
	defer tick.Stop()
	for {
		n := rand.IntN(1000)
		diner, place := n%len(c.people.Diners), rand.IntN(len(c.people.Restaurants))
		caller := c.client.As(api.Identity{Roles: []string{"consumer"}, Subject: c.people.Diners[diner].Subject})
		var quote api.Created
		err := caller.Post(ctx, "/v1/quotes", c.wish(diner, place, n), &quote)
		if err == nil {
			err = caller.Post(ctx, "/v1/orders", map[string]any{"quote_id": quote.ID, "address_id": c.people.Diners[diner].Address,
				"payment_method_id": c.people.Diners[diner].Card}, nil)
		}
		if err != nil && ctx.Err() == nil {
			c.log.Warn("a diner of the demo city could not order", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// wish is a request for a quote.
func (c *city) wish(diner, place, n int) map[string]any {
	return map[string]any{
		"restaurant_id": c.people.Restaurants[place].ID, "lines": demoPlaces[place].basket(n), "address": demoDoors[diner].at,
	}
}

// command is one line for a shell that has curl: it fetches a diner's token, asks for a quote, orders it and follows the order until it
// has been delivered. It needs no tool to read JSON.
func (c *city) command() string {
	diner := c.people.Diners[0]
	wish, _ := json.Marshal(c.wish(0, 0, 0)) // of texts and numbers: it cannot fail
	field := func(name string) string { return `grep -o '"` + name + `": *"[^"]*' | head -n 1 | cut -d '"' -f 4` }
	const kind, bearer, key = `-H 'Content-Type: application/json'`, `-H "Authorization: Bearer $T"`, `-H "Idempotency-Key: $K"`
	return fmt.Sprintf(`K=$(date +%%s); T=$(curl -sS %[1]s/v1/tokens %[2]s -d '{"roles":["consumer"],"subject":"%[3]s"}' | %[4]s); `+
		`Q=$(curl -sS %[1]s/v1/quotes %[2]s %[5]s %[6]s -d '%[7]s' | %[8]s); `+
		`O=$(curl -sS %[1]s/v1/orders %[2]s %[5]s %[6]s -d '{"quote_id":"'$Q'","address_id":"%[9]s","payment_method_id":"%[10]s"}' | %[8]s); `+
		`curl -sSN %[1]s/v1/tracking/$O/events %[5]s | grep -o '"status":"[A-Z_]*"'`,
		c.url, kind, diner.Subject, field("token"), bearer, key, wish, field("id"), diner.Address, diner.Card)
}

// settle takes up the city that is recorded, and sets up what of it is missing.
func (c *city) settle(ctx context.Context) error {
	text, err := os.ReadFile(c.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.people = demoPeople{}
		for range demoPlaces {
			c.people.Restaurants = append(c.people.Restaurants, demoOwner{Subject: ids.New()})
		}
		for range demoStands {
			c.people.Couriers = append(c.people.Couriers, ids.New())
		}
		for range demoDoors {
			c.people.Diners = append(c.people.Diners, demoDiner{Subject: ids.New()})
		}
		if err := c.record(); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, &c.people); err != nil {
			return fmt.Errorf("%s: %w", c.file, err)
		}
		if len(c.people.Restaurants) > len(demoPlaces) || len(c.people.Diners) > len(demoDoors) || len(c.people.Diners) == 0 ||
			len(c.people.Restaurants) == 0 {
			return fmt.Errorf("%s is of another city", c.file)
		}
		if last := c.people.Diners[len(c.people.Diners)-1]; last.Card != "" {
			return nil // what is made last is there
		}
	}
	return c.setUp(ctx)
}

func (c *city) record() error {
	text, err := json.MarshalIndent(c.people, "", "  ")
	if err != nil {
		return err
	}
	// Replaced as a whole: a file that was cut off would be no city any more.
	fresh := c.file + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, c.file)
}

// setUp registers everybody, and records the ids that the server gave.
func (c *city) setUp(ctx context.Context) error {
	for i := range c.people.Restaurants {
		if err := c.openRestaurant(ctx, i); err != nil {
			return err
		}
	}
	for i, subject := range c.people.Couriers {
		caller := c.client.As(api.Identity{Roles: []string{"courier"}, Subject: subject})
		err := create(ctx, caller, "/v1/couriers", map[string]any{"name": fmt.Sprintf("Courier %d", i+1), "vehicle": "bicycle"}, nil)
		if err != nil {
			return err
		}
	}
	for i := range c.people.Diners {
		if err := c.registerDiner(ctx, i); err != nil {
			return err
		}
	}
	return c.record()
}

func (c *city) openRestaurant(ctx context.Context, i int) error {
	place, owner := demoPlaces[i], &c.people.Restaurants[i]
	caller := c.client.As(api.Identity{Roles: []string{"restaurant"}, Subject: owner.Subject})
	var made api.Created
	err := create(ctx, caller, "/v1/restaurants", map[string]any{
		"name": place.name, "cuisine": place.cuisine, "position": place.at, "time_zone": demoTimeZone, "currency": demoCurrency,
		"opening_hours": map[string]any{"always": true}, "delivery_radius_metres": 3000, "minimum": demoPrice(800),
		"delivery_fee": demoPrice(249), "service_fee_basis_points": 300, "small_order_fee": demoPrice(150), "small_order_below": demoPrice(1200),
		"cancellation_fee": demoPrice(300), "tax_basis_points": 1000, "preparation_minutes": 1,
	}, &made)
	if err != nil {
		return err
	}
	owner.ID = made.ID
	if err := create(ctx, caller, "/v1/restaurants/"+owner.ID+"/menus", place.menu(), nil); err != nil {
		return err
	}
	return create(ctx, caller, "/v1/restaurants/"+owner.ID+"/opening", nil, nil)
}

func (c *city) registerDiner(ctx context.Context, i int) error {
	diner, door := &c.people.Diners[i], demoDoors[i]
	caller := c.client.As(api.Identity{Roles: []string{"consumer"}, Subject: diner.Subject})
	var address, card api.Created
	err := create(ctx, caller, "/v1/consumers", map[string]any{
		"name": fmt.Sprintf("Diner %d", i+1), "email": fmt.Sprintf("diner-%d@example.com", i+1), "locale": "en",
	}, nil)
	if err != nil {
		return err
	}
	if err := create(ctx, caller, "/v1/consumers/"+diner.Subject+"/addresses", map[string]any{
		"label": "Home", "street": door.street, "city": "Wien", "postal_code": "1010", "country": "AT", "position": door.at,
	}, &address); err != nil {
		return err
	}
	if err := create(ctx, caller, "/v1/consumers/"+diner.Subject+"/payment-methods",
		map[string]any{"token": "tok_approve", "label": "Demo card"}, &card); err != nil {
		return err
	}
	diner.Address, diner.Card = address.ID, card.ID
	return nil
}

// create posts under a key that is the same each time: whoever posts makes one of each.
func create(ctx context.Context, caller *api.Caller, path string, body, into any) error {
	_, err := caller.Do(ctx, api.Request{Method: "POST", Path: path, Key: "demo-city", Body: body, Into: into})
	return err
}
