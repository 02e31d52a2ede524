package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

func TestWhateverGoesWrongIsAProblem(t *testing.T) {
	e := newEdge(t, web.Config{Timeout: 50 * time.Millisecond, BodyLimit: 100}, func(e *echo.Echo) {
		failing := func(path string, err error) {
			e.GET(path, func(echo.Context) error { return err })
		}
		failing("/plain", errors.New("secret text"))
		failing("/internal", fault.New(fault.KindInternal, "internal", "secret text"))
		failing("/wrapped", fmt.Errorf("ask the kitchen: %w", fault.Refused("kitchen_closed", "the kitchen is closed")))
		failing("/exhausted", fault.Exhausted(1500*time.Millisecond, "too_many", "slow down"))
		failing("/unavailable", fault.Unavailable(time.Second, "down", "down"))
		failing("/teapot", echo.NewHTTPError(http.StatusTeapot, "secret text"))
		e.GET("/panic", func(echo.Context) error { panic("secret text") })
		e.GET("/unwritable", func(c echo.Context) error { return c.JSON(http.StatusOK, make(chan int)) })
		e.GET("/slow", func(c echo.Context) error {
			<-c.Request().Context().Done()
			return c.Request().Context().Err()
		})
		e.POST("/things", func(c echo.Context) error {
			var thing struct{ Name string }
			return web.Bind(c, &thing)
		})
	})
	long := `{"Name":"` + strings.Repeat("x", 200) + `"}`
	for _, row := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/nowhere", "", 404, "not_found"},
		{"DELETE", "/things", "", 405, "method_not_allowed"},
		{"GET", "/plain", "", 500, "internal"},
		{"GET", "/internal", "", 500, "internal"},
		{"GET", "/panic", "", 500, "internal"},
		{"GET", "/unwritable", "", 500, "internal"},
		{"GET", "/wrapped", "", 422, "kitchen_closed"},
		{"GET", "/exhausted", "", 429, "too_many"},
		{"GET", "/unavailable", "", 503, "down"},
		{"GET", "/teapot", "", 418, "im_a_teapot"},
		{"GET", "/slow", "", 504, "deadline"},
		{"POST", "/things", long, 413, "body_too_large"},
	} {
		r := e.do(row.method, row.path, row.body)
		if p := r.problem(t); r.status != row.status || p.Code != row.code || p.Instance != row.path {
			t.Errorf("%s %s = %d %+v, want %d %s", row.method, row.path, r.status, p, row.status, row.code)
		}
		if strings.Contains(r.body, "secret") || strings.Contains(r.body, ".go:") {
			t.Errorf("%s leaks: %s", row.path, r.body)
		}
		for _, name := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "X-Frame-Options"} {
			if r.header.Get(name) == "" {
				t.Errorf("%s has no %s", row.path, name)
			}
		}
		if got := r.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q", row.path, got)
		}
	}
	if got := e.do("GET", "/exhausted", "").header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After of 1.5 s = %q, want it rounded up", got)
	}
	if got := e.do("DELETE", "/things", "").header.Get("Allow"); !strings.Contains(got, "POST") {
		t.Errorf("Allow = %q", got)
	}
	// Without a length, the limit is found while reading.
	chunked, err := e.send("POST", "/things", io.MultiReader(strings.NewReader(long)))
	if err != nil || chunked.status != 413 || chunked.problem(t).Code != "body_too_large" {
		t.Errorf("a long body without a length: %d %s, %v", chunked.status, chunked.body, err)
	}
}

func TestABrokenAnswerBreaksTheConnection(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/half", func(c echo.Context) error {
			_, _ = c.Response().Write([]byte("half"))
			c.Response().Flush()
			panic(http.ErrAbortHandler)
		})
	})
	if r, err := e.try("GET", "/half", ""); err == nil {
		t.Errorf("a client cannot tell that this is half an answer: %d %q", r.status, r.body)
	}
}

func TestARequestHasAnIDThatEverythingCarries(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/cause", func(c echo.Context) error {
			correlation, causation := bus.CauseOf(c.Request().Context())
			if correlation != web.RequestID(c) || causation != "" {
				t.Errorf("cause = %q, %q; request id %q", correlation, causation, web.RequestID(c))
			}
			return c.String(http.StatusOK, bus.TraceParentOf(c.Request().Context()))
		})
	})
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r := e.do("GET", "/cause", "", "X-Request-Id", "client-1.a_B", "Traceparent", trace)
	if got := r.header.Get("X-Request-Id"); got != "client-1.a_B" || r.body != trace {
		t.Errorf("id = %q, trace = %q", got, r.body)
	}
	for _, bad := range []string{"", "two words", "semi;colon", strings.Repeat("x", 65), "ä"} {
		r := e.do("GET", "/cause", "", "X-Request-Id", bad, "Traceparent", "nonsense")
		if got := r.header.Get("X-Request-Id"); len(got) != 36 || r.body != "" {
			t.Errorf("%q was taken as %q, trace %q", bad, got, r.body)
		}
	}
}

