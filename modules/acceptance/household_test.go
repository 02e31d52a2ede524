package acceptance

import (
	"fmt"
	"slices"
	"strings"
)

func dinerKeepsHouse(c *city) {
	d := c.diner("tok_approve")
	me := "/v1/consumers/" + d.subject
	var consumer struct {
		DefaultAddressID string `json:"default_address_id"`
		State            string
	}
	if d.get(me).ok(200, &consumer); consumer.DefaultAddressID != d.address || consumer.State != "ACTIVE" {
		c.Errorf("a new consumer is %+v, want the first address as default", consumer)
	}

	work := obj{"label": "work", "street": "Gasse 1", "city": "Wien", "postal_code": "1010", "country": "AT", "position": c.position(900)}
	second := d.post(me+"/addresses", work).ok(201, nil)
	at := second.header.Get("Location")
	work["street"] = "Gasse 2"
	moved := d.put(at, work, ifMatch(second.etag())).ok(200, nil)
	var address struct {
		ID, Street string
		IsDefault  bool `json:"is_default"`
	}
	if d.get(at).ok(200, &address); address.Street != "Gasse 2" || address.IsDefault {
		c.Errorf("the second address is %+v", address)
	}
	d.put(me+"/default-address", obj{"address_id": address.ID}, ifMatch(d.get(me).ok(200, nil).etag())).ok(200, &consumer)
	if consumer.DefaultAddressID != address.ID {
		c.Errorf("the default address is %s", consumer.DefaultAddressID)
	}
	var addresses, cards struct {
		Items []struct{ ID, Label string }
	}
	if d.get(me+"/addresses").ok(200, &addresses); len(addresses.Items) != 2 || addresses.Items[0].ID != d.address {
		c.Errorf("the addresses are %v", addresses)
	}
	if tag := d.get(at).ok(200, nil).etag(); tag != moved.etag() {
		moved = d.get(at)
	}
	d.send("DELETE", at, nil, ifMatch(moved.etag())).ok(204, nil)
	d.get(at).refused(404, "not_found")

	card := me + "/payment-methods/" + d.method
	d.send("DELETE", card, nil, ifMatch(d.get(card).ok(200, nil).etag())).ok(204, nil)
	if d.get(me+"/payment-methods").ok(200, &cards); len(cards.Items) != 0 {
		c.Errorf("the cards are %v", cards)
	}
	d.post("/v1/consumers", obj{"name": "Ada", "email": "ada@example.org"}).refused(422, "already_registered")

	// Who closes is forgotten.
	d.post(me+"/closure", obj{}).ok(200, nil)
	a := c.support().get(me).ok(200, &consumer)
	if consumer.State != "CLOSED" || strings.Contains(string(a.body), "Ada") || strings.Contains(string(a.body), "example.org") {
		c.Errorf("of who closed is known: %s", a.body)
	}
	d.post(me+"/addresses", work).refused(422, "consumer_closed")
}

func dinerMutes(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	me := "/v1/consumers/" + d.subject
	loud := d.approved(r)
	c.hears(d.caller, d.subject, loud, "kerf.orders.OrderApproved")
	var inbox struct {
		Items []struct {
			ID     string
			ReadAt string `json:"read_at"`
		}
	}
	d.get("/v1/notifications").ok(200, &inbox)
	read := "/v1/notifications/" + inbox.Items[0].ID + "/read"
	d.post(read, obj{}).ok(200, nil)
	if d.get("/v1/notifications").ok(200, &inbox); inbox.Items[0].ReadAt == "" {
		c.Error("what was read is unread")
	}

	d.put(me+"/notification-preferences", obj{"muted_channels": []string{"in_app"}}, ifMatch(d.get(me).ok(200, nil).etag())).ok(200, nil)
	r.does(loud, "rejection", obj{"reason": "no dough"}).ok(200, nil)
	d.ends(loud, "CANCELLED", "ticket_rejected", 0)
	// Support sees that it was kept back; the diner is not bothered.
	staff := c.support()
	eventually(c.T, "a notification that is kept back", func() (bool, string) {
		a := staff.get("/v1/notifications?recipient_id="+d.subject).ok(200, nil)
		return strings.Contains(string(a.body), `"SUPPRESSED"`), string(a.body)
	})
	c.hears(d.caller, d.subject, loud, "kerf.orders.OrderApproved")
}

