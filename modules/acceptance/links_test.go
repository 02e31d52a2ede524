package acceptance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// linksLead follows every link that says GET, of everything that each of an order's people is shown, while the order goes from the quote to
// the door: what is offered to somebody is there for him.
func linksLead(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	q := d.asks(supper(r, d))
	o := d.places(q)
	me := "/v1/consumers/" + d.subject
	of := func(resources ...string) (paths []string) {
		for _, resource := range resources {
			paths = append(paths, "/v1/"+resource+"/"+o.ID)
		}
		return paths
	}
	staff, admin := c.support(), c.admin()
	var k *courier
	look := func() {
		c.Helper()
		c.crawl(d.caller, append(of("orders", "tickets", "deliveries", "payments", "tracking"), me, me+"/addresses", me+"/payment-methods", "/v1/quotes/"+q.ID,
			"/v1/orders", "/v1/notifications", "/v1/tracking", r.path(""), r.path("/menu"), r.path("/opening"), r.path("/items/pizza/availability"))...)
		c.crawl(r.caller, append(of("orders", "tickets", "deliveries", "tracking"), r.path(""), r.path("/menu"), "/v1/kitchens/"+r.id, "/v1/tickets?restaurant_id="+r.id,
			"/v1/orders?restaurant_id="+r.id, "/v1/tracking?restaurant_id="+r.id, "/v1/notifications?recipient_id="+r.id, "/v1/ledger/statements/"+r.id)...)
		c.crawl(c.stranger(), r.path(""), r.path("/menu"), r.path("/opening"), r.path("/items/pizza/availability"))
		for _, who := range []*caller{staff, admin} {
			c.crawl(who, append(of("orders", "tickets", "deliveries", "payments", "tracking"), me, me+"/addresses", me+"/payment-methods", "/v1/kitchens/"+r.id,
				"/v1/orders?consumer_id="+d.subject, "/v1/notifications?recipient_id="+d.subject, "/v1/ledger/postings?order_id="+o.ID)...)
		}
		if k != nil {
			c.crawl(k.caller, append(of("deliveries", "tracking"), "/v1/couriers/"+k.subject, "/v1/notifications", "/v1/ledger/statements/"+k.subject)...)
			c.crawl(staff, "/v1/couriers/"+k.subject)
		}
	}
	look()
	d.sees(o, "APPROVED")
	look()
	r.accepts(o)
	r.cooks(o)
	k = c.offered(o)
	c.crawl(k.caller, "/v1/couriers/"+k.subject, "/v1/deliveries/"+o.ID)
	k.on(o, "acceptance", obj{}).ok(200, nil)
	c.hears(k.caller, k.subject, o, "kerf.delivery.CourierAssigned")
	eventually(c.T, "the courier's view", func() (bool, string) { return k.get("/v1/tracking/"+o.ID).status == http.StatusOK, "there is none" })
	look()
	k.on(o, "arrival-at-pickup", obj{}).ok(200, nil)
	k.on(o, "pickup", obj{"code": r.ticket(o).PickupCode}).ok(200, nil)
	look()
	k.brings(o)
	d.ends(o, "DELIVERED", "", supperTotal)
	staff.post("/v1/payments/"+o.ID+"/refunds", obj{"amount": euro(1), "reason": "links"}).ok(201, nil)
	c.world.goodwill.Add(1)
	d.get("/v1/payments/"+o.ID+"/refunds/1").ok(200, nil)
	look()
	c.crawl(admin, "/v1/audit")

	// And one that ends early, and leaves its courier without it.
	cancelled := d.approved(r)
	d.cancels(cancelled).ok(200, nil)
	d.ends(cancelled, "CANCELLED", "cancelled_by_consumer", 0)
	c.crawl(d.caller, "/v1/orders/"+cancelled.ID, "/v1/payments/"+cancelled.ID, "/v1/tracking/"+cancelled.ID, "/v1/notifications")
	c.crawl(r.caller, "/v1/tickets/"+cancelled.ID, "/v1/notifications?recipient_id="+r.id)
}

// crawl gets paths of which each is there for a caller or is not, and follows the links of those that are.
func (c *city) crawl(who *caller, start ...string) {
	c.Helper()
	seen := map[string]bool{}
	var waiting []string
	for _, path := range start {
		if a := who.get(path); a.status == http.StatusOK {
			waiting = append(waiting, linksIn(a.body)...)
		} else if a.status != http.StatusNotFound {
			c.Errorf("%s is answered with %d: %s", path, a.status, a.body)
		}
	}
	for len(waiting) > 0 {
		path := waiting[0]
		waiting = waiting[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		if strings.HasSuffix(path, "/events") {
			c.follow(who, path, "").close()
			continue
		}
		a := who.get(path)
		if a.status != http.StatusOK {
			c.Errorf("the link %s leads its caller (%s) to %d: %s", path, who.subject, a.status, a.body)
			continue
		}
		waiting = append(waiting, linksIn(a.body)...)
	}
}

// linksIn are the targets of all links in a document that say GET, at any depth.
func linksIn(document []byte) []string {
	var root any
	if err := json.Unmarshal(document, &root); err != nil {
		return nil
	}
	var found []string
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, member := range v {
				links, ok := member.(map[string]any)
				if name != "_links" || !ok {
					walk(member)
					continue
				}
				for _, link := range links {
					link := link.(map[string]any)
					if method, ok := link["method"]; !ok || method == http.MethodGet {
						found = append(found, link["href"].(string))
					}
				}
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(root)
	slices.Sort(found)
	return slices.Compact(found)
}
