package acceptance

import "time"

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
	d.sees(o, state)
	p := d.page(o) // anew: its parts are read side by side, and the payment's may have been read before the order ended
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
