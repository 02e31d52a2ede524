package internal

import (
	"context"
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
	e := &edge{t: t, db: databasetest.Open(t, "consumers"), clock: clock.NewManual(noon)}
	e.service = NewService(e.db, outbox.New(e.db, "consumers", e.clock), e.clock)
	server := web.New(web.Config{Verifier: webtest.Tokens{}})
	e.service.Routes(server.Echo)
	e.client = webtest.Client{TB: t, Handler: server}
	return e
}

const (
	anna   = "0190b6a2-7c5e-7000-8000-000000000001"
	berta  = "0190b6a2-7c5e-7000-8000-000000000002"
	nobody = ""
	owner  = "consumer+" + anna
	rival  = "consumer+" + berta
	agent  = "support+sam"
	admin  = "admin+root"
)

// do sends a request with a fresh idempotency key if it changes something; headers are name, value, name, value.
func (e *edge) do(who, method, path, body string, headers ...string) *webtest.Answer {
	e.t.Helper()
	if method != http.MethodGet {
		headers = append([]string{"Idempotency-Key", ids.New()}, headers...)
	}
	return e.client.Do(who, method, path, body, headers...)
}

const (
	registration = `{"name":"Anna Muster","email":"anna@example.org","locale":"de-AT","phone":"+4312345678"}`
	addressBody  = `{"label":"Home","street":"Ring 1","city":"Wien","postal_code":"1010","country":"AT","position":{"latitude":48.2,"longitude":16.37}}`
	self         = "/v1/consumers/" + anna
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// newConsumer is an edge at which anna has registered.
func newConsumer(t *testing.T) *edge {
	t.Helper()
	e := newEdge(t)
	e.do(owner, "POST", "/v1/consumers", registration).Want(201)
	return e
}

// address adds an address of anna's and returns its path.
func (e *edge) address() string {
	e.t.Helper()
	return e.do(owner, "POST", self+"/addresses", addressBody).Want(201).Header.Get("Location")
}

// events lists the types of anna's events in order.
func (e *edge) events() []string {
	e.t.Helper()
	rows, err := e.db.Query(context.Background(), `SELECT type FROM outbox WHERE subject = ? AND key = subject ORDER BY sequence`, anna)
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
		types = append(types, strings.TrimPrefix(name, "kerf.consumers."))
	}
	if err := rows.Err(); err != nil {
		e.t.Fatal(err)
	}
	return types
}
