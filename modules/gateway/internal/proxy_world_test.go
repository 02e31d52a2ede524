package internal

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/clock"
	"kerf/platform/identity"
	"kerf/platform/rpc"
	"kerf/platform/web"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// split is a gateway, and a module that it reaches by HTTP.
type split struct {
	testing.TB
	url     string // of the gateway
	edge    *web.Server
	metrics *prometheus.Registry
	module  *moduleProcess
	issuer  *identity.Issuer
}

// moduleProcess is a module's REST mount on a port of its own.
type moduleProcess struct {
	*httptest.Server
	web  *web.Server
	hits atomic.Int64
}

func startModule(t testing.TB, keys *identity.Keys, routes func(*echo.Echo)) *moduleProcess {
	m := &moduleProcess{web: web.New(web.Config{Verifier: identity.NewVerifier(keys, identity.TokenConfig{})})}
	routes(m.web.Echo)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.hits.Add(1)
		m.web.ServeHTTP(w, r)
	}))
	t.Cleanup(m.stop)
	return m
}

// stop is what a process does that is stopped in order: streams end, and then the rest.
func (m *moduleProcess) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = m.web.Drain(ctx)
	m.CloseClientConnections()
	m.Close()
}

func (m *moduleProcess) address() string { return m.Listener.Addr().String() }

// newSplit has the module serve routes under the prefixes. Answers that are no streams have a second.
func newSplit(t *testing.T, prefixes []string, routes func(*echo.Echo)) *split {
	t.Helper()
	keys, err := identity.OpenKeys(t.TempDir(), identity.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := &split{TB: t, metrics: prometheus.NewRegistry(), issuer: identity.NewIssuer(keys, identity.TokenConfig{})}
	s.module = startModule(t, keys, routes)
	s.edge = web.New(web.Config{Verifier: identity.NewVerifier(keys, identity.TokenConfig{}), Registry: s.metrics, Timeout: time.Second})
	o := whole()
	New(Config{
		Orders: o, Kitchen: o, Delivery: o, Accounting: o, Keys: keys, Issuer: s.issuer, PartTimeout: 50 * time.Millisecond,
		Clock:   clock.NewManual(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)).Clock,
		Remotes: []Remote{{Prefixes: prefixes, Transport: transport(t, s.module.address())}},
	}).Routes(s.edge.Echo)
	server := httptest.NewUnstartedServer(s.edge)
	server.Config = s.edge.HTTP()
	server.Start()
	s.url = server.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.edge.Drain(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return s
}

// transport reaches replicas as in a process that calls them by HTTP.
func transport(t testing.TB, addresses ...string) http.RoundTripper {
	t.Helper()
	client, err := rpc.NewClient(rpc.ClientConfig{Module: "kitchen", Addresses: addresses, Protocol: rpc.Connect, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client.Transport()
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
	err  error // of reading the body
}

func (r reply) problem(t testing.TB) web.Problem {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%d is answered as %s: %s", r.StatusCode, got, r.body)
	}
	return decodeText[web.Problem](t, r.body)
}

// token returns the header of somebody known.
func (s *split) token() string {
	s.Helper()
	token, err := s.issuer.Issue(identity.TokenRequest{Roles: []identity.Role{identity.RoleConsumer}})
	if err != nil {
		s.Fatal(err)
	}
	return "Bearer " + token.Token
}

// request makes a request of somebody known.
func (s *split) request(ctx context.Context, method, target string, body io.Reader) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url+target, body)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", s.token())
	return r
}

func (s *split) send(r *http.Request) reply {
	s.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res, string(body), err}
}

func (s *split) do(method, target string, body io.Reader) reply {
	s.Helper()
	return s.send(s.request(s.Context(), method, target, body))
}

// raw sends text over a connection of its own, and returns a reader of what comes back.
func (s *split) raw(text string) *bufio.Reader {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		s.Fatal(err)
	}
	return bufio.NewReader(conn)
}

func await(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain until %s", what)
	}
}

func newServer(t testing.TB, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func decodeText[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
