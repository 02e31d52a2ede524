package acceptance

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// target is how to call an operation so that nothing is wrong with the call but what a test spoils.
type target struct {
	who  *caller
	path string
	body obj
	etag func() string
}

func (t target) send(method string, body any, more ...with) *answer {
	if t.etag != nil {
		more = append([]with{ifMatch(t.etag())}, more...)
	}
	return t.who.send(method, t.path, body, more...)
}

// targets has one for every operation that changes something, by its id. An operation that is described and missing here fails the test.
func (c *city) targets() (all map[string]target, tidy func()) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r) // and then in a state that it can stay in
	r.accepts(o)
	r.cooks(o)
	k := c.offered(o)
	k.on(o, "acceptance", obj{}).ok(200, nil)
	q := d.asks(supper(r, d))
	c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved", "kerf.kitchen.TicketAccepted")
	var inbox struct{ Items []struct{ ID string } }
	d.get("/v1/notifications").ok(200, &inbox)
	newDiner, newCourier := c.person("consumer", nil), c.person("courier", nil)
	idle, staff, admin := c.idleCourier(), c.support(), c.admin()

	tag := func(who *caller, path string) func() string {
		return func() string { return who.get(path).ok(200, nil).etag() }
	}
	me := "/v1/consumers/" + d.subject
	edit := func(more string, body obj) target { return target{r.caller, r.path(more), body, r.etag} }
	act := func(more string, body obj) target { return target{who: r.caller, path: r.path(more), body: body} }
	own := func(more string, body obj) target { return target{d.caller, me + more, body, tag(d.caller, me)} }
	cook := func(step string, body obj) target {
		return target{who: r.caller, path: "/v1/tickets/" + o.ID + "/" + step, body: body}
	}
	drive := func(who *caller, step string, body obj) target {
		return target{who: who, path: "/v1/deliveries/" + o.ID + "/" + step, body: body}
	}
	soon := c.now().Add(30 * time.Minute)
	address := obj{"label": "work", "street": "Gasse 1", "city": "Wien", "postal_code": "1010", "country": "AT", "position": c.position(10)}
	creation := usualTerms()
	for name, value := range (obj{"name": "Da Nobody", "position": c.position(0), "delivery_radius_metres": 3000, "minimum": euro(1), "small_order_fee": euro(1),
		"small_order_below": euro(2), "opening_hours": obj{"weekly": []obj{{"day": "monday", "opens": "11:00", "closes": "23:00"}},
			"exceptions": []obj{{"date": "2027-01-01", "closed": true}}}}) {
		creation[name] = value
	}
	nothing := obj{}
	all = map[string]target{
		"issueToken": {who: c.stranger(), path: "/v1/tokens", body: obj{"roles": []string{"consumer"}, "subject": "somebody", "owns": []string{r.id}, "ttl_seconds": 60}},

		"registerConsumer":           {who: newDiner, path: "/v1/consumers", body: obj{"name": "Bo", "email": "bo@example.org", "locale": "de", "phone": "+4312345678"}},
		"updateProfile":              own("", obj{"name": "Bo", "email": "bo@example.org", "locale": "de", "phone": "+4312345678"}),
		"setDefaultAddress":          own("/default-address", obj{"address_id": d.address}),
		"setNotificationPreferences": own("/notification-preferences", obj{"muted_channels": []string{"email"}}),
		"suspendConsumer":            {who: staff, path: me + "/suspension", body: obj{"reason": "chargebacks"}},
		"reactivateConsumer":         {who: staff, path: me + "/reactivation", body: nothing},
		"closeConsumer":              {who: d.caller, path: me + "/closure", body: nothing},
		"addAddress":                 {who: d.caller, path: me + "/addresses", body: address},
		"updateAddress":              {d.caller, me + "/addresses/" + d.address, address, tag(d.caller, me+"/addresses/"+d.address)},
		"removeAddress":              {d.caller, me + "/addresses/" + d.address, nil, tag(d.caller, me+"/addresses/"+d.address)},
		"addPaymentMethod":           {who: d.caller, path: me + "/payment-methods", body: obj{"token": "tok_approve", "label": "card"}},
		"removePaymentMethod":        {d.caller, me + "/payment-methods/" + d.method, nil, tag(d.caller, me+"/payment-methods/"+d.method)},

		"createRestaurant":    {who: c.person("restaurant", nil), path: "/v1/restaurants", body: creation},
		"updateRestaurant":    edit("", obj{"name": "Da Capo", "cuisine": "thai", "position": c.position(1)}),
		"setOpeningHours":     edit("/opening-hours", creation["opening_hours"].(obj)),
		"setDeliveryZone":     edit("/delivery-zone", obj{"radius_metres": 4000}),
		"setFeesAndMinimum":   edit("/fees", obj{"minimum": euro(1), "delivery_fee": euro(2), "service_fee_basis_points": 3, "small_order_fee": euro(4), "small_order_below": euro(5), "cancellation_fee": euro(6)}),
		"setTaxRate":          edit("/tax-rate", obj{"basis_points": 700}),
		"setPreparationTime":  edit("/preparation-time", obj{"minutes": 10}),
		"setItemAvailability": edit("/items/tiramisu/availability", obj{"available": false, "until": soon}),
		"openRestaurant":      act("/opening", nothing),
		"pauseRestaurant":     act("/pause", obj{"until": soon}),
		"resumeRestaurant":    act("/resumption", nothing),
		"closeRestaurant":     act("/closure", nothing),
		"publishMenu":         act("/menus", menu),
		"quote":               {who: d.caller, path: "/v1/quotes", body: supper(r, d)},

		"placeOrder":  {who: d.caller, path: "/v1/orders", body: d.placing(q)},
		"cancelOrder": {who: d.caller, path: "/v1/orders/" + o.ID + "/cancellation", body: obj{"reason": "late"}},

		"acceptTicket":     cook("acceptance", obj{"ready_by": soon}),
		"rejectTicket":     cook("rejection", obj{"reason": "no dough", "missing_item_ids": []string{"pizza"}}),
		"startPreparation": cook("preparation", nothing),
		"markTicketReady":  cook("readiness", nothing),
		"delayTicket":      cook("delay", obj{"ready_by": soon}),
		"handOverTicket":   cook("hand-over", nothing),
		"setKitchen":       {r.caller, "/v1/kitchens/" + r.id, obj{"capacity": 3}, tag(r.caller, "/v1/kitchens/"+r.id)},

		"registerCourier":  {who: newCourier, path: "/v1/couriers", body: obj{"name": "Kim", "vehicle": "bicycle"}},
		"beginShift":       {who: idle.caller, path: "/v1/couriers/" + idle.subject + "/shift", body: obj{"position": c.position(9)}},
		"endShift":         {who: k.caller, path: "/v1/couriers/" + k.subject + "/shift-end", body: nothing},
		"reportLocation":   {who: k.caller, path: "/v1/couriers/" + k.subject + "/location", body: obj{"position": c.position(8), "sequence": 1}},
		"acceptOffer":      drive(k.caller, "acceptance", nothing),
		"declineOffer":     drive(k.caller, "decline", nothing),
		"arriveAtPickup":   drive(k.caller, "arrival-at-pickup", nothing),
		"confirmPickup":    drive(k.caller, "pickup", obj{"code": "0000"}),
		"arriveAtDropoff":  drive(k.caller, "arrival-at-dropoff", nothing),
		"confirmDelivery":  drive(k.caller, "dropoff", obj{"pin": "0000"}),
		"failDelivery":     drive(k.caller, "failure", obj{"reason": "damaged"}),
		"returnFood":       drive(k.caller, "return", nothing),
		"reassignDelivery": drive(staff, "reassignment", nothing),

		"refundPayment":    {who: staff, path: "/v1/payments/" + o.ID + "/refunds", body: obj{"amount": euro(100), "reason": "goodwill"}},
		"readNotification": {who: d.caller, path: "/v1/notifications/" + inbox.Items[0].ID + "/read", body: nothing},
		"replayParked":     {who: admin, path: "/v1/parked/orders/1/replay"},
		"dropParked":       {who: admin, path: "/v1/parked/orders/1/drop"},
		"rebuildViews":     {who: admin, path: "/v1/tracking/rebuild"},
	}
	return all, func() {
		r.post("/v1/orders/"+o.ID+"/cancellation", obj{}).ok(200, nil)
		d.ends(o, "CANCELLED", "cancelled_by_restaurant", 0)
	}
}

