package acceptance

import (
	"slices"
	"strings"
	"time"
)

func fromQuoteToDoor(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()

	q := d.asks(supper(r, d))
	if q.Total != euro(supperTotal) {
		c.Fatalf("supper costs %v, want %d", q.Total, supperTotal)
	}
	o := d.places(q)
	if o.State != "PENDING" || !o.Links.has("cancellation") || o.Total != q.Total {
		c.Errorf("a new order is %s, costs %v, and can %v", o.State, o.Total, o.Links)
	}

	p := d.sees(o, "APPROVED")
	if p.Ticket.State != "AWAITING_ACCEPTANCE" || p.Payment.State != "AUTHORIZED" || p.Payment.Authorized != q.Total || p.Delivery != nil {
		c.Errorf("an approved order has ticket %v, payment %v and delivery %v", p.Ticket, p.Payment, p.Delivery)
	}
	if p.Payment.Captured.Amount != 0 {
		c.Errorf("before pick-up %v is charged", p.Payment.Captured)
	}
	if t := r.ticket(o); t.PickupCode == "" || !t.Links.has("acceptance") || !t.Links.has("rejection") {
		c.Errorf("the restaurant sees code %q and can %v", t.PickupCode, t.Links)
	}

	r.accepts(o)
	d.sees(o, "ACCEPTED")
	k := c.offered(o)
	k.on(o, "acceptance", obj{}).ok(200, nil)
	r.does(o, "preparation", obj{}).ok(200, nil)
	d.sees(o, "PREPARING")
	k.on(o, "arrival-at-pickup", obj{}).ok(200, nil)
	r.does(o, "readiness", obj{}).ok(200, nil)
	d.sees(o, "READY")

	k.on(o, "pickup", obj{"code": "no code"}).refused(422, "wrong_code")
	k.on(o, "pickup", obj{"code": r.ticket(o).PickupCode}).ok(200, nil)
	r.does(o, "hand-over", obj{}).ok(200, nil)
	p = d.sees(o, "PICKED_UP")
	if p.Order.Links.has("cancellation") {
		c.Error("an order that was picked up can be cancelled")
	}

	k.on(o, "arrival-at-dropoff", obj{}).ok(200, nil)
	k.on(o, "dropoff", obj{"pin": "no PIN"}).refused(422, "wrong_code")
	k.on(o, "dropoff", obj{"pin": o.DeliveryPIN}).ok(200, nil)
	p = d.ends(o, "DELIVERED", "", supperTotal)
	if p.Ticket.State != "PICKED_UP" || p.Delivery.State != "DELIVERED" || p.Payment.State != "CAPTURED" || len(p.Missing) > 0 {
		c.Errorf("a delivered order has ticket %v, delivery %v, payment %v, and lacks %v", p.Ticket, p.Delivery, p.Payment, p.Missing)
	}

	c.books(o, map[string]int64{"consumer": -supperTotal, "restaurant": supperFood, "tax": supperTax, "platform_fee": supperFees,
		"courier": supperCourier})
	var receipt struct{ Charged, Refunded, Net amount }
	d.get("/v1/payments/"+o.ID+"/receipt").ok(200, &receipt)
	if receipt.Charged != euro(supperTotal) || receipt.Net != euro(supperTotal) || receipt.Refunded != euro(0) {
		c.Errorf("the receipt says %v", receipt)
	}
	var statement struct{ Balances []amount }
	r.get("/v1/ledger/statements/"+r.id).ok(200, &statement)
	if !slices.Equal(statement.Balances, []amount{euro(supperFood)}) {
		c.Errorf("the restaurant has earned %v", statement.Balances)
	}

	c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved", "kerf.kitchen.TicketAccepted", "kerf.delivery.OrderPickedUp", "kerf.orders.OrderDelivered")
	c.hears(r.caller, r.id, o, "kerf.orders.OrderApproved")
	c.hears(k.caller, k.subject, o, "kerf.delivery.CourierAssigned")
}

// hears waits until somebody's inbox holds exactly these notifications about an order.
func (c *city) hears(who *caller, recipient string, o *order, about ...string) {
	c.Helper()
	slices.Sort(about)
	eventually(c.T, "the inbox of "+recipient, func() (bool, string) {
		var inbox struct {
			Items []struct {
				ID, About, Title string
				OrderID          string `json:"order_id"`
			}
		}
		who.get("/v1/notifications?limit=100&recipient_id="+recipient).ok(200, &inbox)
		var got []string
		for _, n := range inbox.Items {
			if n.OrderID == o.ID {
				got = append(got, n.About)
			}
		}
		slices.Sort(got)
		return slices.Equal(got, about), "it holds " + list(got)
	})
}

func restaurantRejects(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.approved(r)
	r.does(o, "rejection", obj{"reason": "out of dough", "missing_item_ids": []string{"pizza"}}).ok(200, nil)
	p := d.ends(o, "CANCELLED", "ticket_rejected", 0)
	if p.Ticket.State != "REJECTED" || p.Payment.State != "VOIDED" || p.Delivery != nil {
		c.Errorf("a rejected order has ticket %v, payment %v, delivery %v", p.Ticket, p.Payment, p.Delivery)
	}
	c.books(o, nil)
	c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved", "kerf.orders.OrderCancelled")
	r.does(o, "acceptance", obj{}).refused(422, "ticket_rejected")
}

