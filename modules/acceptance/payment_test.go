package acceptance

func cardDeclined(c *city) {
	for _, token := range []string{"tok_decline", "tok_unknown_declined", "tok_late_declined"} {
		r, d := c.restaurant(nil), c.diner(token)
		o := d.orders(r)
		p := d.ends(o, "REJECTED", "card_declined", 0)
		if p.Payment.State != "DECLINED" || p.Ticket.State != "CANCELLED" {
			c.Errorf("%s: the payment is %v, the ticket %v", token, p.Payment, p.Ticket)
		}
		c.books(o, nil)
		c.hears(d.caller, d.subject, o, "kerf.orders.OrderRejected")
		var board struct{ Items []ticket }
		if r.get("/v1/tickets?restaurant_id="+r.id).ok(200, &board); len(board.Items) > 0 {
			c.Errorf("%s: the restaurant sees a ticket that was never confirmed", token)
		}
	}
}

func providerUnanswered(c *city) {
	for _, token := range []string{"tok_timeout", "tok_lost", "tok_capture_timeout"} {
		c.delivers(token)
	}
}

func outcomeUnknown(c *city) {
	for _, token := range []string{"tok_unknown", "tok_late", "tok_capture_unknown"} {
		c.delivers(token)
	}
	r, d := c.restaurant(nil), c.diner("tok_void_unknown")
	o := d.approved(r)
	r.does(o, "rejection", obj{"reason": "closed early"}).ok(200, nil)
	p := d.ends(o, "CANCELLED", "ticket_rejected", 0)
	if p.Payment.State != "VOIDED" {
		c.Errorf("the payment is %v", p.Payment)
	}
}

// delivers takes an order to the door that is paid with a token, and asserts that it was charged once.
func (c *city) delivers(token string) *order {
	c.Helper()
	r, d := c.restaurant(nil), c.diner(token)
	c.courier()
	o := d.approved(r)
	r.accepts(o)
	r.cooks(o)
	k := c.offered(o)
	k.fetches(o, r)
	k.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
	c.books(o, map[string]int64{"consumer": -supperTotal, "restaurant": supperFood, "tax": supperTax, "platform_fee": supperFees,
		"courier": supperCourier})
	return o
}

func supportRefunds(c *city) {
	o := c.delivers("tok_approve")
	refunds := "/v1/payments/" + o.ID + "/refunds"
	staff := c.support()
	staff.post(refunds, obj{"amount": euro(supperTotal + 1), "reason": "goodwill"}).refused(422, "over_captured")
	staff.post(refunds, obj{"amount": amount{500, "USD"}, "reason": "goodwill"}).refused(400, "invalid").naming("amount.currency")
	made := staff.post(refunds, obj{"amount": euro(500), "reason": "goodwill"}).ok(201, nil)
	var refund struct{ Amount amount }
	if staff.get(made.header.Get("Location")).ok(200, &refund); refund.Amount != euro(500) {
		c.Errorf("the refund is of %v", refund.Amount)
	}
	staff.post(refunds, obj{"amount": euro(1000), "reason": "quality"}).ok(201, nil)
	c.world.goodwill.Add(1500)
	var payment struct {
		State              string
		Captured, Refunded amount
	}
	if staff.get("/v1/payments/"+o.ID).ok(200, &payment); payment.Captured != euro(supperTotal) || payment.Refunded != euro(1500) {
		c.Errorf("the payment is %v", payment)
	}
	// The platform bears goodwill; bad quality falls on the restaurant, with its share of the tax: 1000 × 2955 : 296.
	c.books(o, map[string]int64{"consumer": -supperTotal + 1500, "restaurant": supperFood - 909, "tax": supperTax - 91,
		"platform_fee": supperFees, "courier": supperCourier, "refund": -500})
}
