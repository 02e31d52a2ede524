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
	"kerf/platform/web/webtest"
)

func TestAQuoteIsMadeAndShownToItsConsumerOnly(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	e.put(id, "tax-rate", `{"basis_points":1000}`).Want(200)
	made := e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Want(201)
	path := made.Header.Get("Location")
	if path != "/v1/quotes/"+made.ID() || made.Header.Get("ETag") != `"1"` {
		t.Errorf("%v", made.Header)
	}
	for _, part := range []string{
		`"subtotal":{"amount":2400,"currency":"EUR"}`, `"tax":{"amount":240,"currency":"EUR"}`, `"total":{"amount":2640,"currency":"EUR"}`,
		`"options":[{"group_id":"size","option_id":"large","name":"Large","price_delta":{"amount":300,"currency":"EUR"}}]`,
		`"expires_at":"2026-11-24T13:00:00Z"`, `"order":{"href":"/v1/orders","method":"POST"}`,
	} {
		if !strings.Contains(made.Raw, part) {
			t.Errorf("%s is not in %s", part, made.Raw)
		}
	}
	if shown := e.do(diner, "GET", path, "").Want(200); shown.Raw != made.Raw {
		t.Errorf("made %s, shown %s", made.Raw, shown.Raw)
	}
	e.do(diner, "GET", path, "", "If-None-Match", `"1"`).Want(304)
	e.do(other, "GET", path, "").Problem(404, "not_found")
	e.do(nobody, "GET", path, "").Problem(401, "unauthenticated")
	e.do(owner, "GET", path, "").Problem(403, "forbidden")
	e.do(owner, "POST", "/v1/quotes", quoteBody(id)).Problem(403, "forbidden")
	e.later(time.Hour)
	expired := e.do(diner, "GET", path, "", "If-None-Match", `"1"`).Want(200)
	if expired.Links()["order"] != nil {
		t.Errorf("an expired quote can be ordered: %s", expired.Raw)
	}
}

func TestARepeatedQuoteIsTheSameQuote(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	first := e.do(diner, "POST", "/v1/quotes", quoteBody(id), "Idempotency-Key", "k").Want(201)
	e.put(id, "tax-rate", `{"basis_points":1000}`).Want(200)
	if again := e.do(diner, "POST", "/v1/quotes", quoteBody(id), "Idempotency-Key", "k").Want(201); again.Raw != first.Raw {
		t.Errorf("%s, then %s", first.Raw, again.Raw)
	}
	if theirs := e.do(other, "POST", "/v1/quotes", quoteBody(id), "Idempotency-Key", "k").Want(201); theirs.ID() == first.ID() {
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
		r := e.do(diner, "POST", "/v1/quotes", strings.Replace(quoteBody(id), c.from, c.to, 1)).Problem(400, "invalid")
		if !r.Names(c.field) {
			t.Errorf("%s: %s does not name %s", c.to, r.Raw, c.field)
		}
	}
	e.do(diner, "POST", "/v1/quotes", `{"restaurant_id":`).Problem(400, "invalid")
}

func TestRefusedQuotesSayWhy(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	far := strings.Replace(quoteBody(id), `48.21`, `49.21`, 1)
	e.do(diner, "POST", "/v1/quotes", far).Problem(422, "outside_zone")
	e.put(id, "fees", `{"minimum":{"amount":2401,"currency":"EUR"}}`).Want(200)
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Problem(422, "below_minimum")
	e.put(id, "opening-hours", `{}`).Want(200)
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Problem(422, "restaurant_closed")
}