func TestHeadAndOptionsComeWithEachRoute(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/things/:id", func(c echo.Context) error { return web.Versioned(c, 3, map[string]string{"id": c.Param("id")}) })
	})
	get, head := e.do("GET", "/things/7", ""), e.do("HEAD", "/things/7", "")
	if head.status != 200 || head.body != "" || head.header.Get("Etag") != `"3"` ||
		head.header.Get("Content-Length") != get.header.Get("Content-Length") {
		t.Errorf("HEAD = %d %v, GET had %v", head.status, head.header, get.header)
	}
	if r := e.do("HEAD", "/nowhere", ""); r.status != 404 {
		t.Errorf("HEAD of nothing = %d", r.status)
	}
	if r := e.do("OPTIONS", "/things/7", ""); r.status != 204 || !strings.Contains(r.header.Get("Allow"), "GET") {
		t.Errorf("OPTIONS = %d, Allow %q", r.status, r.header.Get("Allow"))
	}
}

func TestTheCallerIsWhoeverBearsTheToken(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/open", func(c echo.Context) error {
			p, _ := identity.From(c.Request().Context())
			return c.String(http.StatusOK, p.Subject)
		})
		e.GET("/anybody", func(c echo.Context) error { _, err := web.Require(c); return err })
		e.GET("/admins", func(c echo.Context) error {
			_, err := web.Require(c, identity.RoleSupport, identity.RoleAdmin)
			return err
		})
	})
	for _, row := range []struct {
		path, authorization string
		status              int
		code, challenge     string
	}{
		{"/open", "", 200, "", ""},
		{"/open", "Bearer ann", 200, "", ""},
		{"/open", "bearer ann", 200, "", ""},
		{"/open", "Bearer bad", 401, "invalid_token", `Bearer realm="kerf", error="invalid_token"`},
		{"/open", "Bearer ", 401, "invalid_token", `Bearer realm="kerf", error="invalid_token"`},
		{"/open", "Basic YTpi", 401, "invalid_token", `Bearer realm="kerf", error="invalid_token"`},
		{"/anybody", "", 401, "unauthenticated", `Bearer realm="kerf"`},
		{"/anybody", "Bearer ann", 200, "", ""},
		{"/admins", "Bearer ann", 403, "forbidden", ""},
	} {
		var headers []string
		if row.authorization != "" {
			headers = []string{"Authorization", row.authorization}
		}
		r := e.do("GET", row.path, "", headers...)
		if r.status != row.status || r.header.Get("Www-Authenticate") != row.challenge {
			t.Errorf("%s as %q = %d, challenge %q", row.path, row.authorization, r.status, r.header.Get("Www-Authenticate"))
		}
		if row.code != "" && r.problem(t).Code != row.code {
			t.Errorf("%s as %q = %s", row.path, row.authorization, r.body)
		}
	}
	if r := e.do("GET", "/open", "", "Authorization", "Bearer ann"); r.body != "ann" {
		t.Errorf("the caller is %q", r.body)
	}
}

func TestLoopbackRoutesAnswerNobodyElse(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/local", func(c echo.Context) error { return web.RequireLoopback(c) })
	})
	if r := e.do("GET", "/local", ""); r.status != 200 {
		t.Errorf("from this machine: %d", r.status)
	}
	if r := e.do("GET", "/local", "", "X-Forwarded-For", "10.0.0.1"); r.status != 403 {
		t.Errorf("through a proxy: %d", r.status)
	}
	for _, row := range []struct {
		peer, host string
		status     int
	}{
		{"127.0.0.1:5", "localhost:8080", 200}, {"[::1]:5", "[::1]:8080", 200}, {"127.0.0.1:5", "127.0.0.1", 200},
		{"10.0.0.1:5", "localhost:8080", 403}, {"127.0.0.1:5", "evil.example:8080", 403}, {"", "localhost", 403},
	} {
		if got := direct(e.web, row.peer, row.host, "/local"); got != row.status {
			t.Errorf("from %q to %q: %d, want %d", row.peer, row.host, got, row.status)
		}
	}
}

