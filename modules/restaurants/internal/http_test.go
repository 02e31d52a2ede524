package internal

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// edge is the module on a real database, with a clock that stands.
type edge struct {
	t       *testing.T
	service *Service
	db      *database.DB
	clock   *clock.Manual
	client  webtest.Client
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, db: databasetest.Open(t, "restaurants"), clock: clock.NewManual(noon)}
	e.service = NewService(e.db, outbox.New(e.db, "restaurants", e.clock), e.clock)
	server := web.New(web.Config{Verifier: webtest.Tokens{}})
	e.service.Routes(server.Echo)
	e.client = webtest.Client{TB: t, Handler: server}
	return e
}

const (
	nobody = ""
	owner  = "restaurant+anna"
	rival  = "restaurant+berta"
	admin  = "admin+root"
	diner  = "consumer+0190b6a2-7c5e-7000-8000-000000000001"
	other  = "consumer+0190b6a2-7c5e-7000-8000-000000000002"
)

// do sends a request with a fresh idempotency key if it changes something; headers are name, value, name, value.
func (e *edge) do(who, method, path, body string, headers ...string) *webtest.Answer {
	e.t.Helper()
	if method != http.MethodGet {
		headers = append([]string{"Idempotency-Key", ids.New()}, headers...)
	}
	return e.client.Do(who, method, path, body, headers...)
}

const creation = `{"name":"Trattoria","cuisine":"Italian","position":{"latitude":48.2,"longitude":16.37},"time_zone":"Europe/Vienna","currency":"EUR"}`

const menuBody = `{"items":[
	{"id":"pizza","name":"Pizza","price":{"amount":900,"currency":"EUR"},"modifier_groups":[
		{"id":"size","name":"Size","min":1,"max":1,"options":[{"id":"small","name":"Small","price_delta":{"amount":0,"currency":"EUR"}},
			{"id":"large","name":"Large","price_delta":{"amount":300,"currency":"EUR"}}]}]},
	{"name":"Tiramisù","price":{"amount":550,"currency":"EUR"}}]}`

// open creates a restaurant of the owner's with the menu above, open round the clock, and returns its id.
func (e *edge) open() string {
	e.t.Helper()
	id := e.do(owner, "POST", "/v1/restaurants", creation).Want(201).ID()
	e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", menuBody).Want(201)
	e.do(owner, "POST", "/v1/restaurants/"+id+"/opening", "").Want(200)
	return id
}

// etag is the version that the owner sees.
func (e *edge) etag(id string) string {
	e.t.Helper()
	return e.do(owner, "GET", "/v1/restaurants/"+id, "").Want(200).Header.Get("ETag")
}

// put edits a restaurant at its present version.
func (e *edge) put(id, part, body string) *webtest.Answer {
	e.t.Helper()
	return e.do(owner, "PUT", "/v1/restaurants/"+id+"/"+part, body, "If-Match", e.etag(id))
}

func quoteBody(id string) string {
	return fmt.Sprintf(`{"restaurant_id":%q,"lines":[{"item_id":"pizza","quantity":2,"options":[{"group_id":"size","option_id":"large"}]}],
		"address":{"latitude":48.21,"longitude":16.38}}`, id)
}

// events lists the types of a restaurant's events in order.
func (e *edge) events(id string) []string {
	e.t.Helper()
	rows, err := e.db.Query(context.Background(), `SELECT type FROM outbox WHERE subject = ? AND key = subject ORDER BY sequence`, id)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var types []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			e.t.Fatal(err)
		}
		types = append(types, strings.TrimPrefix(name, "kerf.restaurants."))
	}
	if err := rows.Err(); err != nil {
		e.t.Fatal(err)
	}
	return types
}

func (e *edge) later(d time.Duration) { e.clock.Advance(d) }
