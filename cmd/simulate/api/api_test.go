package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// flaky is a server that answers one request after another as a list says, and remembers what it was asked.
type flaky struct {
	*httptest.Server
	mu     sync.Mutex
	script []http.HandlerFunc
	seen   []*http.Request
	bodies []string
}

func newFlaky(t *testing.T, script ...http.HandlerFunc) *flaky {
	t.Helper()
	f := &flaky{script: script}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/tokens" {
			status(http.StatusCreated, `{"token":"fresh","expires_at":"2999-01-01T00:00:00Z"}`)(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen, f.bodies = append(f.seen, r), append(f.bodies, string(body))
		if len(f.script) == 0 {
			f.mu.Unlock()
			t.Errorf("%s %s was not expected", r.Method, r.URL)
			return
		}
		next := f.script[0]
		f.script = f.script[1:]
		f.mu.Unlock()
		next(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *flaky) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// hangUp breaks the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func problem(code int, reason string) http.HandlerFunc {
	return status(code, fmt.Sprintf(`{"title":"no","status":%d,"code":%q,"violations":[{"field":"a.b","description":"is odd"}]}`, code, reason))
}

func client(t *testing.T, f *flaky, patience time.Duration) *Client {
	t.Helper()
	c, err := New(Config{Target: f.URL, Patience: patience, Backoff: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var someone = Identity{Roles: []string{"consumer"}}

func TestWhatIsOpenIsRepeatedUnderTheSameKey(t *testing.T) {
	f := newFlaky(t, hangUp, problem(503, "draining"), problem(409, "in_flight"), problem(429, "too_many"), problem(500, "internal"),
		status(201, `{"id":"x"}`))
	c := client(t, f, time.Minute)
	var made Created
	if err := c.As(someone).Post(t.Context(), "/v1/orders", map[string]any{"quote_id": "q"}, &made); err != nil {
		t.Fatal(err)
	}
	if made.ID != "x" {
		t.Errorf("decoded %+v", made)
	}
	seen := f.requests()
	// The transport itself repeats a request with a key when a connection that it had kept breaks.
	if n := c.Retries(); len(seen) != 6 || n < 4 || n > 5 {
		t.Errorf("%d attempts, %d of them counted as repeated", len(seen), n)
	}
	for i, r := range seen {
		if key := r.Header.Get("Idempotency-Key"); key == "" || key != seen[0].Header.Get("Idempotency-Key") {
			t.Errorf("attempt %d has the key %q", i, key)
		}
		if f.bodies[i] != `{"quote_id":"q"}` {
			t.Errorf("attempt %d has the body %s", i, f.bodies[i])
		}
	}
}

func TestARefusalIsAnOutcome(t *testing.T) {
	for _, code := range []int{400, 403, 404, 412, 422} {
		f := newFlaky(t, problem(code, "because"))
		err := client(t, f, time.Minute).As(someone).Post(t.Context(), "/v1/orders", nil, nil)
		p, refused := Refused(err)
		if !refused || p.Status != code || p.Code != "because" || len(p.Violations) != 1 {
			t.Errorf("%d became %v", code, err)
		}
		if Absent(err) != (code == 404) {
			t.Errorf("%d: absent is %v", code, Absent(err))
		}
	}
}

func TestTwoCommandsHaveTwoKeys(t *testing.T) {
	f := newFlaky(t, status(200, `{}`), status(200, `{}`))
	caller := client(t, f, time.Minute).As(someone)
	for range 2 {
		if err := caller.Post(t.Context(), "/v1/x", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if seen := f.requests(); seen[0].Header.Get("Idempotency-Key") == seen[1].Header.Get("Idempotency-Key") {
		t.Error("the second command would have been answered as the first")
	}
}

func TestPatienceEnds(t *testing.T) {
	f := newFlaky(t)
	f.Close() // nobody listens
	err := client(t, f, 20*time.Millisecond).As(Identity{}).Get(t.Context(), "/v1/clock", nil)
	if _, refused := Refused(err); err == nil || refused {
		t.Errorf("got %v", err)
	}
}

func TestAnAttemptHasADeadline(t *testing.T) {
	released := make(chan struct{})
	f := newFlaky(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}, status(200, `{}`))
	defer close(released)
	c, err := New(Config{Target: f.URL, Attempt: 20 * time.Millisecond, Backoff: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.As(Identity{}).Get(t.Context(), "/v1/clock", nil); err != nil {
		t.Errorf("the second attempt was not made: %v", err)
	}
}

func TestTheCallersContextEndsACall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFlaky(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		problem(503, "draining")(w, r)
	})
	err := client(t, f, time.Hour).As(Identity{}).Get(ctx, "/v1/clock", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestATokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	f := newFlaky(t, problem(401, "expired"), status(200, `{"id":"x"}`), problem(401, "gone"), problem(401, "gone"))
	caller := client(t, f, time.Minute).As(someone)
	caller.token, caller.renewAt = "stale", time.Now().Add(time.Hour)
	if err := caller.Get(t.Context(), "/v1/a", nil); err != nil {
		t.Fatal(err)
	}
	seen := f.requests()
	if got := []string{seen[0].Header.Get("Authorization"), seen[1].Header.Get("Authorization")}; !slices.Equal(got, []string{"Bearer stale", "Bearer fresh"}) {
		t.Errorf("sent %v", got)
	}
	if p, refused := Refused(caller.Get(t.Context(), "/v1/b", nil)); !refused || p.Status != 401 {
		t.Error("a new token that is refused too is an outcome")
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	f := newFlaky(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		problem(503, "closed")(w, r)
	})
	err := client(t, f, time.Minute).As(Identity{}).Get(t.Context(), "/v1/clock", nil)
	if err == nil || len(f.requests()) != 1 {
		t.Errorf("asked %d times, then %v; the server said not before an hour, and patience ends in a minute", len(f.requests()), err)
	}
}

func TestPagesAreFollowed(t *testing.T) {
	f := newFlaky(t, status(200, `{"items":[{"id":"a"},{"id":"b"}],"_links":{"next":{"href":"/v1/orders?cursor=2"}}}`),
		status(200, `{"items":[{"id":"c"}],"_links":{}}`))
	var got []string
	for item, err := range All[Created](t.Context(), client(t, f, time.Minute).As(someone), "/v1/orders") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item.ID)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %v", got)
	}
}

func TestAStreamIsTakenUpWhereItBroke(t *testing.T) {
	send := func(text string, broken bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, ": hello\n\n"+text)
			_ = http.NewResponseController(w).Flush()
			if broken {
				panic(http.ErrAbortHandler)
			}
		}
	}
	f := newFlaky(t,
		send("event: view\ndata: {\"n\":1}\n\nid: 7\nevent: view\ndata: {\"n\":2}\n\nid: 8\nevent: view\ndata: {\"n\"", true),
		problem(503, "draining"),
		send("id: 8\nevent: view\ndata: {\"n\":3}\n\n", false),
		send("event: end\ndata: {}\n\n", false))
	var got []int
	connections := 0
	err := client(t, f, time.Minute).As(someone).Follow(t.Context(), "/v1/tracking/events", func() { connections++ }, func(e Event) {
		var data struct{ N int }
		if json.Unmarshal(e.Data, &data) != nil {
			t.Errorf("half an event was handed over: %s", e.Data)
		}
		if e.Name == "view" {
			got = append(got, data.N)
		}
	})
	if err != nil || !slices.Equal(got, []int{1, 2, 3}) || connections != 3 {
		t.Errorf("heard %v over %d connections, then %v", got, connections, err)
	}
	var last []string
	for _, r := range f.requests() {
		last = append(last, r.Header.Get("Last-Event-ID"))
	}
	if !slices.Equal(last, []string{"", "7", "7", "8"}) {
		t.Errorf("came back after %v", last)
	}
}

func TestAStreamThatIsRefusedIsAnOutcome(t *testing.T) {
	f := newFlaky(t, problem(403, "forbidden"))
	err := client(t, f, time.Minute).As(someone).Follow(t.Context(), "/v1/tracking/events", nil, func(Event) {})
	if p, refused := Refused(err); !refused || p.Status != 403 {
		t.Errorf("got %v", err)
	}
}

func TestATargetMustBeAnAddress(t *testing.T) {
	for _, target := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://a b"} {
		if _, err := New(Config{Target: target}); err == nil {
			t.Errorf("%q was taken", target)
		}
	}
}
