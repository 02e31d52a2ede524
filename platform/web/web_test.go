package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// callers takes a subject as its own token, and "bad" as a token that is not good.
type callers struct{}

func (callers) Verify(_ context.Context, token string) (identity.Principal, error) {
	if token == "bad" {
		return identity.Principal{}, fault.Unauthenticated("no")
	}
	return identity.Principal{Subject: token, Roles: []identity.Role{identity.RoleConsumer}}, nil
}

// edge is a server under test, reached over real connections.
type edge struct {
	t   testing.TB
	web *web.Server
	url string
}

func newEdge(t testing.TB, config web.Config, routes func(e *echo.Echo)) *edge {
	t.Helper()
	if config.Verifier == nil {
		config.Verifier = callers{}
	}
	s := web.New(config)
	routes(s.Echo)
	server := httptest.NewUnstartedServer(nil)
	server.Config = s.HTTP()
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { _ = s.Drain(context.Background()) })
	return &edge{t, s, server.URL}
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) problem(t testing.TB) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("not a problem: %d %q", r.status, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type of a problem = %q", got)
	}
	if p.Status != r.status || p.Type != "urn:kerf:problem:"+p.Code || p.Title == "" || p.RequestID != r.header.Get("X-Request-Id") {
		t.Errorf("problem %+v does not fit its answer, %d, %v", p, r.status, r.header)
	}
	return p
}

// do sends a request; headers are name, value, name, value.
func (e *edge) do(method, path, body string, headers ...string) reply {
	e.t.Helper()
	r, err := e.try(method, path, body, headers...)
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

func (e *edge) try(method, path, body string, headers ...string) (reply, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	return e.send(method, path, content, headers...)
}

func (e *edge) send(method, path string, body io.Reader, headers ...string) (reply, error) {
	request, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, body)
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, string(content)}, err
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.buf.String()), "\n")
}

// await returns when condition holds, and fails the test if it does not within some seconds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
}