func ticketExpires(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.orders(r)
	p := d.ends(o, "CANCELLED", "ticket_expired", 0)
	if p.Ticket.State != "EXPIRED" || p.Payment.State != "VOIDED" {
		c.Errorf("an expired order has ticket %v and payment %v", p.Ticket, p.Payment)
	}
	c.books(o, nil)
}

func noCourier(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	p := d.ends(o, "CANCELLED", "no_courier", 0)
	if p.Ticket.State != "CANCELLED" || p.Payment.State != "VOIDED" || p.Delivery.State != "CANCELLED" {
		c.Errorf("an order without courier has ticket %v, payment %v, delivery %v", p.Ticket, p.Payment, p.Delivery)
	}
	c.books(o, nil)
}

func courierDeclines(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	first := c.offered(o)
	first.on(o, "decline", obj{}).ok(200, nil)
	first.get("/v1/deliveries/"+o.ID).refused(404, "not_found")
	c.courier()
	second := c.offered(o, first)
	second.fetches(o, r)
	second.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
}

func supportReassigns(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	first := c.offered(o)
	first.on(o, "acceptance", obj{}).ok(200, nil)
	c.courier()
	c.support().post("/v1/deliveries/"+o.ID+"/reassignment", obj{}).ok(200, nil)
	first.on(o, "arrival-at-pickup", obj{}).refused(404, "not_found")
	second := c.offered(o, first)
	second.fetches(o, r)
	second.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
}

func courierGoesHome(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	first := c.offered(o)
	first.on(o, "acceptance", obj{}).ok(200, nil)
	c.courier()
	first.post("/v1/couriers/"+first.subject+"/shift-end", obj{}).ok(200, nil)
	second := c.offered(o, first)
	second.fetches(o, r)
	second.post("/v1/couriers/"+second.subject+"/shift-end", obj{}).refused(422, "courier_carries")
	second.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
}

func consumerAbsent(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	k := c.offered(o)
	k.fetches(o, r)
	k.on(o, "arrival-at-dropoff", obj{}).ok(200, nil)
	k.on(o, "failure", obj{"reason": "consumer_absent"}).ok(200, nil)
	d.ends(o, "UNDELIVERABLE", "consumer_absent", supperTotal)
	k.on(o, "return", obj{}).ok(200, nil)
	c.books(o, map[string]int64{"consumer": -supperTotal, "restaurant": supperFood, "tax": supperTax, "platform_fee": supperFees,
		"courier": supperCourier})
}

func foodSpoiled(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_refund_unknown") // The provider loses the connection on the refund, too.
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	k := c.offered(o)
	k.fetches(o, r)
	k.on(o, "failure", obj{"reason": "damaged"}).ok(200, nil)
	k.on(o, "return", obj{}).ok(200, nil)
	p := d.ends(o, "UNDELIVERABLE", "damaged", 0)
	if p.Payment.State != "REFUNDED" || p.Payment.Refunded != euro(supperTotal) {
		c.Errorf("the payment is %v", p.Payment)
	}
	c.books(o, map[string]int64{"restaurant": supperFood, "tax": supperTax, "platform_fee": supperFees, "courier": supperCourier,
		"refund": -supperTotal})
}

func kitchenFull(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	kitchen := "/v1/kitchens/" + r.id
	r.put(kitchen, obj{"capacity": 1}, ifMatch(r.get(kitchen).ok(200, nil).etag())).ok(200, nil)
	one, two := d.approved(r), d.approved(r)
	for _, o := range []*order{one, two} {
		r.accepts(o)
	}
	r.does(one, "preparation", obj{}).ok(200, nil)
	r.does(two, "preparation", obj{}).refused(422, "kitchen_full")
	r.does(one, "readiness", obj{}).ok(200, nil)
	r.does(two, "preparation", obj{}).ok(200, nil)
	for _, o := range []*order{one, two} {
		r.post("/v1/orders/"+o.ID+"/cancellation", obj{"reason": "the oven broke"}).ok(200, nil)
		d.ends(o, "CANCELLED", "cancelled_by_restaurant", 0)
	}
}

func kitchenDelays(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.approved(r)
	promised := c.now().Add(20 * time.Minute)
	r.does(o, "acceptance", obj{"ready_by": promised}).ok(200, nil)
	r.does(o, "delay", obj{"ready_by": promised.Add(-time.Minute)}).refused(422, "not_later")
	r.does(o, "delay", obj{"ready_by": promised.Add(48 * time.Hour)}).refused(400, "invalid").naming("ready_by")
	r.does(o, "delay", obj{"ready_by": promised.Add(10 * time.Minute)}).ok(200, nil)
	c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved", "kerf.kitchen.TicketAccepted", "kerf.kitchen.TicketDelayed")
	r.post("/v1/orders/"+o.ID+"/cancellation", obj{}).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_restaurant", 0)
}

func list(names []string) string { return strings.Join(names, ", ") }
