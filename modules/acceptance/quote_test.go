package acceptance

import "time"

func quotePrice(c *city) {
	r, d := c.restaurant(obj{"tax_basis_points": 1250, "small_order_fee": euro(150), "small_order_below": euro(2000), "minimum": euro(500)}), c.diner("tok_approve")
	for _, test := range []struct {
		name                                 string
		lines                                []obj
		tip                                  int64
		subtotal, tax, service, small, total int64
	}{
		// 1.25 tax on 10 is exactly half a cent more or less: it goes to the even cent, line by line.
		{"one small pizza", []obj{line("pizza", 1, small)}, 0, 950, 119, 48, 150, 950 + 119 + 48 + 150 + 299},
		{"a large one with extras", []obj{line("pizza", 1, large, [2]string{"extra", "olives"}, [2]string{"extra", "basil"})}, 0,
			1350, 169, 68, 150, 1350 + 169 + 68 + 150 + 299},
		{"two lines, taxed each", []obj{line("pizza", 3, small), line("tiramisu", 2)}, 250,
			3960, 356 + 139, 198, 0, 3960 + 356 + 139 + 198 + 299 + 250},
	} {
		q := d.asks(obj{"restaurant_id": r.id, "address": d.place, "lines": test.lines, "tip": euro(test.tip)})
		got := []int64{q.Subtotal.Amount, q.Tax.Amount, q.ServiceFee.Amount, q.SmallOrderFee.Amount, q.DeliveryFee.Amount, q.Tip.Amount, q.Total.Amount}
		want := []int64{test.subtotal, test.tax, test.service, test.small, 299, test.tip, test.total}
		for i := range want {
			if got[i] != want[i] {
				c.Errorf("%s: subtotal, tax, service, small order, delivery, tip, total are %v, want %v", test.name, got, want)
				break
			}
		}
		var again quote
		d.get("/v1/quotes/"+q.ID).ok(200, &again)
		if again.Total != q.Total || !again.ExpiresAt.Equal(q.ExpiresAt) {
			c.Errorf("%s: the quote reads %v later", test.name, again)
		}
	}
}

func quoteKeepsPrice(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	q := d.asks(supper(r, d))
	dearer := obj{"items": []obj{{"id": "pizza", "name": "Pizza", "price": euro(9999)}, {"id": "tiramisu", "name": "Tiramisu", "price": euro(9999)}}}
	r.post(r.path("/menus"), dearer).ok(201, nil)
	r.put(r.path("/fees"), obj{"delivery_fee": euro(9999), "cancellation_fee": euro(9999)}, ifMatch(r.etag())).ok(200, nil)
	o := d.places(q)
	if o.Total != q.Total {
		c.Errorf("the order costs %v, the quote %v", o.Total, q.Total)
	}
	d.sees(o, "APPROVED")
	d.cancels(o).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	d.post("/v1/orders", d.placing(q)).refused(422, "quote_used").naming("quote_id")
}

func quoteRefused(c *city) {
	r, d := c.restaurant(obj{"minimum": euro(1000)}), c.diner("tok_approve")
	ask := func(r *restaurant, address obj, lines ...obj) *answer {
		return d.post("/v1/quotes", obj{"restaurant_id": r.id, "address": address, "lines": lines})
	}
	pizza := line("pizza", 2, small)
	ask(r, c.position(6000), pizza).refused(422, "outside_zone")
	ask(r, d.place, line("pizza", 1, small)).refused(422, "below_minimum")
	ask(c.restaurant(obj{"opening_hours": obj{}}), d.place, pizza).refused(422, "restaurant_closed")
	ask(c.draft(nil), d.place, pizza).refused(404, "not_found").naming("restaurant_id") // as to all who look at it

	ask(r, d.place, line("lasagne", 2)).refused(422, "item_unavailable").naming("lines[0].item_id")
	ask(r, d.place, pizza, line("pizza", 1)).refused(400, "invalid").naming("lines[1].options")
	ask(r, d.place, pizza, line("pizza", 1, small, large)).refused(400, "invalid").naming("lines[1].options")
	ask(r, d.place, pizza, line("pizza", 1, [2]string{"size", "huge"})).refused(400, "invalid").naming("lines[1].options[0].option_id")

	r.put(r.path("/items/tiramisu/availability"), obj{"available": false}, ifMatch(r.etag())).ok(200, nil)
	ask(r, d.place, pizza, line("tiramisu", 1)).refused(422, "item_unavailable").naming("lines[1].item_id")
	r.post(r.path("/pause"), obj{"until": c.now().Add(time.Hour)}).ok(200, nil)
	ask(r, d.place, pizza).refused(422, "restaurant_closed")
	r.post(r.path("/resumption"), obj{}).ok(200, nil)
	ask(r, d.place, pizza).ok(201, nil)

	q := obj{"restaurant_id": r.id, "address": d.place, "lines": []obj{pizza}, "tip": euro(100_000)}
	d.post("/v1/quotes", q).refused(400, "invalid").naming("tip")
}

func orderRefused(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	q := d.asks(supper(r, d))

	var elsewhere struct{ ID string }
	d.post("/v1/consumers/"+d.subject+"/addresses", obj{"street": "Elsewhere 1", "city": "Wien", "country": "AT", "position": c.position(2000)}).ok(201, &elsewhere)
	body := d.placing(q)
	body["address_id"] = elsewhere.ID
	d.post("/v1/orders", body).refused(422, "address_mismatch")

	for _, field := range []string{"quote_id", "address_id", "payment_method_id"} {
		body := d.placing(q)
		body[field] = r.id // an id, but of something else
		d.post("/v1/orders", body).refused(404, "not_found").naming(field)
	}

	r.put(r.path("/items/tiramisu/availability"), obj{"available": false}, ifMatch(r.etag())).ok(200, nil)
	d.post("/v1/orders", d.placing(q)).refused(422, "item_unavailable")
	r.put(r.path("/items/tiramisu/availability"), obj{"available": true}, ifMatch(r.etag())).ok(200, nil)

	staff := c.support()
	staff.post("/v1/consumers/"+d.subject+"/suspension", obj{"reason": "chargebacks"}).ok(200, nil)
	d.post("/v1/orders", d.placing(q)).refused(422, "consumer_suspended")
	staff.post("/v1/consumers/"+d.subject+"/reactivation", obj{}).ok(200, nil)

	r.post(r.path("/closure"), obj{}).ok(200, nil)
	d.post("/v1/orders", d.placing(q)).refused(422, "restaurant_closed")

	d.post("/v1/consumers/"+d.subject+"/closure", obj{}).ok(200, nil)
	d.post("/v1/orders", d.placing(q)).refused(422, "restaurant_closed")
}

func quoteExpires(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	q := d.asks(supper(r, d))
	eventually(c.T, "the quote expires", func() (bool, string) { return c.now().After(q.ExpiresAt), "it holds until " + q.ExpiresAt.String() })
	d.post("/v1/orders", d.placing(q)).refused(422, "quote_expired")
	var old struct {
		Links links `json:"_links"`
	}
	if d.get("/v1/quotes/"+q.ID).ok(200, &old); old.Links.has("order") {
		c.Error("an expired quote can be ordered")
	}
}
