package internal

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

func TestAQuoteIsMadeAndShownToItsConsumerOnly(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	e.put(id, "tax-rate", `{"basis_points":1000}`).want(t, 200, "")
	made := e.do(diner, "POST", "/v1/quotes", quoteBody(id)).want(t, 201, "")
	path := made.header.Get("Location")
	if path != "/v1/quotes/"+made.id() || made.header.Get("ETag") != `"1"` {
		t.Errorf("%v", made.header)
	}
	for _, part := range []string{
		`"subtotal":{"amount":2400,"currency":"EUR"}`, `"tax":{"amount":240,"currency":"EUR"}`, `"total":{"amount":2640,"currency":"EUR"}`,
		`"options":[{"group_id":"size","option_id":"large","name":"Large","price_delta":{"amount":300,"currency":"EUR"}}]`,
		`"expires_at":"2026-11-24T13:00:00Z"`, `"order":{"href":"/v1/orders","method":"POST"}`,
	} {
		if !strings.Contains(made.text, part) {
			t.Errorf("%s is not in %s", part, made.text)
		}
	}
	if shown := e.do(diner, "GET", path, "").want(t, 200, ""); shown.text != made.text {
		t.Errorf("made %s, shown %s", made.text, shown.text)
	}
	e.do(diner, "GET", path, "", "If-None-Match", `"1"`).want(t, 304, "")
	e.do(other, "GET", path, "").want(t, 404, "not_found")
	e.do(nobody, "GET", path, "").want(t, 401, "unauthenticated")
	e.do(owner, "GET", path, "").want(t, 403, "forbidden")
	e.do(owner, "POST", "/v1/quotes", quoteBody(id)).want(t, 403, "forbidden")
	e.later(time.Hour)
	expired := e.do(diner, "GET", path, "", "If-None-Match", `"1"`).want(t, 200, "")
	if expired.links()["order"] != nil {
		t.Errorf("an expired quote can be ordered: %s", expired.text)
	}
}

func TestARepeatedQuoteIsTheSameQuote(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	first := e.do(diner, "POST", "/v1/quotes", quoteBody(id), "Idempotency-Key", "k").want(t, 201, "")
	e.put(id, "tax-rate", `{"basis_points":1000}`).want(t, 200, "")
	if again := e.do(diner, "POST", "/v1/quotes", quoteBody(id), "Idempotency-Key", "k").want(t, 201, ""); again.text != first.text {
		t.Errorf("%s, then %s", first.text, again.text)
	}
	if theirs := e.do(other, "POST", "/v1/quotes", quoteBody(id), "Idempotency-Key", "k").want(t, 201, ""); theirs.id() == first.id() {
		t.Error("another's key leads to the same quote")
	}
}

func TestBadQuoteRequestsNameTheField(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	for _, c := range []struct{ from, to, field string }{
		{`"quantity":2`, `"quantity":0`, "lines[0].quantity"}, {`"quantity":2`, `"quantity":-3`, "lines[0].quantity"}, {`"quantity":2`, `"quantity":100`, "lines[0].quantity"},
		{`"quantity":2`, `"quantity":"2"`, "lines[0].quantity"}, {`"quantity":2`, `"quantity":1e30`, "lines[0].quantity"}, {`"quantity":2`, `"price":1,"quantity":2`, "lines[0].price"},
		{`"latitude":48.21`, `"latitude":148.21`, "address"}, {`"latitude":48.21,`, ``, "address.latitude"}, {`"large"`, `"huge"`, "lines[0].options[0]"},
		{`{"restaurant_id"`, `{"total":1,"restaurant_id"`, "total"}, {`{"restaurant_id"`, `{"tip":{"amount":-1,"currency":"EUR"},"restaurant_id"`, "tip.amount"},
		{`{"restaurant_id"`, `{"tip":{"amount":1,"currency":"USD"},"restaurant_id"`, "tip.currency"}, {`{"restaurant_id"`, `{"tip":{"amount":999999,"currency":"EUR"},"restaurant_id"`, "tip.amount"},
	} {
		r := e.do(diner, "POST", "/v1/quotes", strings.Replace(quoteBody(id), c.from, c.to, 1)).want(t, 400, "invalid")
		if !r.names(c.field) {
			t.Errorf("%s: %s does not name %s", c.to, r.text, c.field)
		}
	}
	e.do(diner, "POST", "/v1/quotes", `{"restaurant_id":`).want(t, 400, "invalid")
}

