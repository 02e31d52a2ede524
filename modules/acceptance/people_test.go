package acceptance

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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

// quote is what an order would cost.
type quote struct {
	ID                        string
	Subtotal, Tax, Tip, Total amount
	DeliveryFee               amount    `json:"delivery_fee"`
	ServiceFee                amount    `json:"service_fee"`
	SmallOrderFee             amount    `json:"small_order_fee"`
	CancellationFee           amount    `json:"cancellation_fee"`
	ExpiresAt                 time.Time `json:"expires_at"`
	Lines                     []struct{ UnitPrice, Total, Tax amount }
}

// line is one line of a quote request: an item and how many, with options as group, option.
func line(item string, quantity int, options ...[2]string) obj {
	chosen := []obj{}
	for _, o := range options {
		chosen = append(chosen, obj{"group_id": o[0], "option_id": o[1]})
	}
	return obj{"item_id": item, "quantity": quantity, "options": chosen}
}

var large, small = [2]string{"size", "large"}, [2]string{"size", "small"}

// supper is what diners order unless their story is about food: 2 × 1200 + 555 = 2955, tax 240 + 56, service 148, delivery 299, tip 200.
func supper(r *restaurant, d *diner) obj {
	return obj{"restaurant_id": r.id, "address": d.place, "tip": euro(200), "lines": []obj{line("pizza", 2, large), line("tiramisu", 1)}}
}

// What supper comes to.
const (
	supperFood    = 2955
	supperTax     = 296
	supperFees    = 148
	supperCourier = 299 + 200
	supperTotal   = supperFood + supperTax + supperFees + supperCourier
)

// asks gets a quote.
func (d *diner) asks(request obj) *quote {
	d.t.Helper()
	q := &quote{}
	d.post("/v1/quotes", request).ok(201, q)
	return q
}

// placing is the body that orders a quote.
func (d *diner) placing(q *quote) obj {
	return obj{"quote_id": q.ID, "address_id": d.address, "payment_method_id": d.method, "notes": "second door"}
}

// order is an order as the API shows it, with its parts; ask for it again with now.
type order struct {
	ID              string
	Version         int64
	State, Reason   string
	Charge          *amount
	Total           amount
	DeliveryPIN     string `json:"delivery_pin"`
	CancelRequested bool   `json:"cancel_requested"`
	Links           links  `json:"_links"`
}

type links map[string]struct{ Href, Method string }

func (l links) has(rel string) bool { _, ok := l[rel]; return ok }

// page is an order as the gateway composes it.
type page struct {
	ID       string
	Order    order
	Ticket   *struct{ State, Reason string }
	Delivery *struct {
		State, Reason string
		CourierID     string `json:"courier_id"`
	}
	Payment *struct {
		State, Reason                  string
		Authorized, Captured, Refunded amount
	}
	Missing []string
	Links   links `json:"_links"`
}

// orders places an order for supper at a restaurant.
func (d *diner) orders(r *restaurant) *order {
	d.t.Helper()
	return d.places(d.asks(supper(r, d)))
}

// places orders a quote.
func (d *diner) places(q *quote) *order {
	d.t.Helper()
	o := &order{}
	d.post("/v1/orders", d.placing(q)).ok(201, o)
	return o
}

// approved places an order for supper and waits until the restaurant can see its ticket.
func (d *diner) approved(r *restaurant) *order {
	d.t.Helper()
	o := d.orders(r)
	d.sees(o, "APPROVED")
	return o
}

// page asks for an order with its parts.
func (d *diner) page(o *order) *page {
	d.t.Helper()
	p := &page{}
	d.get("/v1/orders/"+o.ID).ok(200, p)
	return p
}

// terminal are the states that stay.
var terminal = map[string]bool{"REJECTED": true, "DELIVERED": true, "UNDELIVERABLE": true, "CANCELLED": true}

// sees waits until the order is in a state, and returns its page.
func (d *diner) sees(o *order, state string) *page {
	d.t.Helper()
	var p *page
	eventually(d.t, "order "+o.ID+" "+state, func() (bool, string) {
		p = d.page(o)
		if p.Order.State != state && terminal[p.Order.State] {
			d.t.Fatalf("order %s is %s (%s), want %s", o.ID, p.Order.State, p.Order.Reason, state)
		}
		return p.Order.State == state, "it is " + p.Order.State
	})
	return p
}

