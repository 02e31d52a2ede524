package internal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	e := &edge{t: t, db: databasetest.Open(t, "consumers"), clock: clock.NewManual(noon)}
	e.service = NewService(e.db, outbox.New(e.db, "consumers", e.clock), e.clock)
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
	anna   = "0190b6a2-7c5e-7000-8000-000000000001"
	berta  = "0190b6a2-7c5e-7000-8000-000000000002"
	nobody = ""
	owner  = "consumer:" + anna
	rival  = "consumer:" + berta
	agent  = "support:sam"
	admin  = "admin:root"
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
	e.do(owner, "POST", "/v1/consumers", registration).want(t, 201, "")
	return e
}

// address adds an address of anna's and returns its path.
func (e *edge) address() string {
	e.t.Helper()
	return e.do(owner, "POST", self+"/addresses", addressBody).want(e.t, 201, "").header.Get("Location")
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
