package town

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
	"kerf/platform/geo"
	"kerf/platform/ids"
	"kerf/platform/money"
)

const (
	// atOnce is how many of the town's people register at the same time, and how many orders are checked.
	atOnce = 16
	// tokenSeconds is the longest life that the server gives a token.
	tokenSeconds = 86_400
	currency     = "EUR"
)

// The middle of the town, and how far from it people live, in degrees: some two kilometres, so that each restaurant delivers to all.
const (
	latitude, longitude = 52.09, 5.12
	latitudes           = 0.009
	longitudes          = 0.014
)

// restaurant is one, with a token that owns it.
type restaurant struct {
	id     string
	bearer string
	page   string // paths
	menu   string
	quote  string // how a request for a quote begins
}

// diner is one who orders, again and again.
type diner struct {
	api    *api.Caller
	bearer string
	search string // path
	// quote is the diner's part of a request for a quote; place how an order ends: from its address on.
	quote, place string
}

// courier is one with a phone.
type courier struct {
	id, bearer, path string
	seen             string        // the version that the phone knows
	freed            chan struct{} // holds a token when a journey has let go of the courier
}

func (t *Town) settle(ctx context.Context) (err error) {
	if t.before, err = rules.ReadBooks(ctx, t.staff); err != nil {
		return err
	}
	size := t.config.Size
	t.restaurants, t.diners, t.couriers = make([]*restaurant, size.Restaurants), make([]*diner, size.Diners), make([]*courier, size.Couriers)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range t.restaurants {
		group.Go(func() error { return t.openRestaurant(groupCtx, i) })
	}
	for i := range t.diners {
		group.Go(func() error { return t.registerDiner(groupCtx, i) })
	}
	for i := range t.couriers {
		group.Go(func() error { return t.registerCourier(groupCtx, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return t.follow(ctx)
}

// home is where somebody is, whom kind and number tell from all others.
func (t *Town) home(kind, number int) geo.Position {
	random := rand.New(rand.NewPCG(t.config.Seed, uint64(kind)<<32|uint64(number)))
	return geo.Position{Latitude: latitude + latitudes*(2*random.Float64()-1), Longitude: longitude + longitudes*(2*random.Float64()-1)}
}

func (t *Town) openRestaurant(ctx context.Context, i int) error {
	who := api.Identity{Roles: []string{"restaurant"}, Subject: ids.New(), TTL: tokenSeconds}
	owner := t.client.As(who)
	var made api.Created
	if err := owner.Post(ctx, "/v1/restaurants", map[string]any{
		"name": fmt.Sprintf("Restaurant %d", i+1), "cuisine": cuisines[i%len(cuisines)], "position": t.home(1, i), "time_zone": "UTC",
		"currency": currency, "delivery_fee": price(290), "service_fee_basis_points": 500, "cancellation_fee": price(300), "tax_basis_points": 900,
		// Couriers set out as soon as a ticket is accepted: they would be there only when the food is ready.
		"preparation_minutes": 5,
	}, &made); err != nil {
		return err
	}
	if err := owner.Post(ctx, "/v1/restaurants/"+made.ID+"/menus", map[string]any{"items": menu()}, nil); err != nil {
		return err
	}
	if err := owner.Post(ctx, "/v1/restaurants/"+made.ID+"/opening", nil, nil); err != nil {
		return err
	}
	who.Owns = []string{made.ID}
	token, err := t.client.As(who).Token(ctx)
	t.restaurants[i] = &restaurant{
		id: made.ID, bearer: "Bearer " + token, page: "/v1/restaurants/" + made.ID, menu: "/v1/restaurants/" + made.ID + "/menu",
		quote: `{"restaurant_id":"` + made.ID + `",`,
	}
	return err
}

func (t *Town) registerDiner(ctx context.Context, i int) error {
	id, home := ids.New(), t.home(2, i)
	who := t.client.As(api.Identity{Roles: []string{"consumer"}, Subject: id, TTL: tokenSeconds})
	var address, card api.Created
	if err := who.Post(ctx, "/v1/consumers", map[string]any{
		"name": fmt.Sprintf("Diner %d", i+1), "email": fmt.Sprintf("diner-%d@example.com", i+1),
	}, nil); err != nil {
		return err
	}
	if err := who.Post(ctx, "/v1/consumers/"+id+"/addresses", map[string]any{
		"label": "Home", "street": "Street " + strconv.Itoa(i+1), "city": "Town", "country": "NL", "position": home,
	}, &address); err != nil {
		return err
	}
	if err := who.Post(ctx, "/v1/consumers/"+id+"/payment-methods", map[string]any{"token": "tok_approve", "label": "Card"}, &card); err != nil {
		return err
	}
	token, err := who.Token(ctx)
	t.diners[i] = &diner{
		api: who, bearer: "Bearer " + token,
		search: fmt.Sprintf("/v1/restaurants?latitude=%g&longitude=%g&open_now=true", home.Latitude, home.Longitude),
		quote:  fmt.Sprintf(`"address":{"latitude":%g,"longitude":%g},`, home.Latitude, home.Longitude),
		place:  `","address_id":"` + address.ID + `","payment_method_id":"` + card.ID + `","notes":"`,
	}
	return err
}

func (t *Town) registerCourier(ctx context.Context, i int) error {
	id := ids.New()
	who := t.client.As(api.Identity{Roles: []string{"courier"}, Subject: id, TTL: tokenSeconds})
	if err := who.Post(ctx, "/v1/couriers", map[string]any{"name": fmt.Sprintf("Courier %d", i+1), "vehicle": "bicycle"}, nil); err != nil {
		return err
	}
	if err := who.Post(ctx, "/v1/couriers/"+id+"/shift", map[string]any{"position": t.home(3, i)}, nil); err != nil {
		return err
	}
	token, err := who.Token(ctx)
	t.couriers[i] = &courier{id: id, bearer: "Bearer " + token, path: "/v1/couriers/" + id, freed: make(chan struct{}, 1)}
	return err
}

var cuisines = []string{"italian", "indian", "thai", "greek"}

var dishes = []struct {
	id    string
	cents int64
}{{"soup", 590}, {"salad", 690}, {"pasta", 1090}, {"curry", 1190}, {"burger", 1250}, {"cake", 520}, {"water", 250}, {"wine", 480}}

func menu() (items []map[string]any) {
	for _, d := range dishes {
		items = append(items, map[string]any{"id": d.id, "name": d.id, "price": price(d.cents)})
	}
	return items
}

func price(cents int64) money.Money { return money.Money{Amount: cents, Currency: currency} }

// meal is the end of a request for a quote: three dishes of the menu.
func meal(random *rand.Rand) []byte {
	first, step := random.IntN(len(dishes)), 1+2*random.IntN(len(dishes)/2) // an odd step meets each of eight dishes
	lines := append(make([]byte, 0, 192), `"lines":[`...)
	for i := range 3 {
		if i > 0 {
			lines = append(lines, ',')
		}
		lines = append(append(lines, `{"item_id":"`...), dishes[(first+i*step)%len(dishes)].id...)
		lines = strconv.AppendInt(append(lines, `","quantity":`...), int64(1+random.IntN(3)), 10)
		lines = append(lines, '}')
	}
	return append(lines, `]}`...)
}
