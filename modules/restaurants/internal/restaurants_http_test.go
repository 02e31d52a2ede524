package internal

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestARestaurantIsCreatedAsADraftAndOpensWithAMenu(t *testing.T) {
	e := newEdge(t)
	created := e.do(owner, "POST", "/v1/restaurants", creation).Want(201)
	path := "/v1/restaurants/" + created.ID()
	if created.Body["state"] != "DRAFT" || created.Header.Get("Location") != path || created.Header.Get("ETag") != `"1"` {
		t.Fatalf("%v %s", created.Header, created.Raw)
	}
	if _, may := created.Links()["opening"]; may {
		t.Error("a draft without a menu has a link to open it")
	}
	e.do(owner, "POST", path+"/opening", "{}").Problem(422, "no_menu")
	menu := e.do(owner, "POST", path+"/menus", menuBody).Want(201)
	if menu.Header.Get("Location") != path+"/menus/1" || menu.Body["menu_version"] != 1.0 {
		t.Errorf("%v %s", menu.Header, menu.Raw)
	}
	if r := e.do(owner, "GET", path, ""); r.Links()["opening"] == nil {
		t.Errorf("no link to open: %s", r.Raw)
	}
	opened := e.do(owner, "POST", path+"/opening", "").Want(200)
	if opened.Body["state"] != "OPEN" || opened.Header.Get("ETag") != `"3"` {
		t.Errorf("%v %s", opened.Header, opened.Raw)
	}
	if got, want := e.events(created.ID()), []string{"RestaurantCreated", "MenuPublished", "RestaurantOpened"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestADraftIsHiddenFromOthers(t *testing.T) {
	e := newEdge(t)
	id := e.do(owner, "POST", "/v1/restaurants", creation).Want(201).ID()
	path := "/v1/restaurants/" + id
	for _, who := range []string{nobody, diner, rival} {
		for _, what := range []string{path, path + "/opening", path + "/menu", path + "/menus/1"} {
			e.do(who, "GET", what, "").Problem(404, "not_found")
		}
	}
	for _, who := range []string{owner, admin, "support+s", "restaurant+carla+" + id} {
		e.do(who, "GET", path, "").Want(200)
	}
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Problem(404, "not_found")
}

func TestOnlyARestaurantsPeopleChangeIt(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path := "/v1/restaurants/" + id
	for _, c := range []struct {
		method, path, body string
	}{
		{"PATCH", path, `{"name":"Mine"}`}, {"PUT", path + "/opening-hours", `{"always":true}`}, {"PUT", path + "/delivery-zone", `{"radius_metres":1}`},
		{"PUT", path + "/fees", `{}`}, {"PUT", path + "/tax-rate", `{"basis_points":1}`}, {"PUT", path + "/preparation-time", `{"minutes":1}`},
		{"POST", path + "/pause", ``}, {"POST", path + "/resumption", ``}, {"POST", path + "/closure", ``}, {"POST", path + "/opening", ``},
		{"POST", path + "/menus", menuBody}, {"PUT", path + "/items/pizza/availability", `{"available":false}`},
	} {
		seen := []string{"If-Match", e.etag(id)}
		e.do(nobody, c.method, c.path, c.body, seen...).Problem(401, "unauthenticated")
		e.do(diner, c.method, c.path, c.body, seen...).Problem(403, "forbidden")
		e.do(rival, c.method, c.path, c.body, seen...).Problem(404, "not_found")
	}
	for _, who := range []string{owner, admin, "restaurant+carla+" + id} {
		e.do(who, "PUT", path+"/delivery-zone", `{"radius_metres":4000}`, "If-Match", e.etag(id)).Want(200)
	}
	e.do(diner, "POST", "/v1/restaurants", creation).Problem(403, "forbidden")
}

func TestAnEditStatesTheVersionItSaw(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	for _, part := range []string{"opening-hours", "delivery-zone", "fees", "tax-rate", "preparation-time", "items/pizza/availability"} {
		path, body := "/v1/restaurants/"+id+"/"+part, `{"always":true}`
		e.do(owner, "PUT", path, body).Problem(428, "if_match_required")
	}
	path := "/v1/restaurants/" + id
	e.do(owner, "PATCH", path, `{"name":"Osteria"}`, "If-Match", `"2"`).Problem(412, "stale")
	e.do(owner, "POST", path+"/pause", ``, "If-Match", `"2"`).Problem(412, "stale")
	r := e.do(owner, "PATCH", path, `{"name":"Osteria","cuisine":"Roman"}`, "If-Match", `"3"`).Want(200)
	if r.Body["name"] != "Osteria" || r.Body["cuisine"] != "Roman" || r.Header.Get("ETag") != `"4"` || r.Body["version"] != 4.0 {
		t.Errorf("%v %s", r.Header, r.Raw)
	}
}

func TestARepeatGetsTheFirstAnswer(t *testing.T) {
	e := newEdge(t)
	first := e.do(owner, "POST", "/v1/restaurants", creation, "Idempotency-Key", "k1").Want(201)
	again := e.do(owner, "POST", "/v1/restaurants", creation, "Idempotency-Key", "k1").Want(201)
	if first.Raw != again.Raw || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("ETag") != `"1"` {
		t.Errorf("%s, then %s", first.Raw, again.Raw)
	}
	e.do(owner, "POST", "/v1/restaurants", strings.Replace(creation, "Italian", "Greek", 1), "Idempotency-Key", "k1").Problem(422, "idempotency_key_reused")
	path := "/v1/restaurants/" + first.ID()
	e.do(owner, "PUT", path+"/tax-rate", `{"basis_points":700}`, "If-Match", `"1"`, "Idempotency-Key", "k2").Want(200)
	replayed := e.do(owner, "PUT", path+"/tax-rate", `{"basis_points":700}`, "If-Match", `"1"`, "Idempotency-Key", "k2").Want(200)
	if replayed.Header.Get("ETag") != `"2"` || len(e.events(first.ID())) != 2 {
		t.Errorf("the repeat was answered %v and left events %v", replayed.Header, e.events(first.ID()))
	}
}

func TestSettingsAreShownAsTheyWereSet(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	e.put(id, "opening-hours", `{"weekly":[{"day":"tuesday","opens":"18:00","closes":"02:00"},{"day":"monday","opens":"11:00","closes":"24:00"}],
		"exceptions":[{"date":"2026-12-24","closed":true}]}`).Want(200)
	e.put(id, "delivery-zone", `{"radius_metres":2500}`).Want(200)
	e.put(id, "fees", `{"minimum":{"amount":1000,"currency":"EUR"},"delivery_fee":{"amount":200,"currency":"EUR"},"service_fee_basis_points":300,
		"small_order_fee":{"amount":100,"currency":"EUR"},"small_order_below":{"amount":1500,"currency":"EUR"},"cancellation_fee":{"amount":500,"currency":"EUR"}}`).Want(200)
	e.put(id, "tax-rate", `{"basis_points":2000}`).Want(200)
	set := e.put(id, "preparation-time", `{"minutes":12}`).Want(200)
	shown := e.do(owner, "GET", "/v1/restaurants/"+id, "").Want(200)
	if shown.Raw != set.Raw {
		t.Errorf("answered %s, shown %s", set.Raw, shown.Raw)
	}
	for _, part := range []string{
		`"opening_hours":{"weekly":[{"day":"monday","opens":"11:00","closes":"24:00"},{"day":"tuesday","opens":"18:00","closes":"02:00"}],"exceptions":[{"date":"2026-12-24","closed":true}]}`,
		`"delivery_radius_metres":2500`, `"minimum":{"amount":1000,"currency":"EUR"}`, `"delivery_fee":{"amount":200,"currency":"EUR"}`, `"service_fee_basis_points":300`,
		`"small_order_fee":{"amount":100,"currency":"EUR"}`, `"small_order_below":{"amount":1500,"currency":"EUR"}`, `"cancellation_fee":{"amount":500,"currency":"EUR"}`,
		`"tax_basis_points":2000`, `"preparation_minutes":12`, `"menu_version":1`,
	} {
		if !strings.Contains(shown.Raw, part) {
			t.Errorf("%s is not in %s", part, shown.Raw)
		}
	}
	want := []string{"HoursChanged", "RestaurantUpdated", "RestaurantUpdated", "RestaurantUpdated", "RestaurantUpdated"}
	if got := e.events(id)[3:]; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestBothReadersOfARestaurantSeeTheSame(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	e.put(id, "fees", `{"minimum":{"amount":1,"currency":"EUR"},"delivery_fee":{"amount":2,"currency":"EUR"},"service_fee_basis_points":3,
		"small_order_fee":{"amount":4,"currency":"EUR"},"small_order_below":{"amount":5,"currency":"EUR"},"cancellation_fee":{"amount":6,"currency":"EUR"}}`).Want(200)
	e.put(id, "tax-rate", `{"basis_points":7}`).Want(200)
	e.put(id, "items/pizza/availability", `{"available":false,"until":"2026-11-24T20:00:00Z"}`).Want(200)
	e.do(owner, "POST", "/v1/restaurants/"+id+"/pause", `{"until":"2026-11-24T13:00:00Z"}`).Want(200)
	bySQL, err := e.service.find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var byGORM Restaurant
	if err := e.db.Read(t.Context()).Take(&byGORM, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", *bySQL) != fmt.Sprintf("%+v", byGORM) {
		t.Errorf("prepared SQL reads\n%+v, GORM\n%+v", *bySQL, byGORM)
	}
	if bySQL.Fees != (Fees{1, 2, 3, 4, 5, 6}) || bySQL.PausedUntil == 0 || bySQL.Unavailable["pizza"] == 0 {
		t.Errorf("%+v", bySQL)
	}
}

func TestBadSettingsAreInvalidByName(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	for _, c := range []struct{ part, body, field string }{
		{"opening-hours", `{"weekly":[{"day":"someday","opens":"11:00","closes":"12:00"}]}`, "weekly[0].day"},
		{"opening-hours", `{"weekly":[{"day":"monday","opens":"11:00"}]}`, "weekly[0].closes"},
		{"opening-hours", `{"weekly":[{"day":"monday","opens":"11","closes":"12:00"}]}`, "weekly[0].opens"},
		{"opening-hours", `{"weekly":[{"day":"monday","opens":"11:00","closes":"12:00","x":1}]}`, "weekly[0].x"},
		{"delivery-zone", `{}`, "radius_metres"},
		{"delivery-zone", `{"radius_metres":0}`, "radius_metres"},
		{"delivery-zone", `{"radius_metres":1e9}`, "radius_metres"},
		{"delivery-zone", `{"radius_metres":"far"}`, "radius_metres"},
		{"fees", `{"minimum":{"amount":-1,"currency":"EUR"}}`, "minimum.amount"},
		{"fees", `{"delivery_fee":{"amount":1,"currency":"USD"}}`, "delivery_fee.currency"},
		{"fees", `{"service_fee_basis_points":10001}`, "service_fee_basis_points"},
		{"tax-rate", `{"basis_points":-1}`, "basis_points"},
		{"tax-rate", `{}`, "basis_points"},
		{"preparation-time", `{"minutes":1441}`, "minutes"},
		{"items/pizza/availability", `{}`, "available"},
		{"items/pizza/availability", `{"available":true,"until":"2027-01-01T00:00:00Z"}`, "until"},
		{"items/pizza/availability", `{"available":false,"until":"2026-01-01T00:00:00Z"}`, "until"},
	} {
		if r := e.put(id, c.part, c.body).Problem(400, "invalid"); !r.Names(c.field) {
			t.Errorf("%s %s: %s does not name %s", c.part, c.body, r.Raw, c.field)
		}
	}
	for _, c := range []struct{ from, to, field string }{
		{`"name":"Trattoria"`, `"name":""`, "name"}, {`"cuisine":"Italian"`, `"cuisine":"\u0007"`, "cuisine"},
		{`"latitude":48.2`, `"latitude":91`, "position"}, {`"latitude":48.2,`, ``, "position.latitude"}, {`Europe/Vienna`, `Europe/Atlantis`, "time_zone"},
		{`Europe/Vienna`, `Local`, "time_zone"}, {`Europe/Vienna`, `../../etc/passwd`, "time_zone"}, {`"EUR"`, `"EURO"`, "currency"}, {`{"name"`, `{"tax_basis_points":-5,"name"`, "tax_basis_points"},
		{`{"name"`, `{"minimum":{"amount":5,"currency":"USD"},"name"`, "minimum.currency"}, {`{"name"`, `{"delivery_radius_metres":-5,"name"`, "delivery_radius_metres"},
		{`{"name"`, `{"opening_hours":{"weekly":[{"day":"x","opens":"01:00","closes":"02:00"}]},"name"`, "opening_hours.weekly[0].day"}, {`{"name"`, `{"owner":"me","name"`, "owner"},
	} {
		r := e.do(owner, "POST", "/v1/restaurants", strings.Replace(creation, c.from, c.to, 1)).Problem(400, "invalid")
		if !r.Names(c.field) {
			t.Errorf("%s: %s does not name %s", c.to, r.Raw, c.field)
		}
	}
}

func TestAPauseIsOverAtItsEnd(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path := "/v1/restaurants/" + id
	paused := e.do(owner, "POST", path+"/pause", `{"until":"2026-11-24T13:00:00Z"}`).Want(200)
	if paused.Body["state"] != "PAUSED" || paused.Body["paused_until"] != "2026-11-24T13:00:00Z" {
		t.Fatal(paused.Raw)
	}
	etag := paused.Header.Get("ETag")
	e.do(nobody, "GET", path, "", "If-None-Match", etag).Want(304)
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Problem(422, "restaurant_closed")
	e.later(time.Hour)
	shown := e.do(nobody, "GET", path, "", "If-None-Match", etag).Want(200)
	if shown.Body["state"] != "OPEN" || shown.Body["paused_until"] != nil {
		t.Errorf("after the pause: %s", shown.Raw)
	}
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Want(201)
	e.do(owner, "POST", path+"/resumption", "").Problem(422, "restaurant_open")
	e.do(owner, "POST", path+"/opening", `{"until":"2026-12-24T13:00:00Z"}`).Problem(400, "invalid")
	e.do(owner, "POST", path+"/pause", `{"until":"2026-11-24T13:00:00Z"}`).Problem(400, "invalid")
}

func TestStatesAndTheirEvents(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path := "/v1/restaurants/" + id
	for _, c := range []struct{ noun, state string }{{"pause", "PAUSED"}, {"resumption", "OPEN"}, {"pause", "PAUSED"}, {"closure", "CLOSED"}, {"opening", "OPEN"}} {
		if r := e.do(owner, "POST", path+"/"+c.noun, "").Want(200); r.Body["state"] != c.state {
			t.Errorf("%s leads to %s", c.noun, r.Raw)
		}
	}
	e.do(owner, "POST", path+"/opening", "").Problem(422, "restaurant_open")
	want := []string{"RestaurantPaused", "RestaurantOpened", "RestaurantPaused", "RestaurantClosed", "RestaurantOpened"}
	if got := e.events(id)[3:]; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestOpeningAtAnInstantCanBeAsked(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	e.put(id, "opening-hours", `{"weekly":[{"day":"tuesday","opens":"18:00","closes":"02:00"}]}`).Want(200)
	path := "/v1/restaurants/" + id + "/opening"
	for at, open := range map[string]bool{"": false, "?at=2026-11-24T18:00:00%2B01:00": true, "?at=2026-11-25T00:59:59Z": true, "?at=2026-11-25T01:00:00Z": false} {
		if r := e.do(nobody, "GET", path+at, "").Want(200); r.Body["open"] != open {
			t.Errorf("%s: %s", at, r.Raw)
		}
	}
	if r := e.do(nobody, "GET", path+"?at=tomorrow", "").Problem(400, "invalid"); !r.Names("at") {
		t.Error(r.Raw)
	}
}

func TestMenusAreVersionsThatNeverChange(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path := "/v1/restaurants/" + id
	first := e.do(nobody, "GET", path+"/menus/1", "").Want(200)
	if !strings.Contains(first.Header.Get("Cache-Control"), "immutable") || first.Header.Get("ETag") != `"1"` {
		t.Errorf("%v", first.Header)
	}
	e.put(id, "items/pizza/availability", `{"available":false}`).Want(200)
	second := strings.Replace(menuBody, `"amount":900`, `"amount":990`, 1)
	e.do(owner, "POST", path+"/menus", second).Want(201)
	if again := e.do(nobody, "GET", path+"/menus/1", "").Want(200); again.Raw != first.Raw {
		t.Errorf("version 1 was %s and is %s", first.Raw, again.Raw)
	}
	e.do(nobody, "GET", path+"/menus/1", "", "If-None-Match", `"1"`).Want(304)
	e.do(nobody, "GET", path+"/menus/3", "").Problem(404, "not_found")
	e.do(nobody, "GET", path+"/menus/x", "").Problem(404, "not_found")
	current := e.do(nobody, "GET", path+"/menu", "").Want(200)
	if current.Body["menu_version"] != 2.0 || !strings.Contains(current.Raw, `"amount":990`) || !strings.Contains(current.Raw, `"id":"tiramis"`) {
		t.Error(current.Raw)
	}
	e.do(nobody, "GET", path+"/menu", "", "If-None-Match", current.Header.Get("ETag")).Want(304)
	if r := e.do(owner, "POST", path+"/menus", strings.Replace(menuBody, `"EUR"`, `"USD"`, 1)).Problem(400, "invalid"); !r.Names("items[0].price.currency") {
		t.Error(r.Raw)
	}
	if r := e.do(owner, "POST", path+"/menus", `{"items":[{"name":"A","price":{"amount":1.5,"currency":"EUR"}}]}`).Problem(400, "invalid"); !r.Names("items[0].price.amount") {
		t.Error(r.Raw)
	}
}

func TestAnItemThatIsOutComesBack(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path := "/v1/restaurants/" + id
	e.put(id, "items/sushi/availability", `{"available":false}`).Problem(404, "not_found")
	e.do(nobody, "GET", path+"/items/sushi/availability", "").Problem(404, "not_found")
	out := e.put(id, "items/pizza/availability", `{"available":false,"until":"2026-11-24T14:00:00Z"}`).Want(200)
	if out.Body["available"] != false || out.Body["available_from"] != "2026-11-24T14:00:00Z" {
		t.Error(out.Raw)
	}
	refused := e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Problem(422, "item_unavailable")
	if !refused.Names("lines[0].item_id") {
		t.Error(refused.Raw)
	}
	menu := e.do(nobody, "GET", path+"/menu", "").Want(200)
	if !strings.Contains(menu.Raw, `"available":false,"available_from":"2026-11-24T14:00:00Z"`) {
		t.Error(menu.Raw)
	}
	e.later(2 * time.Hour)
	menu = e.do(nobody, "GET", path+"/menu", "", "If-None-Match", menu.Header.Get("ETag")).Want(200)
	if strings.Contains(menu.Raw, `"available":false`) {
		t.Error(menu.Raw)
	}
	e.do(diner, "POST", "/v1/quotes", quoteBody(id)).Want(201)
	if got := e.events(id); !slices.Contains(got, "ItemAvailabilityChanged") {
		t.Errorf("events %v", got)
	}
	// A menu without the item forgets that it was out.
	e.put(id, "items/pizza/availability", `{"available":false}`).Want(200)
	e.do(owner, "POST", path+"/menus", `{"items":[{"name":"Soup","price":{"amount":400,"currency":"EUR"}}]}`).Want(201)
	e.do(owner, "POST", path+"/menus", menuBody).Want(201)
	if r := e.do(nobody, "GET", path+"/items/pizza/availability", "").Want(200); r.Body["available"] != true {
		t.Error(r.Raw)
	}
}

func TestTheLinksAreThoseThatThisCallerMayFollow(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	for who, want := range map[string][]string{
		nobody: {"menu", "open-at", "self"}, rival: {"menu", "open-at", "self"}, diner: {"menu", "open-at", "quote", "self"},
		owner: {"closure", "delivery-zone", "edit", "fees", "menu", "open-at", "opening-hours", "pause", "preparation-time", "publish-menu", "self", "tax-rate"},
	} {
		r := e.do(who, "GET", "/v1/restaurants/"+id, "").Want(200)
		var got []string
		for name := range r.Links() {
			got = append(got, name)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q may follow %v, want %v", who, got, want)
		}
	}
	anonymous := e.do(nobody, "GET", "/v1/restaurants/"+id, "")
	if cc := anonymous.Header.Get("Cache-Control"); cc != "public, no-cache" || anonymous.Header.Get("Vary") != "Authorization" {
		t.Errorf("%v", anonymous.Header)
	}
	if cc := e.do(owner, "GET", "/v1/restaurants/"+id, "").Header.Get("Cache-Control"); strings.Contains(cc, "public") {
		t.Errorf("an answer for somebody may be kept by all: %s", cc)
	}
}

func TestUnknownRestaurantsAreNotFound(t *testing.T) {
	e := newEdge(t)
	for _, id := range []string{"0190b6a2-7c5e-7000-8000-00000000abcd", "x", "%00", "'"} {
		for _, part := range []string{"", "/menu", "/menus/1", "/opening", "/items/a/availability"} {
			e.do(nobody, "GET", "/v1/restaurants/"+id+part, "").Problem(404, "not_found")
		}
		e.do(owner, "POST", "/v1/restaurants/"+id+"/opening", "").Problem(404, "not_found")
	}
	for id, status := range map[string]int{"0190b6a2-7c5e-7000-8000-00000000abcd": http.StatusNotFound, "nowhere": http.StatusBadRequest} {
		if r := e.do(diner, "POST", "/v1/quotes", quoteBody(id)); r.Status != status || !r.Names("restaurant_id") {
			t.Errorf("a quote of %s: %d %s", id, r.Status, r.Raw)
		}
	}
}
