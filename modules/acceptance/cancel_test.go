package acceptance

func (d *diner) cancels(o *order, more ...with) *answer {
	d.t.Helper()
	return d.post("/v1/orders/"+o.ID+"/cancellation", obj{"reason": "changed my mind"}, more...)
}

func cancelWhilePending(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_timeout") // Place waits for the provider meanwhile.
	o := d.orders(r)
	var asked order
	d.cancels(o).ok(200, &asked)
	if asked.State != "PENDING" || !asked.CancelRequested || asked.Links.has("cancellation") {
		c.Errorf("the order is %s, requested %t, and can %v", asked.State, asked.CancelRequested, asked.Links)
	}
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	c.books(o, nil)
}

func cancelBeforeAcceptance(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.approved(r)
	d.cancels(o).ok(200, nil)
	p := d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	if p.Payment.State != "VOIDED" || p.Ticket.State != "CANCELLED" {
		c.Errorf("the payment is %v, the ticket %v", p.Payment, p.Ticket)
	}
	c.books(o, nil)
	d.cancels(o).refused(422, "order_ended")
	r.does(o, "acceptance", obj{}).refused(422, "ticket_cancelled")
}

func cancelAfterAcceptance(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_capture_unknown")
	o := d.approved(r)
	r.accepts(o)
	d.sees(o, "ACCEPTED")
	d.cancels(o).ok(200, nil)
	p := d.ends(o, "CANCELLED", "cancelled_by_consumer", 400)
	if p.Payment.State != "CAPTURED" || p.Payment.Captured != euro(400) || p.Ticket.State != "CANCELLED" {
		c.Errorf("the payment is %v, the ticket %v", p.Payment, p.Ticket)
	}
	if p.Delivery != nil && p.Delivery.State != "CANCELLED" {
		c.Errorf("the delivery is %v", p.Delivery)
	}
	c.books(o, map[string]int64{"consumer": -400, "restaurant": 400})
}

func restaurantCancels(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	r.post("/v1/orders/"+o.ID+"/cancellation", obj{"reason": "fell on the floor"}).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_restaurant", 0)
	c.books(o, nil)
	c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved", "kerf.kitchen.TicketAccepted", "kerf.orders.OrderCancelled")
}

func cancelAfterPickup(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	k := c.offered(o)
	k.fetches(o, r)
	d.sees(o, "PICKED_UP")
	d.cancels(o).refused(422, "order_picked_up")
	c.support().post("/v1/orders/"+o.ID+"/cancellation", obj{}).refused(422, "order_picked_up")
	k.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
	d.cancels(o).refused(422, "order_ended")
}
