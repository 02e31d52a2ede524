package acceptance

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// city is a server's place for one scenario: its people live far from those of the others. Couriers alone are everybody's: dispatch sends
// whoever is nearest and free.
type city struct {
	*testing.T
	town     int
	world    *world
	lat, lon float64
}

// world is what the scenarios on one server share.
type world struct {
	server   *server
	contract *contract
	http     *http.Client
	towns    atomic.Int64
	couriers sync.Map // by id
	goodwill atomic.Int64
}

func newWorld(t *testing.T, s *server, known *contracts) *world {
	return &world{server: s, contract: known.of(t, s.url), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// city founds one.
func (w *world) city(t *testing.T) *city {
	town := int(w.towns.Add(1))
	return &city{T: t, town: town, world: w, lat: -60 + 2*float64(town%60), lon: -170 + 3*float64(town/60)}
}

// position is a place in the city, so many metres north of its centre.
func (c *city) position(metres float64) obj {
	return obj{"latitude": c.lat + metres/111_195, "longitude": c.lon}
}

// stranger is somebody without a token.
func (c *city) stranger() *caller {
	return &caller{t: c.T, url: c.world.server.url, http: c.world.http, contract: c.world.contract}
}

// person is somebody with a role. What else the token request says is in more.
func (c *city) person(role string, more obj) *caller {
	c.Helper()
	ask := obj{"roles": []string{role}}
	for name, value := range more {
		ask[name] = value
	}
	var token struct{ Token, Subject string }
	p := c.stranger()
	p.post("/v1/tokens", ask, without("Idempotency-Key")).ok(201, &token)
	p.token, p.subject = token.Token, token.Subject
	return p
}

func (c *city) support() *caller { return c.person("support", nil) }
func (c *city) admin() *caller   { return c.person("admin", nil) }

// amount is money as the API has it.
type amount struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func euro(cents int64) amount { return amount{cents, "EUR"} }

// diner is a consumer with an address and a payment method.
type diner struct {
	*caller
	city    *city
	address string
	method  string
	place   obj
}

// diner registers one who lives 500 m from the centre and pays with a token of the provider's simulator.
func (c *city) diner(paysWith string) *diner {
	c.Helper()
	d := &diner{caller: c.person("consumer", nil), city: c, place: c.position(500)}
	d.post("/v1/consumers", obj{"name": "Ada", "email": "ada@example.org"}).ok(201, nil)
	var made struct{ ID string }
	d.post("/v1/consumers/"+d.subject+"/addresses", obj{"label": "home", "street": "Lindengasse 7", "city": "Wien", "postal_code": "1070",
		"country": "AT", "position": d.place}).ok(201, &made)
	d.address = made.ID
	d.method = d.pays(paysWith)
	return d
}

// pays adds a payment method and returns its id.
func (d *diner) pays(token string) string {
	d.t.Helper()
	var made struct{ ID string }
	d.post("/v1/consumers/"+d.subject+"/payment-methods", obj{"token": token, "label": "card"}).ok(201, &made)
	return made.ID
}

// restaurant is one that is open, with a menu.
type restaurant struct {
	*caller
	city *city
	id   string
}

// The menu that every restaurant has unless its story says otherwise: prices in cents, and the pizza in two sizes.
var menu = obj{"items": []obj{
	{"id": "pizza", "name": "Pizza", "price": euro(950), "modifier_groups": []obj{
		{"id": "size", "name": "Size", "min": 1, "max": 1, "options": []obj{
			{"id": "small", "name": "Small", "price_delta": euro(0)},
			{"id": "large", "name": "Large", "price_delta": euro(250)}}},
		{"id": "extra", "name": "Extra", "min": 0, "max": 2, "options": []obj{
			{"id": "olives", "name": "Olives", "price_delta": euro(100)},
			{"id": "ham", "name": "Ham", "price_delta": euro(150)},
			{"id": "basil", "name": "Basil", "price_delta": euro(50)}}}}},
	{"id": "tiramisu", "name": "Tiramisu", "price": euro(555)},
}}

// The terms that every restaurant has unless its story says otherwise.
func usualTerms() obj {
	return obj{"cuisine": "italian", "time_zone": "Europe/Vienna", "currency": "EUR", "tax_basis_points": 1000,
		"delivery_fee": euro(299), "service_fee_basis_points": 500, "cancellation_fee": euro(400), "preparation_minutes": 5}
}

// restaurant founds one in the centre, and opens it. Terms replace the usual ones.
func (c *city) restaurant(terms obj) *restaurant {
	c.Helper()
	r := c.draft(terms)
	r.post(r.path("/menus"), menu).ok(201, nil)
	r.post(r.path("/opening"), obj{}).ok(200, nil)
	return r
}

// draft founds a restaurant that is not open and has no menu.
func (c *city) draft(terms obj) *restaurant {
	c.Helper()
	creation := usualTerms()
	creation["name"], creation["position"] = fmt.Sprintf("Da Town %d", c.town), c.position(0)
	for name, value := range terms {
		creation[name] = value
	}
	founder := c.person("restaurant", nil)
	var made struct{ ID string }
	founder.post("/v1/restaurants", creation).ok(201, &made)
	return &restaurant{caller: c.person("restaurant", obj{"owns": []string{made.ID}}), city: c, id: made.ID}
}

func (r *restaurant) path(more string) string { return "/v1/restaurants/" + r.id + more }

// etag is that of the restaurant as it is now.
func (r *restaurant) etag() string {
	r.t.Helper()
	return r.get(r.path("")).ok(200, nil).etag()
}

// courier is one on shift.
type courier struct {
	*caller
	city *city
}

// courier registers one and begins a shift 200 m from the centre.
func (c *city) courier() *courier {
	c.Helper()
	k := c.idleCourier()
	k.post("/v1/couriers/"+k.subject+"/shift", obj{"position": c.position(200)}).ok(200, nil)
	return k
}

// idleCourier registers a courier who is not on shift.
func (c *city) idleCourier() *courier {
	c.Helper()
	k := &courier{c.person("courier", nil), c}
	k.post("/v1/couriers", obj{"name": "Kim", "vehicle": "bicycle"}).ok(201, nil)
	c.world.couriers.Store(k.subject, k)
	return k
}

// offered waits until a courier is offered an order, and returns whoever it is, besides those who are not meant.
func (c *city) offered(o *order, not ...*courier) *courier {
	c.Helper()
	var chosen *courier
	staff := c.support()
	eventually(c.T, "a courier for order "+o.ID, func() (bool, string) {
		var d delivery
		a := staff.get("/v1/deliveries/" + o.ID)
		if a.status == http.StatusNotFound {
			return false, "it is not scheduled"
		}
		if a.ok(200, &d); d.State != "OFFERED" {
			return false, "the delivery is " + d.State
		}
		if chosen = c.whoHas(o); chosen == nil {
			return false, "nobody has the offer"
		}
		for _, k := range not {
			if k.subject == chosen.subject {
				return false, "the offer is with " + k.subject
			}
		}
		return true, ""
	})
	return chosen
}

// whoHas asks all couriers who is offered an order: only they are told.
func (c *city) whoHas(o *order) (who *courier) {
	c.world.couriers.Range(func(_, value any) bool {
		k := value.(*courier)
		one := &courier{k.as(c.T), c}
		var app struct {
			Delivery *struct {
				OrderID string `json:"order_id"`
			}
		}
		one.get("/v1/couriers/"+one.subject).ok(200, &app)
		if app.Delivery != nil && app.Delivery.OrderID == o.ID {
			who = one
		}
		return who == nil
	})
	return who
}

// as is the same caller in another test.
func (c *caller) as(t testing.TB) *caller {
	same := *c
	same.t = t
	return &same
}

func (k *courier) on(o *order, action string, body obj) *answer {
	k.t.Helper()
	return k.post("/v1/deliveries/"+o.ID+"/"+action, body)
}