// mutating calls f for each operation that changes something.
func (c *city) mutating(f func(operation, target)) {
	all, tidy := c.targets()
	defer tidy()
	var known []string
	for _, o := range c.world.contract.operations() {
		known = append(known, o.ID)
		if o.Method == http.MethodGet {
			continue
		}
		t, ok := all[o.ID]
		if !ok {
			c.Errorf("%s %s (%s) is described, but nobody tests it", o.Method, o.Path, o.ID)
			continue
		}
		if !matches(o.Path, t.path) {
			c.Errorf("%s is at %s, not at %s", o.ID, o.Path, t.path)
		}
		f(o, t)
	}
	for id := range all {
		if !slices.Contains(known, id) {
			c.Errorf("%s is tested, but not described", id)
		}
	}
}

func routePreconditions(c *city) {
	c.mutating(func(o operation, t target) {
		anybody := *t.who
		anybody.token = ""
		if o.secured {
			nobody := t
			nobody.who, nobody.etag = &anybody, nil
			nobody.send(o.Method, t.body).refused(401, "unauthenticated")
		}
		if o.needsKey {
			t.send(o.Method, t.body, without("Idempotency-Key")).refused(400, "idempotency_key")
			t.send(o.Method, t.body, key("not printable: ü")).refused(400, "idempotency_key")
			t.send(o.Method, t.body, key(strings.Repeat("k", 256))).refused(400, "idempotency_key")
		} else if o.ID != "issueToken" && o.ID != "reportLocation" {
			c.Errorf("%s changes something, and is described without an idempotency key", o.ID)
		}
		if o.Method != http.MethodPost && o.ID != "reportLocation" {
			if !o.needsMatch {
				c.Errorf("%s edits something, and is described without a version", o.ID)
			}
			t.send(o.Method, t.body, without("If-Match")).refused(428, "if_match_required")
			t.send(o.Method, t.body, ifMatch(`"9999"`)).refused(412, "stale")
		}
		if o.body == nil {
			return
		}
		t.send(o.Method, raw(`{"pad":"`+strings.Repeat("x", 1<<20)+`"}`)).refused(413, "body_too_large")
		t.send(o.Method, t.body, header("Content-Type", "text/xml")).refused(415, "unsupported_media_type")
		t.send(o.Method, t.body, header("Content-Encoding", "gzip")).refused(415, "unsupported_media_type")
	})
	for _, o := range c.world.contract.operations() {
		if o.Method != http.MethodGet || !o.secured {
			continue
		}
		path := strings.NewReplacer("{module}", "orders", "{version}", "1", "{number}", "1").Replace(o.Path)
		for strings.Contains(path, "{") {
			begin, end := strings.Index(path, "{"), strings.Index(path, "}")
			path = path[:begin] + "019a0000-0000-7000-8000-000000000000" + path[end+1:]
		}
		c.stranger().get(path).refused(401, "unauthenticated")
	}
}