func TestRefusedQuotesSayWhy(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	far := strings.Replace(quoteBody(id), `48.21`, `49.21`, 1)
	e.do(diner, "POST", "/v1/quotes", far).want(t, 422, "outside_zone")
	e.put(id, "fees", `{"minimum":{"amount":2401,"currency":"EUR"}}`).want(t, 200, "")
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).want(t, 422, "below_minimum")
	e.put(id, "opening-hours", `{}`).want(t, 200, "")
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).want(t, 422, "restaurant_closed")
}

func TestOtherModulesGetAQuoteThatCanBeOrderedNow(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	made := e.do(diner, "POST", "/v1/quotes", quoteBody(id)).want(t, 201, "")
	consumer := strings.TrimPrefix(diner, "consumer:")
	get := func(quote, consumer string) (*restaurantsapi.GetQuoteResponse, error) {
		ctx := identity.With(t.Context(), identity.Service("orders"))
		return e.service.GetQuote(ctx, &restaurantsapi.GetQuoteRequest{QuoteId: quote, ConsumerId: consumer})
	}
	res, err := get(made.id(), consumer)
	if err != nil {
		t.Fatal(err)
	}
	q := res.GetQuote()
	if q.GetQuoteId() != made.id() || q.GetRestaurantId() != id || q.GetTotal().GetAmount() != 2400 || q.GetRestaurantPosition().GetLatitude() != 48.2 ||
		q.GetAddress().GetLatitude() != 48.21 || q.GetPreparationSeconds() != 1200 || q.GetConsumerId() != consumer || q.GetMenuVersion() != 1 {
		t.Errorf("%v", q)
	}
	for _, c := range [][2]string{{made.id(), strings.TrimPrefix(other, "consumer:")}, {"x", consumer}, {"", ""}} {
		if _, err := get(c[0], c[1]); fault.KindOf(err) != fault.KindNotFound {
			t.Errorf("%v: %v", c, err)
		}
	}
	request := &restaurantsapi.GetQuoteRequest{QuoteId: made.id(), ConsumerId: consumer}
	for subject, kind := range map[string]fault.Kind{consumer: fault.KindOK, "somebody": fault.KindNotFound} {
		ctx := identity.With(t.Context(), identity.Principal{Subject: subject, Roles: []identity.Role{identity.RoleConsumer}})
		if _, err := e.service.GetQuote(ctx, request); fault.KindOf(err) != kind {
			t.Errorf("%s asks: %v", subject, err)
		}
	}
	if _, err := e.service.GetQuote(t.Context(), request); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("nobody asks: %v", err)
	}
	e.put(id, "items/pizza/availability", `{"available":false}`).want(t, 200, "")
	if _, err := get(made.id(), consumer); code(err) != "item_unavailable" {
		t.Errorf("item out: %v", err)
	}
	e.put(id, "items/pizza/availability", `{"available":true}`).want(t, 200, "")
	e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", strings.Replace(menuBody, `"amount":900`, `"amount":990`, 1)).want(t, 201, "")
	if res, err := get(made.id(), consumer); err != nil || res.GetQuote().GetTotal().GetAmount() != 2400 {
		t.Errorf("after a dearer menu: %v, %v", res, err)
	}
	e.do(owner, "POST", "/v1/restaurants/"+id+"/pause", "").want(t, 200, "")
	if _, err := get(made.id(), consumer); code(err) != "restaurant_closed" {
		t.Errorf("paused: %v", err)
	}
	e.do(owner, "POST", "/v1/restaurants/"+id+"/resumption", "").want(t, 200, "")
	e.later(time.Hour)
	if _, err := get(made.id(), consumer); code(err) != "quote_expired" {
		t.Errorf("after an hour: %v", err)
	}
}