func TestOtherModulesGetAQuoteThatCanBeOrderedNow(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	made := e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Want(201)
	consumer := strings.TrimPrefix(diner, "consumer+")
	get := func(quote, consumer string) (*restaurantsapi.GetQuoteResponse, error) {
		ctx := identity.With(t.Context(), identity.Service("orders"))
		return e.service.GetQuote(ctx, &restaurantsapi.GetQuoteRequest{QuoteId: quote, ConsumerId: consumer})
	}
	res, err := get(made.ID(), consumer)
	if err != nil {
		t.Fatal(err)
	}
	q := res.GetQuote()
	if q.GetQuoteId() != made.ID() || q.GetRestaurantId() != id || q.GetTotal().GetAmount() != 2400 || q.GetRestaurantPosition().GetLatitude() != 48.2 ||
		q.GetAddress().GetLatitude() != 48.21 || q.GetPreparationSeconds() != 1200 || q.GetConsumerId() != consumer || q.GetMenuVersion() != 1 {
		t.Errorf("%v", q)
	}
	for _, c := range [][2]string{{made.ID(), strings.TrimPrefix(other, "consumer+")}, {"x", consumer}, {"", ""}} {
		if _, err := get(c[0], c[1]); fault.KindOf(err) != fault.KindNotFound {
			t.Errorf("%v: %v", c, err)
		}
	}
	request := &restaurantsapi.GetQuoteRequest{QuoteId: made.ID(), ConsumerId: consumer}
	for subject, kind := range map[string]fault.Kind{consumer: fault.KindOK, "somebody": fault.KindNotFound} {
		ctx := identity.With(t.Context(), identity.Principal{Subject: subject, Roles: []identity.Role{identity.RoleConsumer}})
		if _, err := e.service.GetQuote(ctx, request); fault.KindOf(err) != kind {
			t.Errorf("%s asks: %v", subject, err)
		}
	}
	if _, err := e.service.GetQuote(t.Context(), request); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("nobody asks: %v", err)
	}
	e.put(id, "items/pizza/availability", `{"available":false}`).Want(200)
	if _, err := get(made.ID(), consumer); code(err) != "item_unavailable" {
		t.Errorf("item out: %v", err)
	}
	e.put(id, "items/pizza/availability", `{"available":true}`).Want(200)
	e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", strings.Replace(menuBody, `"amount":900`, `"amount":990`, 1)).Want(201)
	if res, err := get(made.ID(), consumer); err != nil || res.GetQuote().GetTotal().GetAmount() != 2400 {
		t.Errorf("after a dearer menu: %v, %v", res, err)
	}
	e.do(owner, "POST", "/v1/restaurants/"+id+"/pause", "").Want(200)
	if _, err := get(made.ID(), consumer); code(err) != "restaurant_closed" {
		t.Errorf("paused: %v", err)
	}
	e.do(owner, "POST", "/v1/restaurants/"+id+"/resumption", "").Want(200)
	e.later(time.Hour)
	if _, err := get(made.ID(), consumer); code(err) != "quote_expired" {
		t.Errorf("after an hour: %v", err)
	}
}

func TestSearchFindsTheNearestFirst(t *testing.T) {
	e := newEdge(t)
	make := func(name, cuisine string, latitude float64) string {
		body := fmt.Sprintf(`{"name":%q,"cuisine":%q,"position":{"latitude":%g,"longitude":16.37},"time_zone":"Europe/Vienna","currency":"EUR","delivery_radius_metres":1500}`, name, cuisine, latitude)
		id := e.do(owner, "POST", "/v1/restaurants", body).Want(201).ID()
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", menuBody).Want(201)
		e.do(owner, "POST", "/v1/restaurants/"+id+"/opening", "").Want(200)
		return id
	}
	make("Far 100% Grill", "Barbecue", 48.23)
	make("Near Sushi", "Japanese", 48.201)
	twin := make("Twin Noodles", "Japanese", 48.21)
	make("Twin Noodles", "Japanese", 48.21)
	make("Gone", "Japanese", 48.3)
	closed := make("Closed", "Japanese", 48.202)
	e.do(owner, "POST", "/v1/restaurants/"+closed+"/closure", "").Want(200)
	e.do(owner, "POST", "/v1/restaurants", creation).Want(201) // a draft
	e.do(owner, "POST", "/v1/restaurants/"+twin+"/pause", "").Want(200)

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
		if got := strings.Join(names(e.do(nobody, "GET", here+query, "").Want(200)), ", "); got != want {
			t.Errorf("%s finds %s, want %s", query, got, want)
		}
	}

	// Page by page it is the same list, equal distances included.
	var paged []string
	for next := here + "&limit=1"; next != ""; {
		r := e.do(nobody, "GET", next, "").Want(200)
		paged = append(paged, names(r)...)
		link, more := r.Links()["next"].(map[string]any)
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
	item := first.Body["items"].([]any)[0].(map[string]any)
	if d := item["distance_metres"].(float64); d < 111 || d > 112 || item["delivers"] != true || item["open_now"] != true {
		t.Errorf("%v", item)
	}
	e.do(nobody, "GET", here, "", "If-None-Match", first.Header.Get("ETag")).Want(304)
}

func names(r *webtest.Answer) []string {
	var found []string
	for _, item := range r.Body["items"].([]any) {
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
		if r := e.do(nobody, "GET", "/v1/restaurants?"+query, "").Problem(400, "invalid"); !r.Names(field) {
			t.Errorf("%s: %s does not name %s", query, r.Raw, field)
		}
	}
}