// ends waits until the order has ended in a state for a reason, with a charge in cents, and nothing held.
func (d *diner) ends(o *order, state, reason string, charge int64) *page {
	d.t.Helper()
	p := d.sees(o, state)
	if p.Order.Reason != reason {
		d.t.Errorf("order %s ended because of %q, want %q", o.ID, p.Order.Reason, reason)
	}
	if p.Order.Charge == nil || *p.Order.Charge != euro(charge) {
		d.t.Errorf("order %s was charged %v, want %d", o.ID, p.Order.Charge, charge)
	}
	if pay := p.Payment; pay != nil {
		if kept := pay.Captured.Amount - pay.Refunded.Amount; kept != charge {
			d.t.Errorf("the payment of order %s kept %d, want %d", o.ID, kept, charge)
		}
		if pay.State == "AUTHORIZED" || pay.State == "CREATED" {
			d.t.Errorf("order %s is %s, but money is held: its payment is %s", o.ID, state, pay.State)
		}
	}
	return p
}

// ticket is what the kitchen knows of an order.
type ticket struct {
	State, Reason string
	PickupCode    string `json:"pickup_code"`
	Links         links  `json:"_links"`
}

func (r *restaurant) ticket(o *order) *ticket {
	r.t.Helper()
	t := &ticket{}
	r.get("/v1/tickets/"+o.ID).ok(200, t)
	return t
}

// does takes a ticket a step on.
func (r *restaurant) does(o *order, action string, body obj, more ...with) *answer {
	r.t.Helper()
	return r.post("/v1/tickets/"+o.ID+"/"+action, body, more...)
}

// accepts says yes to an order, with the food ready after the restaurant's usual time.
func (r *restaurant) accepts(o *order) {
	r.t.Helper()
	r.does(o, "acceptance", obj{}).ok(200, nil)
}

// cooks takes an order that was accepted to READY.
func (r *restaurant) cooks(o *order) {
	r.t.Helper()
	r.does(o, "preparation", obj{}).ok(200, nil)
	r.does(o, "readiness", obj{}).ok(200, nil)
}

// delivery is what the road knows of an order.
type delivery struct {
	State, Reason string
	CourierID     string `json:"courier_id"`
	Links         links  `json:"_links"`
}

// fetches takes an order from the offer to the courier's hands: the counter must have it ready.
func (k *courier) fetches(o *order, r *restaurant) {
	k.t.Helper()
	k.on(o, "acceptance", obj{}).ok(200, nil)
	k.on(o, "arrival-at-pickup", obj{}).ok(200, nil)
	k.on(o, "pickup", obj{"code": r.ticket(o).PickupCode}).ok(200, nil)
}

// brings takes an order from the courier's hands to the diner's.
func (k *courier) brings(o *order) {
	k.t.Helper()
	k.on(o, "arrival-at-dropoff", obj{}).ok(200, nil)
	k.on(o, "dropoff", obj{"pin": o.DeliveryPIN}).ok(200, nil)
}

// now is the domain's time.
func (c *city) now() time.Time {
	c.Helper()
	var clock struct{ Now time.Time }
	c.stranger().get("/v1/clock").ok(200, &clock)
	return clock.Now
}

// books asserts what the ledger says of an order: cents by kind of account, over all of its postings.
func (c *city) books(o *order, want map[string]int64) {
	c.Helper()
	var list struct {
		Items []struct {
			Entries []struct {
				Account string
				Amount  amount
			}
		}
	}
	c.support().get("/v1/ledger/postings?order_id="+o.ID).ok(200, &list)
	got := map[string]int64{}
	for _, posting := range list.Items {
		var sum int64
		for _, e := range posting.Entries {
			got[e.Account] += e.Amount.Amount
			sum += e.Amount.Amount
		}
		if sum != 0 {
			c.Errorf("a posting for order %s sums to %d", o.ID, sum)
		}
	}
	for account, cents := range got {
		if cents != want[account] {
			c.Errorf("order %s put %d into %s, want %d", o.ID, cents, account, want[account])
		}
	}
	for account, cents := range want {
		if _, ok := got[account]; !ok && cents != 0 {
			c.Errorf("order %s put nothing into %s, want %d", o.ID, account, cents)
		}
	}
}