func TestSearchFindsTheNearestFirst(t *testing.T) {
	e := newEdge(t)
	make := func(name, cuisine string, latitude float64) string {
		body := fmt.Sprintf(`{"name":%q,"cuisine":%q,"position":{"latitude":%g,"longitude":16.37},"time_zone":"Europe/Vienna","currency":"EUR","delivery_radius_metres":1500}`, name, cuisine, latitude)
		id := e.do(owner, "POST", "/v1/restaurants", body).want(t, 201, "").id()
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", menuBody).want(t, 201, "")
		e.do(owner, "POST", "/v1/restaurants/"+id+"/opening", "").want(t, 200, "")
		return id
	}
	make("Far 100% Grill", "Barbecue", 48.23)
	make("Near Sushi", "Japanese", 48.201)
	twin := make("Twin Noodles", "Japanese", 48.21)
	make("Twin Noodles", "Japanese", 48.21)
	make("Gone", "Japanese", 48.3)
	closed := make("Closed", "Japanese", 48.202)
	e.do(owner, "POST", "/v1/restaurants/"+closed+"/closure", "").want(t, 200, "")
	e.do(owner, "POST", "/v1/restaurants", creation).want(t, 201, "") // a draft
	e.do(owner, "POST", "/v1/restaurants/"+twin+"/pause", "").want(t, 200, "")

	const here = "/v1/restaurants?latitude=48.2&longitude=16.37"
	for query, want := range map[string]string{
		"":                           "Near Sushi, Twin Noodles, Twin Noodles, Far 100% Grill",
		"&radius=1500":               "Near Sushi, Twin Noodles, Twin Noodles",
		"&radius=20000&limit=5":      "Near Sushi, Twin Noodles, Twin Noodles, Far 100% Grill, Gone",
		"&cuisine=japanese&limit=10": "Near Sushi, Twin Noodles, Twin Noodles",
		"&q=noodles+japan":           "Twin Noodles, Twin Noodles",
		"&q=100%25":                  "Far 100% Grill",
		"&q=_":                       "",
		"&q=nothing":                 "",
		"&open_now=true":             "Near Sushi, Twin Noodles, Far 100% Grill",
	} {
		if got := strings.Join(names(e.do(nobody, "GET", here+query, "").want(t, 200, "")), ", "); got != want {
			t.Errorf("%s finds %s, want %s", query, got, want)
		}
	}

	// Page by page it is the same list, equal distances included.
	var paged []string
	for next := here + "&limit=1"; next != ""; {
		r := e.do(nobody, "GET", next, "").want(t, 200, "")
		paged = append(paged, names(r)...)
		link, more := r.links()["next"].(map[string]any)
		if next = ""; more {
			next = link["href"].(string)
		}
		if len(paged) > 10 {
			t.Fatal("the pages do not end")
		}
	}
	if got := strings.Join(paged, ", "); got != "Near Sushi, Twin Noodles, Twin Noodles, Far 100% Grill" {
		t.Errorf("page by page %s", got)
	}

	first := e.do(nobody, "GET", here, "")
	item := first.body["items"].([]any)[0].(map[string]any)
	if d := item["distance_metres"].(float64); d < 111 || d > 112 || item["delivers"] != true || item["open_now"] != true {
		t.Errorf("%v", item)
	}
	e.do(nobody, "GET", here, "", "If-None-Match", first.header.Get("ETag")).want(t, 304, "")
}

func names(r reply) []string {
	var found []string
	for _, item := range r.body["items"].([]any) {
		found = append(found, item.(map[string]any)["name"].(string))
	}
	return found
}

func TestABadSearchNamesTheParameter(t *testing.T) {
	e := newEdge(t)
	for query, field := range map[string]string{
		"longitude=16": "latitude", "latitude=48": "longitude", "latitude=x&longitude=1": "latitude", "latitude=NaN&longitude=1": "latitude", "latitude=91&longitude=1": "latitude",
		"latitude=1&longitude=1&radius=0": "radius", "latitude=1&longitude=1&radius=Inf": "radius", "latitude=1&longitude=1&open_now=maybe": "open_now",
		"latitude=1&longitude=1&limit=101": "limit", "latitude=1&longitude=1&cursor=!": "cursor", "latitude=1&longitude=1&q=" + url.QueryEscape(strings.Repeat("x", 101)): "q",
	} {
		if r := e.do(nobody, "GET", "/v1/restaurants?"+query, "").want(t, 400, "invalid"); !r.names(field) {
			t.Errorf("%s: %s does not name %s", query, r.text, field)
		}
	}
}