func TestARequestIsOneLineWithoutPersonalData(t *testing.T) {
	var out lines
	e := newEdge(t, web.Config{Log: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}, func(e *echo.Echo) {
		e.GET("/orders/:id", func(c echo.Context) error { return c.String(http.StatusOK, "four") })
		e.GET("/broken", func(echo.Context) error { return fault.Internal(errors.New("disk on fire"), "disk") })
		e.GET("/refused", func(echo.Context) error { return fault.Refused("no", "no") })
	})
	for _, row := range []struct {
		path string
		want map[string]any
	}{
		{"/orders/ann-7?name=ann", map[string]any{"level": "DEBUG", "route": "/orders/:id", "status": 200.0, "bytes": 4.0, "method": "GET", "code": nil}},
		{"/broken?ann", map[string]any{"level": "ERROR", "route": "/broken", "status": 500.0, "code": "disk", "error": "internal (disk): internal error: disk on fire"}},
		{"/refused?ann", map[string]any{"level": "DEBUG", "route": "/refused", "status": 422.0, "code": "no", "error": nil}},
		{"/ann", map[string]any{"level": "DEBUG", "route": "unmatched", "status": 404.0, "code": "not_found"}},
	} {
		before := len(out.all())
		e.do("GET", row.path, "", "Authorization", "Bearer ann", "X-Request-Id", "r-1")
		if before == 1 && row.path == "/orders/ann-7?name=ann" {
			before = 0 // nothing yet is one empty line
		}
		await(t, "a line for "+row.path, func() bool { return len(out.all()) > before && out.all()[0] != "" })
		line := out.all()[before]
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for key, want := range row.want {
			if got[key] != want {
				t.Errorf("%s: %s = %v, want %v", row.path, key, got[key], want)
			}
		}
		if strings.Contains(line, "ann") || got["request_id"] != "r-1" || got["duration_ms"] == nil {
			t.Errorf("line = %s", line)
		}
	}
	if got := len(out.all()); got != 4 {
		t.Errorf("%d lines for 4 requests", got)
	}
}

func TestAClientThatLeavesIsNoFailureOfOurs(t *testing.T) {
	var out lines
	entered := make(chan struct{})
	e := newEdge(t, web.Config{Log: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}, func(e *echo.Echo) {
		e.GET("/slow", func(c echo.Context) error {
			close(entered)
			<-c.Request().Context().Done()
			return fmt.Errorf("ask the kitchen: %w", c.Request().Context().Err())
		})
	})
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", e.url+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-entered
		leave()
	}()
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_ = answer.Body.Close()
		t.Fatal("a client that left has an answer")
	}
	await(t, "a line", func() bool { return out.all()[0] != "" })
	if line := out.all()[0]; !strings.Contains(line, `"level":"DEBUG"`) || !strings.Contains(line, `"status":499`) {
		t.Errorf("line = %s", line)
	}
}

func TestRequestsAreCountedByRoutePattern(t *testing.T) {
	registry := prometheus.NewRegistry()
	routes := func(e *echo.Echo) {
		e.GET("/orders/:id", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	}
	first, second := newEdge(t, web.Config{Registry: registry}, routes), newEdge(t, web.Config{Registry: registry}, routes)
	for i, e := range []*edge{first, second, first} {
		e.do("GET", fmt.Sprintf("/orders/%d", i), "")
	}
	first.do("BREW", "/nowhere", "")
	await(t, "four requests in two series", func() bool {
		return testutil.CollectAndCount(registry, "kerf_http_request_duration_seconds") == 2
	})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetHistogram() != nil {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetValue())
				}
				counts[strings.Join(labels, " ")] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	if counts["GET /orders/:id 200"] != 3 || counts["other unmatched 404"] != 1 {
		t.Errorf("counts = %v", counts)
	}
}

func TestASampledRequestHasASpanUnderItsCallers(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans), trace.WithSampler(trace.ParentBased(trace.NeverSample())))
	e := newEdge(t, web.Config{Tracer: provider.Tracer("test")}, func(e *echo.Echo) {
		e.GET("/orders/:id", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	})
	e.do("GET", "/orders/1", "", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	e.do("GET", "/orders/2", "")
	e.do("GET", "/orders/3", "", "Traceparent", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	await(t, "a span", func() bool { return len(spans.Ended()) > 0 })
	if err := provider.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "GET /orders/:id" || ended[0].Parent().TraceID().String() != "1af7651916cd43dd8448eb211c80319c" {
		t.Errorf("spans = %v", ended)
	}
}

// A path may hold what no text of a database can: then it names nothing.
func TestAPathThatIsNoTextIsNotFound(t *testing.T) {
	e := newEdge(t, web.Config{}, func(r *echo.Echo) {
		r.GET("/things/:id", func(c echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })
	})
	for path, want := range map[string]int{"/things/a%20b": 200, "/things/%C3%A9": 200, "/things/%00": 404, "/things/a%FFb": 404} {
		if got := e.do("GET", path, ""); got.status != want {
			t.Errorf("GET %s: %d %s, want %d", path, got.status, got.body, want)
		}
	}
}
