package acceptance

import (
	"encoding/base64"
	"net/http"
	"strings"
)

func foreignIsNotFound(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	q := d.asks(supper(r, d))
	o := d.places(q)
	d.sees(o, "APPROVED")
	r.accepts(o)
	r.cooks(o)
	k := c.offered(o)
	k.on(o, "acceptance", obj{}).ok(200, nil)
	c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved", "kerf.kitchen.TicketAccepted")
	var inbox struct{ Items []struct{ ID string } }
	d.get("/v1/notifications").ok(200, &inbox)

	other := c.diner("tok_approve")
	rival := c.restaurant(nil)
	idle := c.idleCourier()
	me, they := "/v1/consumers/"+d.subject, "/v1/consumers/"+other.subject
	for _, path := range []string{
		"/v1/orders/" + o.ID, "/v1/tickets/" + o.ID, "/v1/deliveries/" + o.ID, "/v1/payments/" + o.ID, "/v1/payments/" + o.ID + "/receipt",
		"/v1/tracking/" + o.ID, "/v1/tracking/" + o.ID + "/events", "/v1/quotes/" + q.ID,
		me, me + "/addresses", me + "/addresses/" + d.address, me + "/payment-methods", me + "/payment-methods/" + d.method,
		they + "/addresses/" + d.address, they + "/payment-methods/" + d.method,
		"/v1/notifications?recipient_id=" + d.subject, "/v1/orders?consumer_id=" + d.subject, "/v1/tracking?consumer_id=" + d.subject,
	} {
		other.get(path).refused(404, "not_found")
	}
	for _, path := range []string{
		"/v1/orders/" + o.ID, "/v1/tickets/" + o.ID, "/v1/deliveries/" + o.ID, "/v1/tracking/" + o.ID,
		"/v1/tickets?restaurant_id=" + r.id, "/v1/kitchens/" + r.id, "/v1/ledger/statements/" + r.id, "/v1/orders?restaurant_id=" + r.id,
		"/v1/notifications?recipient_id=" + r.id, "/v1/tracking?restaurant_id=" + r.id,
	} {
		rival.get(path).refused(404, "not_found")
	}
	for _, path := range []string{"/v1/deliveries/" + o.ID, "/v1/couriers/" + k.subject, "/v1/tracking/" + o.ID, "/v1/ledger/statements/" + k.subject} {
		idle.get(path).refused(404, "not_found")
	}

	// Nor can it be changed.
	for _, request := range []struct {
		who          *caller
		method, path string
		body         obj
	}{
		{other.caller, "POST", "/v1/orders/" + o.ID + "/cancellation", obj{}},
		{rival.caller, "POST", "/v1/orders/" + o.ID + "/cancellation", obj{}},
		{other.caller, "PATCH", me, obj{"name": "Eve"}},
		{other.caller, "POST", me + "/closure", obj{}},
		{other.caller, "POST", me + "/payment-methods", obj{"token": "tok_approve"}},
		{other.caller, "DELETE", me + "/addresses/" + d.address, nil},
		{other.caller, "DELETE", they + "/addresses/" + d.address, nil},
		{other.caller, "POST", "/v1/notifications/" + inbox.Items[0].ID + "/read", obj{}},
		{rival.caller, "POST", "/v1/tickets/" + o.ID + "/hand-over", obj{}},
		{rival.caller, "PUT", r.path("/tax-rate"), obj{"basis_points": 0}},
		{rival.caller, "POST", r.path("/closure"), obj{}},
		{rival.caller, "PUT", "/v1/kitchens/" + r.id, obj{"capacity": 1}},
		{idle.caller, "POST", "/v1/deliveries/" + o.ID + "/arrival-at-pickup", obj{}},
		{idle.caller, "POST", "/v1/couriers/" + k.subject + "/shift-end", obj{}},
		{idle.caller, "PUT", "/v1/couriers/" + k.subject + "/location", obj{"position": c.position(0), "sequence": 1}},
	} {
		var body any
		if request.body != nil {
			body = request.body
		}
		request.who.send(request.method, request.path, body, ifMatch(`"1"`)).refused(404, "not_found")
	}

	// A foreign quote cannot be ordered, nor to a foreign address or from a foreign purse.
	body := other.placing(q)
	other.post("/v1/orders", body).refused(404, "not_found").naming("quote_id")
	own := other.asks(supper(r, other))
	for field, foreign := range map[string]string{"address_id": d.address, "payment_method_id": d.method} {
		body := other.placing(own)
		body[field] = foreign
		other.post("/v1/orders", body).refused(404, "not_found").naming(field)
	}

	// What each may see of it: the code is for the restaurant, the PIN for the diner.
	if t := r.ticket(o); t.PickupCode == "" {
		c.Error("the restaurant does not see the code")
	}
	for _, who := range []*caller{d.caller, c.support()} {
		if a := who.get("/v1/tickets/"+o.ID).ok(200, nil); strings.Contains(string(a.body), "pickup_code") {
			c.Errorf("others see the code: %s", a.body)
		}
	}
	for _, path := range []string{"/v1/orders/" + o.ID, "/v1/tickets/" + o.ID, "/v1/deliveries/" + o.ID} {
		if a := r.get(path).ok(200, nil); strings.Contains(string(a.body), `"delivery_pin"`) {
			c.Errorf("the restaurant sees the PIN: %s", a.body)
		}
	}
	if a := k.get("/v1/deliveries/"+o.ID).ok(200, nil); strings.Contains(string(a.body), o.DeliveryPIN) && strings.Contains(string(a.body), "pin") {
		c.Errorf("the courier sees the PIN: %s", a.body)
	}

	k.on(o, "arrival-at-pickup", obj{}).ok(200, nil)
	k.on(o, "pickup", obj{"code": r.ticket(o).PickupCode}).ok(200, nil)
	k.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
}

