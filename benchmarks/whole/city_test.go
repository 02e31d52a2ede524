package whole

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// object is a JSON object.
type object map[string]any

func at(latitude, longitude float64) object {
	return object{"latitude": latitude, "longitude": longitude}
}

func price(amount int) object { return object{"amount": amount, "currency": "EUR"} }

// city is who orders, cooks and rides, with what they need to ask for things.
type city struct {
	b           *testing.B
	server      *process
	admin       string
	restaurants []restaurant
	diners      []diner
	couriers    map[string]string // token by id
}

type restaurant struct{ id, token string }

type diner struct{ id, token, address, payment string }

const restaurants = 8

// settle registers a city's people, with a restaurant's menu open to every diner.
func settle(b *testing.B, server *process, diners, couriers int) *city {
	b.Helper()
	c := &city{b: b, server: server, couriers: map[string]string{}}
	by := dial(b, server.addr)
	defer by.close()
	c.admin, _ = c.token(by, "admin", "", nil)
	for range restaurants {
		c.openRestaurant(by)
	}
	for range diners {
		c.registerDiner(by)
	}
	for i := range couriers {
		token, id := c.token(by, "courier", "", nil)
		by.must(http.MethodPost, "/v1/couriers", token, object{"name": "Bo"}, nil)
		by.must(http.MethodPost, "/v1/couriers/"+id+"/shift", token, object{"position": at(52, 5+float64(i)/10_000)}, nil)
		c.couriers[id] = token
	}
	return c
}

func (c *city) token(by *client, role, subject string, owns []string) (token, id string) {
	var res struct{ Token, Subject string }
	ask := object{"roles": []string{role}, "ttl_seconds": 86_400}
	if subject != "" {
		ask["subject"], ask["owns"] = subject, owns
	}
	by.must(http.MethodPost, "/v1/tokens", "", ask, &res)
	return res.Token, res.Subject
}

func (c *city) openRestaurant(by *client) {
	var made struct{ ID string }
	owner, subject := c.token(by, "restaurant", "", nil)
	by.must(http.MethodPost, "/v1/restaurants", owner, object{
		"name": "Trattoria", "cuisine": "italian", "position": at(52, 5), "time_zone": "UTC", "currency": "EUR", "tax_basis_points": 900,
		"delivery_fee": price(250), "service_fee_basis_points": 500,
	}, &made)
	token, _ := c.token(by, "restaurant", subject, []string{made.ID})
	menu := []object{}
	for i, name := range []string{"pizza", "pasta", "salad", "wine", "water"} {
		menu = append(menu, object{"id": name, "name": name, "price": price(400 + 300*i)})
	}
	by.must(http.MethodPost, "/v1/restaurants/"+made.ID+"/menus", token, object{"items": menu}, nil)
	by.must(http.MethodPost, "/v1/restaurants/"+made.ID+"/opening", token, object{}, nil)
	c.restaurants = append(c.restaurants, restaurant{made.ID, token})
}

func (c *city) registerDiner(by *client) {
	var address, payment struct{ ID string }
	token, id := c.token(by, "consumer", "", nil)
	by.must(http.MethodPost, "/v1/consumers", token, object{"name": "Ada", "email": "ada@example.org"}, nil)
	by.must(http.MethodPost, "/v1/consumers/"+id+"/addresses", token, object{
		"label": "home", "street": "Main Street 1", "city": "Town", "postal_code": "1234", "country": "NL", "position": at(52.005, 5.005),
	}, &address)
	by.must(http.MethodPost, "/v1/consumers/"+id+"/payment-methods", token, object{"token": "tok_approve", "label": "card"}, &payment)
	c.diners = append(c.diners, diner{id, token, address.ID, payment.ID})
}

// order is one that was placed, with who takes part in it.
type order struct {
	ID          string
	DeliveryPin string `json:"delivery_pin"`
	by          diner
	at          restaurant
}

// place asks for a quote of three lines and orders it.
func (c *city) place(by *client, number int) (order, error) {
	o := order{by: c.diners[number%len(c.diners)], at: c.restaurants[number%len(c.restaurants)]}
	var quote struct{ ID string }
	err := by.try(http.MethodPost, "/v1/quotes", o.by.token, object{
		"restaurant_id": o.at.id, "address": at(52.005, 5.005), "lines": []object{
			{"item_id": "pizza", "quantity": 2}, {"item_id": "salad", "quantity": 1}, {"item_id": "water", "quantity": 3},
		},
	}, &quote)
	if err != nil {
		return o, err
	}
	err = by.try(http.MethodPost, "/v1/orders", o.by.token,
		object{"quote_id": quote.ID, "address_id": o.by.address, "payment_method_id": o.by.payment}, &o)
	return o, err
}

// quiet waits until no saga is open, no event unsettled and nobody still to be told. It returns how long that took.
func (c *city) quiet(by *client) time.Duration {
	c.b.Helper()
	began := time.Now()
	var left string
	for time.Since(began) < patience {
		if left = c.busy(by); left == "" {
			return time.Since(began)
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.b.Fatalf("no quiet after %s: %s", patience, left)
	return 0
}

// busy says what some module still has to do.
func (c *city) busy(by *client) string {
	for _, module := range []string{"orders", "kitchen", "accounting", "delivery", "restaurants", "consumers", "notifications", "tracking"} {
		var audit struct {
			Written, Settled, Parked int64
			Counters                 map[string]int64
		}
		if !by.do(http.MethodGet, "/v1/audit/"+module, c.admin, nil, &audit) {
			return "no audit"
		}
		if audit.Parked > 0 {
			c.b.Fatalf("%s has parked %d messages", module, audit.Parked)
		}
		if audit.Written > audit.Settled || audit.Counters["sagas_open"] > 0 || audit.Counters["notifications_pending"] > 0 {
			return fmt.Sprintf("%s: %d of %d events settled, %v", module, audit.Settled, audit.Written, audit.Counters)
		}
	}
	return ""
}
