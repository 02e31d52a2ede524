package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"kerf/platform/ids"
)

// obj is a JSON object that a test sends.
type obj map[string]any

// raw is a body that is sent as it is.
type raw string

// caller is somebody who talks to a server, and checks what it answers against its description.
type caller struct {
	t        testing.TB
	url      string
	http     *http.Client
	contract *contract
	token    string
	// subject is who the token speaks for.
	subject string
}

// with changes a request before it is sent.
type with func(*http.Request)

// key sets the idempotency key; a request has one of its own otherwise.
func key(k string) with { return header("Idempotency-Key", k) }

// ifMatch states the version that was seen.
func ifMatch(etag string) with { return header("If-Match", etag) }

func header(name, value string) with { return func(r *http.Request) { r.Header.Set(name, value) } }

func without(name string) with { return func(r *http.Request) { r.Header.Del(name) } }

func (c *caller) get(path string, more ...with) *answer { return c.send("GET", path, nil, more...) }

func (c *caller) post(path string, body any, more ...with) *answer {
	return c.send("POST", path, body, more...)
}

func (c *caller) put(path string, body any, more ...with) *answer {
	return c.send("PUT", path, body, more...)
}

// send asks once, and fails the test if nobody answers.
func (c *caller) send(method, path string, body any, more ...with) *answer {
	c.t.Helper()
	a, err := c.try(method, path, body, more...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try asks once.
func (c *caller) try(method, path string, body any, more ...with) (*answer, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var sent []byte
	switch b := body.(type) {
	case nil:
	case raw:
		sent = []byte(b)
	default:
		var err error
		if sent, err = json.Marshal(b); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet && method != http.MethodHead {
		req.Header.Set("Idempotency-Key", ids.New())
	}
	for _, change := range more {
		change(req)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if c.contract != nil {
		c.contract.check(c.t, req, sent, res, got)
	}
	return &answer{t: c.t, asked: method + " " + path, sent: sent, status: res.StatusCode, header: res.Header, body: got}, nil
}

// answer is what a server answered.
type answer struct {
	t      testing.TB
	asked  string
	sent   []byte
	status int
	header http.Header
	body   []byte
}

func (a *answer) etag() string { return a.header.Get("ETag") }

// ok asserts that the request succeeded with a status, and reads the body into v, unless that is nil.
func (a *answer) ok(status int, v any) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s was answered with %d, want %d: %s\nsent %s", a.asked, a.status, status, a.body, a.sent)
	}
	if v != nil {
		if err := json.Unmarshal(a.body, v); err != nil {
			a.t.Fatalf("%s: %v", a.asked, err)
		}
	}
	return a
}

// problem is what a failure looks like (RFC 9457).
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	Violations                []struct{ Field, Description string }
}

// refused asserts that the request failed with a status and a code.
func (a *answer) refused(status int, code string) *answer {
	a.t.Helper()
	p := a.problem()
	if a.status != status || p.Code != code {
		a.t.Fatalf("%s was answered with %d %s, want %d %s: %s\nsent %s", a.asked, a.status, p.Code, status, code, a.body, clip(a.sent))
	}
	return a
}

func (a *answer) problem() problem {
	a.t.Helper()
	var p problem
	if media := a.header.Get("Content-Type"); media != "application/problem+json" {
		a.t.Fatalf("%s was answered with %d and %q, no problem: %s", a.asked, a.status, media, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		a.t.Fatalf("%s: %v", a.asked, err)
	}
	if p.Status != a.status {
		a.t.Fatalf("%s was answered with %d, but its problem says %d", a.asked, a.status, p.Status)
	}
	return p
}

// naming asserts that the problem names a field, or the member of it or the object around it that is at fault.
func (a *answer) naming(field string) {
	a.t.Helper()
	var named []string
	for _, v := range a.problem().Violations {
		if within(v.Field, field) || within(field, v.Field) {
			return
		}
		named = append(named, v.Field)
	}
	a.t.Errorf("%s names %q, want %q: %s\nsent %s", a.asked, strings.Join(named, ", "), field, a.body, clip(a.sent))
}

// within tells whether a field is another, or lies in it.
func within(field, outer string) bool {
	rest, ok := strings.CutPrefix(field, outer)
	return ok && outer != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func clip(b []byte) []byte { return b[:min(len(b), 500)] }

// patience is how long a test waits for something that has to happen, on a slow machine.
const patience = 30 * time.Second

// eventually waits until a condition holds, and fails with what it said last.
func eventually(t testing.TB, what string, holds func() (bool, string)) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	pause := 5 * time.Millisecond
	for {
		ok, said := holds()
		if ok {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v; %s", what, patience, said)
		case <-time.After(pause):
			pause = min(pause*3/2, 150*time.Millisecond)
		}
	}
}