func badRequests(c *city) {
	c.mutating(func(o operation, t target) {
		if o.body == nil {
			return
		}
		for _, bad := range []string{`{`, `{"a":1}}`, `[]`, `"text"`, "{\"\xff\":1}", strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40), `{} {}`} {
			t.send(o.Method, raw(bad)).refused(400, "invalid")
		}
		for _, s := range c.world.contract.spoil(o.body, t.body) {
			a := t.send(o.Method, raw(s.body))
			if a.status != http.StatusBadRequest {
				c.Errorf("%s with %s of %s was answered with %d: %s", o.ID, s.what, s.field, a.status, clip(a.body))
				continue
			}
			a.refused(400, "invalid").naming(s.field)
		}
	})
	absurdities(c)
}

// absurdities are values that only the domain can tell from good ones.
func absurdities(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	ask := func(change func(obj)) *answer {
		request := supper(r, d)
		change(request)
		return d.post("/v1/quotes", request)
	}
	ask(func(q obj) { q["tip"] = euro(-1) }).refused(400, "invalid").naming("tip")
	ask(func(q obj) { q["tip"] = amount{1, "USD"} }).refused(400, "invalid").naming("tip.currency")
	ask(func(q obj) { q["lines"] = []obj{line("pizza", -1, small)} }).refused(400, "invalid").naming("lines[0].quantity")
	ask(func(q obj) { q["restaurant_id"] = "019a0000-0000-7000-8000-000000000000" }).refused(404, "not_found").naming("restaurant_id")
	ask(func(q obj) { q["restaurant_id"] = "the one at the corner" }).refused(400, "invalid").naming("restaurant_id")
	a := ask(func(q obj) { q["lines"] = []obj{line(strings.Repeat("x", 1_000_000), 1)} }).refused(400, "invalid")
	if a.naming("lines[0].item_id"); len(a.body) > 1000 {
		c.Errorf("a million characters are answered with %d", len(a.body))
	}

	for field, price := range map[string]amount{"items[0].price": euro(-1), "items[0].price.currency": {100, "USD"}} {
		r.post(r.path("/menus"), obj{"items": []obj{{"id": "soup", "name": "Soup", "price": price}}}).refused(400, "invalid").naming(field)
	}
	twice := obj{"items": []obj{{"id": "soup", "name": "Soup", "price": euro(1)}, {"id": "soup", "name": "Soup", "price": euro(1)}}}
	r.post(r.path("/menus"), twice).refused(400, "invalid").naming("items[1].id")
	r.put(r.path("/fees"), obj{"delivery_fee": euro(-1)}, ifMatch(r.etag())).refused(400, "invalid").naming("delivery_fee")

	// What looks like a card number is not taken, and not repeated.
	methods := "/v1/consumers/" + d.subject + "/payment-methods"
	a = d.post(methods, obj{"token": "4111 1111 1111 1111", "label": "card"}).refused(400, "invalid")
	a.naming("token")
	if strings.Contains(string(a.body), "4111") {
		c.Errorf("a card number is sent back: %s", a.body)
	}
	if a := d.post(methods, obj{"token": "tok_secret", "label": "card"}).ok(201, nil); strings.Contains(string(a.body), "tok_secret") {
		c.Errorf("a token is sent back: %s", a.body)
	}
}