func tokensAndRoles(c *city) {
	d := c.diner("tok_approve")
	r := c.restaurant(nil)
	me := "/v1/consumers/" + d.subject

	nobody := c.stranger()
	nobody.get(me).refused(401, "unauthenticated")
	for _, value := range []string{"Bearer nonsense", "Bearer ", "Basic YTpi", "Bearer " + d.token[:len(d.token)-4] + "AAAA", "Bearer " + noSignature(d.token)} {
		a := nobody.get(me, header("Authorization", value))
		a.refused(401, "invalid_token")
		if a.header.Get("WWW-Authenticate") == "" {
			c.Errorf("%q is refused without a challenge", value)
		}
	}
	// Even where nobody is asked for.
	nobody.get(r.path(""), header("Authorization", "Bearer nonsense")).refused(401, "invalid_token")
	nobody.get(r.path("")).ok(200, nil)

	for _, forbidden := range []struct {
		who          *caller
		method, path string
		body         any
	}{
		{d.caller, "POST", "/v1/restaurants", obj{}},
		{d.caller, "POST", "/v1/couriers", obj{}},
		{d.caller, "GET", "/v1/ledger", nil},
		{d.caller, "GET", "/v1/ledger/postings", nil},
		{d.caller, "GET", "/v1/audit/orders", nil},
		{d.caller, "GET", "/v1/parked/orders", nil},
		{d.caller, "GET", "/v1/couriers?latitude=0&longitude=0", nil},
		{d.caller, "GET", "/v1/tracking/events", nil},
		{d.caller, "POST", me + "/suspension", obj{"reason": "mine"}},
		{r.caller, "POST", "/v1/orders", obj{}},
		{r.caller, "POST", "/v1/quotes", obj{}},
		{r.caller, "POST", "/v1/consumers", obj{}},
		{c.support(), "POST", "/v1/orders", obj{}},
		{c.support(), "GET", "/v1/audit/orders", nil},
		{c.support(), "POST", "/v1/parked/orders/1/drop", nil},
		{c.idleCourier().caller, "POST", "/v1/tickets/" + r.id + "/acceptance", obj{}},
	} {
		forbidden.who.send(forbidden.method, forbidden.path, forbidden.body).refused(403, "forbidden")
	}

	// Nobody can be a service, whatever is asked.
	nobody.post("/v1/tokens", obj{"roles": []string{"service"}}).refused(400, "invalid").naming("roles[0]")
	nobody.post("/v1/tokens", obj{"roles": []string{}}).refused(400, "invalid").naming("roles")
	nobody.post("/v1/tokens", obj{"roles": []string{"consumer"}, "ttl_seconds": 86401}).refused(400, "invalid").naming("ttl_seconds")
	nobody.post("/v1/tokens", obj{"roles": []string{"admin"}}, header("X-Forwarded-For", "203.0.113.7")).refused(403, "loopback_only")
	nobody.post("/v1/tokens", obj{"roles": []string{"admin"}}, host("kerf.example.org")).refused(403, "loopback_only")
}

// noSignature is a token that claims to need none.
func noSignature(token string) string {
	parts := strings.Split(token, ".")
	parts[0] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	return parts[0] + "." + parts[1] + "."
}

func host(name string) with { return func(r *http.Request) { r.Host = name } }
