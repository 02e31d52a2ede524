package internal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/web"
)

// edge is the module behind real HTTP on a real database, with a clock that stands.
type edge struct {
	t       *testing.T
	service *Service
	db      *database.DB
	clock   *clock.Manual
	server  *httptest.Server
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, db: databasetest.Open(t, "restaurants"), clock: clock.NewManual(noon)}
	e.service = NewService(e.db, outbox.New(e.db, "restaurants", e.clock), e.clock)
	srv := web.New(web.Config{Verifier: openTokens{}})
	e.service.Routes(srv.Echo)
	e.server = httptest.NewServer(srv)
	t.Cleanup(e.server.Close)
	return e
}

// openTokens reads tokens that say in clear who bears them: role:subject[:owned id].
type openTokens struct{}

func (openTokens) Verify(_ context.Context, token string) (identity.Principal, error) {
	parts := strings.Split(token, ":")
	if len(parts) < 2 {
		return identity.Principal{}, errors.New("no such token")
	}
	return identity.Principal{Subject: parts[1], Roles: []identity.Role{identity.Role(parts[0])}, OwnedIDs: parts[2:]}, nil
}

const (
	nobody = ""
	owner  = "restaurant:anna"
	rival  = "restaurant:berta"
	admin  = "admin:root"
	diner  = "consumer:0190b6a2-7c5e-7000-8000-000000000001"
	other  = "consumer:0190b6a2-7c5e-7000-8000-000000000002"
)

// reply is an answer with its JSON.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// do sends a request with a fresh idempotency key; headers are name, value, name, value.
func (e *edge) do(who, method, path, body string, headers ...string) reply {
	e.t.Helper()
	in, err := http.NewRequest(method, e.server.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		e.t.Fatal(err)
	}
	if who != nobody {
		in.Header.Set("Authorization", "Bearer "+who)
	}
	if body != "" {
		in.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		in.Header.Set("Idempotency-Key", ids.New())
	}
	for i := 0; i < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	out, err := e.server.Client().Do(in)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }()
	text, err := io.ReadAll(out.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	r := reply{status: out.StatusCode, header: out.Header, text: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &r.body); err != nil {
			e.t.Fatalf("%s %s: %s is no JSON object: %v", method, path, text, err)
		}
	}
	return r
}

// want fails the test unless the answer has the status, and the code if it is a problem.
func (r reply) want(t *testing.T, status int, code string) reply {
	t.Helper()
	got, _ := r.body["code"].(string)
	if r.status != status || got != code {
		t.Fatalf("%d %q, want %d %q: %s", r.status, got, status, code, r.text)
	}
	return r
}

// names tells whether the problem names a field.
func (r reply) names(field string) bool {
	violations, _ := r.body["violations"].([]any)
	for _, v := range violations {
		if v.(map[string]any)["field"] == field {
			return true
		}
	}
	return false
}

func (r reply) links() map[string]any { return r.body["_links"].(map[string]any) }

func (r reply) id() string { return r.body["id"].(string) }

const creation = `{"name":"Trattoria","cuisine":"Italian","position":{"latitude":48.2,"longitude":16.37},"time_zone":"Europe/Vienna","currency":"EUR"}`

const menuBody = `{"items":[
	{"id":"pizza","name":"Pizza","price":{"amount":900,"currency":"EUR"},"modifier_groups":[
		{"id":"size","name":"Size","min":1,"max":1,"options":[{"id":"small","name":"Small","price_delta":{"amount":0,"currency":"EUR"}},
			{"id":"large","name":"Large","price_delta":{"amount":300,"currency":"EUR"}}]}]},
	{"name":"Tiramisù","price":{"amount":550,"currency":"EUR"}}]}`

// open creates a restaurant of the owner's with the menu above, open round the clock, and returns its id.
func (e *edge) open() string {
	e.t.Helper()
	id := e.do(owner, "POST", "/v1/restaurants", creation).want(e.t, 201, "").id()
	e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", menuBody).want(e.t, 201, "")
	e.do(owner, "POST", "/v1/restaurants/"+id+"/opening", "").want(e.t, 200, "")
	return id
}

// etag is the version that the owner sees.
func (e *edge) etag(id string) string {
	e.t.Helper()
	return e.do(owner, "GET", "/v1/restaurants/"+id, "").want(e.t, 200, "").header.Get("ETag")
}

// put edits a restaurant at its present version.
func (e *edge) put(id, part, body string) reply {
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