func nothingThere(c *city) {
	d := c.diner("tok_approve")
	for _, path := range []string{"/v1/", "/v1/nothing", "/v1/orders/not-an-id", "/v1/orders/019a0000-0000-7000-8000-000000000000", "/nothing"} {
		d.get(path).refused(404, "not_found")
	}
	d.send("DELETE", "/v1/orders", nil).refused(405, "method_not_allowed")
	d.send("PATCH", "/v1/quotes", obj{}).refused(405, "method_not_allowed")
	if a := d.send("PUT", "/v1/quotes", obj{}).refused(405, "method_not_allowed"); a.header.Get("Allow") == "" {
		c.Error("what is allowed is not said")
	}
	for _, path := range []string{"/", "/docs", "/livez", "/readyz", "/.well-known/jwks.json", "/v1/openapi.json"} {
		c.stranger().get(path).ok(200, nil)
	}
	c.stranger().get("/metrics").refused(404, "not_found") // on the internal listener only
}

// illegalSteps tries every step of the kitchen's and the courier's machines in states that it does not lead from.
func illegalSteps(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.approved(r)
	kitchen := func(state string, illegal ...string) {
		c.Helper()
		for _, step := range illegal {
			body := obj{}
			switch step {
			case "rejection":
				body["reason"] = "no"
			case "delay":
				body["ready_by"] = c.now().Add(time.Hour)
			}
			r.does(o, step, body).refused(422, "ticket_"+state)
		}
	}
	kitchen("awaiting_acceptance", "preparation", "readiness", "hand-over", "delay")
	r.accepts(o)
	kitchen("accepted", "acceptance", "rejection", "readiness", "hand-over")
	r.does(o, "preparation", obj{}).ok(200, nil)
	kitchen("preparing", "acceptance", "rejection", "preparation", "hand-over")
	r.does(o, "readiness", obj{}).ok(200, nil)
	kitchen("ready", "acceptance", "rejection", "preparation", "readiness", "delay")

	k := c.offered(o)
	road := func(state string, illegal ...string) {
		c.Helper()
		for _, step := range illegal {
			body := obj{}
			switch step {
			case "pickup":
				body["code"] = r.ticket(o).PickupCode
			case "dropoff":
				body["pin"] = o.DeliveryPIN
			case "failure":
				body["reason"] = "accident"
			}
			k.on(o, step, body).refused(422, "delivery_"+state)
		}
	}
	road("offered", "arrival-at-pickup", "pickup", "arrival-at-dropoff", "dropoff", "failure", "return")
	k.on(o, "acceptance", obj{}).ok(200, nil)
	road("assigned", "acceptance", "decline", "pickup", "arrival-at-dropoff", "dropoff", "failure", "return")
	k.on(o, "arrival-at-pickup", obj{}).ok(200, nil)
	road("at_pickup", "acceptance", "decline", "arrival-at-pickup", "arrival-at-dropoff", "dropoff", "failure", "return")
	k.on(o, "pickup", obj{"code": r.ticket(o).PickupCode}).ok(200, nil)
	road("picked_up", "acceptance", "decline", "arrival-at-pickup", "pickup", "dropoff", "return")
	c.support().post("/v1/deliveries/"+o.ID+"/reassignment", obj{}).refused(422, "delivery_picked_up")
	k.on(o, "arrival-at-dropoff", obj{}).ok(200, nil)
	road("at_dropoff", "arrival-at-dropoff", "return")
	k.on(o, "dropoff", obj{"pin": o.DeliveryPIN}).ok(200, nil)
	road("delivered", "acceptance", "dropoff", "failure", "return")
	eventually(c.T, "the kitchen hears of the courier", func() (bool, string) {
		state := r.ticket(o).State
		return state == "PICKED_UP", "its ticket is " + state
	})
	kitchen("picked_up", "acceptance", "rejection", "preparation", "readiness", "delay")
	d.ends(o, "DELIVERED", "", supperTotal)
}