func restaurantKeepsHouse(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	r.send("PATCH", r.path(""), obj{"name": "Da Capo", "cuisine": "thai", "position": c.position(-100)}, ifMatch(r.etag())).ok(200, nil)
	r.put(r.path("/preparation-time"), obj{"minutes": 45}, ifMatch(r.etag())).ok(200, nil)
	r.put(r.path("/delivery-zone"), obj{"radius_metres": 550}, ifMatch(r.etag())).ok(200, nil)
	d.post("/v1/quotes", supper(r, d)).refused(422, "outside_zone") // 600 m
	r.put(r.path("/delivery-zone"), obj{"radius_metres": 650}, ifMatch(r.etag())).ok(200, nil)
	d.asks(supper(r, d))

	// Over midnight, in Vienna, and closed on a holiday.
	r.put(r.path("/opening-hours"), obj{
		"weekly":     []obj{{"day": "friday", "opens": "18:00", "closes": "02:00"}, {"day": "saturday", "opens": "12:00", "closes": "24:00"}},
		"exceptions": []obj{{"date": "2027-12-25", "closed": true}, {"date": "2027-12-26", "opens": "10:00", "closes": "11:00"}},
	}, ifMatch(r.etag())).ok(200, nil)
	for at, want := range map[string]bool{
		"2027-07-02T15:59:59Z": false, // a Friday in summer, a second before six
		"2027-07-02T16:00:00Z": true,
		"2027-07-02T23:59:00Z": true, // two hours into Saturday, nearly
		"2027-07-03T00:00:00Z": false,
		"2027-01-08T16:30:00Z": false, // in winter six is an hour later
		"2027-01-08T17:30:00Z": true,
		"2027-07-03T21:59:00Z": true, // Saturday until midnight
		"2027-07-03T22:00:00Z": false,
		"2027-12-25T12:00:00Z": false, // a Saturday, but Christmas
		"2027-12-26T09:30:00Z": true,  // a Sunday, but for once
	} {
		var opening struct{ Open bool }
		if c.stranger().get(r.path("/opening?at="+at)).ok(200, &opening); opening.Open != want {
			c.Errorf("at %s it is open: %t", at, opening.Open)
		}
	}
	r.put(r.path("/opening-hours"), obj{"weekly": []obj{{"day": "friday", "opens": "25:00", "closes": "02:00"}}}, ifMatch(r.etag())).
		refused(400, "invalid").naming("weekly[0].opens")

	r.post(r.path("/resumption"), obj{}).refused(422, "restaurant_open")
	r.post(r.path("/pause"), obj{}).ok(200, nil)
	r.post(r.path("/resumption"), obj{}).ok(200, nil)
	r.post(r.path("/closure"), obj{}).ok(200, nil)
	r.post(r.path("/pause"), obj{}).refused(422, "restaurant_closed")
	r.post(r.path("/opening"), obj{}).ok(200, nil)
	bare := c.draft(nil)
	bare.post(bare.path("/opening"), obj{}).refused(422, "no_menu")
	c.stranger().get(bare.path("")).refused(404, "not_found")
}

func menuVersions(c *city) {
	r := c.restaurant(nil)
	guest := c.stranger()
	type shown struct {
		MenuVersion int `json:"menu_version"`
		Items       []struct {
			ID        string
			Price     amount
			Available bool
		}
	}
	var now, old shown
	guest.get(r.path("/menu")).ok(200, &now)
	if now.MenuVersion != 1 || len(now.Items) != 2 || now.Items[0].Price != euro(950) || !now.Items[0].Available {
		c.Errorf("the menu is %+v", now)
	}
	r.post(r.path("/menus"), obj{"items": []obj{{"name": "Soup of the Day", "price": euro(450)}}}).ok(201, nil)
	guest.get(r.path("/menu")).ok(200, &now)
	guest.get(r.path("/menus/1")).ok(200, &old)
	if now.MenuVersion != 2 || now.Items[0].ID != "soup-of-the-day" || old.MenuVersion != 1 || old.Items[0].ID != "pizza" {
		c.Errorf("the menu is %+v, version 1 %+v", now, old)
	}
	guest.get(r.path("/menus/3")).refused(404, "not_found")

	r.put(r.path("/items/soup-of-the-day/availability"), obj{"available": false}, ifMatch(r.etag())).ok(200, nil)
	var soup struct{ Available bool }
	if guest.get(r.path("/items/soup-of-the-day/availability")).ok(200, &soup); soup.Available {
		c.Error("the soup is out, and can be had")
	}
	r.put(r.path("/items/pizza/availability"), obj{"available": false}, ifMatch(r.etag())).refused(404, "not_found")
}

func restaurantsAreFound(c *city) {
	thai := c.restaurant(obj{"name": "Blue Elephant", "cuisine": "thai", "position": c.position(100)})
	grill := c.restaurant(obj{"name": "Smoke House", "cuisine": "grill", "position": c.position(1000)})
	closed := c.restaurant(obj{"name": "Night Owl", "cuisine": "thai", "position": c.position(2000), "opening_hours": obj{}})
	c.draft(obj{"name": "Nowhere", "position": c.position(0)})
	search := func(more string) (found []string) {
		var list struct{ Items []struct{ ID string } }
		c.stranger().get(fmt.Sprintf("/v1/restaurants?latitude=%f&longitude=%f%s", c.lat, c.lon, more)).ok(200, &list)
		for _, hit := range list.Items {
			found = append(found, hit.ID)
		}
		return found
	}
	for more, want := range map[string][]string{
		"":                               {thai.id, grill.id, closed.id}, // the nearest first
		"&radius=1500":                   {thai.id, grill.id},
		"&radius=50":                     nil,
		"&cuisine=THAI":                  {thai.id, closed.id},
		"&cuisine=thai&open_now=true":    {thai.id},
		"&q=smoke":                       {grill.id},
		"&q=house+grill":                 {grill.id},
		"&q=" + strings.Repeat("x", 100): nil,
		"&limit=1":                       {thai.id},
	} {
		if got := search(more); !slices.Equal(got, want) {
			c.Errorf("%q finds %v, want %v", more, got, want)
		}
	}
	c.stranger().get("/v1/restaurants?latitude=91&longitude=0").refused(400, "invalid").naming("latitude")
	c.stranger().get("/v1/restaurants?longitude=0").refused(400, "invalid").naming("latitude")
}

func couriersAreFound(c *city) {
	k := c.courier()
	var list struct {
		Items []struct {
			ID       string
			Distance float64 `json:"distance_metres"`
		}
	}
	near := fmt.Sprintf("/v1/couriers?latitude=%f&longitude=%f&radius=1000", c.lat, c.lon)
	c.support().get(near).ok(200, &list)
	if len(list.Items) != 1 || list.Items[0].ID != k.subject || list.Items[0].Distance < 199 || list.Items[0].Distance > 201 {
		c.Errorf("around the centre are %+v", list.Items)
	}
	var none struct{ Items []any }
	if c.admin().get("/v1/parked/delivery").ok(200, &none); len(none.Items) > 0 {
		c.Errorf("delivery has parked %v", none.Items)
	}
}
