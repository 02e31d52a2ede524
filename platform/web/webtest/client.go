package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"kerf/platform/identity"
	"kerf/platform/ids"
)

// Tokens makes the token role+subject+owned+owned the bearer that it spells.
type Tokens struct{}

// Verify returns the bearer, or an error for a token without a subject.
func (Tokens) Verify(_ context.Context, token string) (identity.Principal, error) {
	part := strings.Split(token, "+")
	if len(part) < 2 {
		return identity.Principal{}, fmt.Errorf("no such token: %q", token)
	}
	return identity.Principal{Subject: part[1], Roles: []identity.Role{identity.Role(part[0])}, OwnedIDs: part[2:]}, nil
}

// Client sends requests to a handler, without a network.
type Client struct {
	TB      testing.TB
	Handler http.Handler
}

// Do sends a request; headers are name, value, name, value. No token is sent if it is empty.
func (c Client) Do(token, method, path, body string, headers ...string) *Answer {
	c.TB.Helper()
	in := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		in.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		in.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	out := httptest.NewRecorder()
	c.Handler.ServeHTTP(out, in)
	a := &Answer{tb: c.TB, Status: out.Code, Header: out.Header(), Raw: out.Body.String()}
	if a.Raw != "" {
		if err := json.Unmarshal([]byte(a.Raw), &a.Body); err != nil {
			c.TB.Fatalf("%s %s answered %q: %v", method, path, a.Raw, err)
		}
	}
	return a
}

// Get reads.
func (c Client) Get(token, path string, headers ...string) *Answer {
	c.TB.Helper()
	return c.Do(token, http.MethodGet, path, "", headers...)
}

// Post sends a command under a new key, unless headers name one.
func (c Client) Post(token, path, body string, headers ...string) *Answer {
	c.TB.Helper()
	return c.Do(token, http.MethodPost, path, body, append([]string{"Idempotency-Key", ids.New()}, headers...)...)
}

// Answer is what the public API answered.
type Answer struct {
	tb     testing.TB
	Status int
	Header http.Header
	Raw    string
	Body   map[string]any // nil for an empty answer
}

// Want ends the test unless the answer has this status.
func (a *Answer) Want(status int) *Answer {
	a.tb.Helper()
	if a.Status != status {
		a.tb.Fatalf("answered %d %s, want %d", a.Status, a.Raw, status)
	}
	return a
}

// Problem checks a refusal, and that it is one of the platform's problems.
func (a *Answer) Problem(status int, code string) *Answer {
	a.tb.Helper()
	a.Want(status)
	if a.Body["code"] != code || a.Header.Get("Content-Type") != "application/problem+json" {
		a.tb.Errorf("answered %s as %s, want the code %s", a.Raw, a.Header.Get("Content-Type"), code)
	}
	return a
}

// Violation checks that the request was refused as invalid, with the field named.
func (a *Answer) Violation(field string) {
	a.tb.Helper()
	if a.Problem(http.StatusBadRequest, "invalid"); !a.Names(field) {
		a.tb.Errorf("answered %s, want a violation of %q", a.Raw, field)
	}
}

// Names tells whether a refusal names a field.
func (a *Answer) Names(field string) bool {
	list, _ := a.Body["violations"].([]any)
	return slices.ContainsFunc(list, func(v any) bool { return v.(map[string]any)["field"] == field })
}

// ID is the id of what was made or found; empty if the answer has none.
func (a *Answer) ID() string {
	id, _ := a.Body["id"].(string)
	return id
}

// Links are those of the document, nil if it has none.
func (a *Answer) Links() map[string]any {
	links, _ := a.Body["_links"].(map[string]any)
	return links
}

// Items are those of a list, nil if it has none.
func (a *Answer) Items() []map[string]any {
	list, _ := a.Body["items"].([]any)
	var items []map[string]any
	for _, item := range list {
		items = append(items, item.(map[string]any))
	}
	return items
}
