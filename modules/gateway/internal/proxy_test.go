package internal

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"kerf/platform/identity"
	"kerf/platform/web"
)

var kitchenPaths = []string{"/v1/tickets", "/v1/kitchens"}

// mirror answers with what arrived at the module.
func mirror(e *echo.Echo) {
	e.Any("/*", func(c echo.Context) error {
		r := c.Request()
		p, known := identity.From(r.Context())
		return c.JSON(http.StatusOK, mirrored{r.Method, r.RequestURI, r.Host, r.Header, p.Subject, known, web.RequestID(c)})
	})
}

type mirrored struct {
	Method, URI, Host string
	Header            http.Header
	Subject           string
	Known             bool
	RequestID         string
}

func TestARequestArrivesAsItWasSent(t *testing.T) {
	s := newSplit(t, kitchenPaths, mirror)
	for _, target := range []string{
		"/v1/tickets", "/v1/tickets/a%2Fb%20c?q=a%26b+c&empty=&n=1", "/v1/tickets/%C3%A9/x//y/?next=%2Fv1", "/v1/kitchens/1/tickets?after=%3D%3D",
	} {
		r := s.request(t.Context(), "PATCH", target, strings.NewReader("{}"))
		r.Header.Set("X-Request-Id", "mine")
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
		r.Header.Set("Idempotency-Key", "key")
		r.Header.Set("X-Forwarded-For", "6.6.6.6")
		r.Header.Set("Connection", "X-Hop")
		r.Header.Set("X-Hop", "for this connection only")
		reply := s.send(r)
		got := decodeReply(t, reply)
		if reply.StatusCode != 200 || got.Method != "PATCH" || got.URI != target || !got.Known {
			t.Errorf("%s became %d %s", target, reply.StatusCode, reply.body)
		}
		if "http://"+got.Host != s.url || got.Header.Get("X-Forwarded-Host") != got.Host {
			t.Errorf("for the module its host is %q, and the public one %q", got.Host, got.Header.Get("X-Forwarded-Host"))
		}
		for name, want := range map[string]string{
			"X-Request-Id": "mine", "Idempotency-Key": "key", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Hop": "",
			"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "Authorization": r.Header.Get("Authorization"),
		} {
			if value := got.Header.Get(name); value != want {
				t.Errorf("%s arrived as %q, want %q", name, value, want)
			}
		}
	}
}

func decodeReply(t *testing.T, r reply) mirrored {
	t.Helper()
	return decodeText[mirrored](t, r.body)
}

func TestARequestWithoutAnIDGetsOneThatAllShare(t *testing.T) {
	s := newSplit(t, kitchenPaths, mirror)
	reply := s.do("GET", "/v1/tickets", nil)
	got := decodeReply(t, reply)
	if id := reply.Header.Get("X-Request-Id"); id == "" || got.RequestID != id || got.Header.Get("X-Request-Id") != id {
		t.Errorf("the module was told %q and knows %q, the client %q", got.Header.Get("X-Request-Id"), got.RequestID, id)
	}
}

func TestAnAnswerComesBackAsTheModuleGaveItWithNoHeaderTwice(t *testing.T) {
	s := newSplit(t, kitchenPaths, func(e *echo.Echo) {
		e.POST("/v1/tickets/:id/acceptance", func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Location", "/v1/tickets/"+c.Param("id"))
			h.Set("ETag", `"7"`)
			h.Set("Cache-Control", "private, max-age=5")
			return c.JSON(http.StatusCreated, map[string]string{"state": "ACCEPTED"})
		})
	})
	reply := s.do("POST", "/v1/tickets/1/acceptance", strings.NewReader("{}"))
	if reply.StatusCode != 201 || strings.TrimSpace(reply.body) != `{"state":"ACCEPTED"}` {
		t.Errorf("%d %s", reply.StatusCode, reply.body)
	}
	for name, want := range map[string]string{
		"Location": "/v1/tickets/1", "Etag": `"7"`, "Cache-Control": "private, max-age=5", "Content-Type": "application/json",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := reply.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, values := range reply.Header {
		if len(values) != 1 {
			t.Errorf("%s came %d times: %q", name, len(values), values)
		}
	}
}

func TestHeadHasTheHeadersOfGetAndNoBody(t *testing.T) {
	s := newSplit(t, kitchenPaths, mirror)
	head := s.do("HEAD", "/v1/tickets", nil)
	if head.StatusCode != 200 || head.body != "" || head.ContentLength <= 0 || head.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d, %d bytes, %v", head.StatusCode, head.ContentLength, head.Header)
	}
}

func TestBodiesOfAnySizePassBothWaysUpToTheLimit(t *testing.T) {
	s := newSplit(t, kitchenPaths, func(e *echo.Echo) {
		e.POST("/v1/tickets", func(c echo.Context) error {
			body, err := io.ReadAll(c.Request().Body)
			if err != nil {
				return err
			}
			return c.Blob(http.StatusOK, "application/octet-stream", append(body, body...))
		})
	})
	body := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for name, reader := range map[string]func(string) io.Reader{
		"of known length": func(s string) io.Reader { return strings.NewReader(s) },
		"in chunks":       func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) },
	} {
		reply := s.do("POST", "/v1/tickets", reader(body))
		if reply.StatusCode != 200 || reply.err != nil || sha256.Sum256([]byte(reply.body)) != sha256.Sum256([]byte(body+body)) {
			t.Errorf("%s: %d with %d bytes, %v", name, reply.StatusCode, len(reply.body), reply.err)
		}
		if reply := s.do("POST", "/v1/tickets", reader(body+"!")); reply.StatusCode != 413 || reply.problem(t).Code != "body_too_large" {
			t.Errorf("%s, too large: %d %s", name, reply.StatusCode, reply.body)
		}
	}
}

func TestWhoIsNotKnownIsRefusedBeforeTheModule(t *testing.T) {
	s := newSplit(t, []string{"/v1/tickets", "/v1/restaurants"}, mirror)
	for _, c := range []struct {
		method, target, bearer string
		status                 int
		passed                 bool
	}{
		{"GET", "/v1/tickets/1", "", 401, false},
		{"GET", "/v1/tickets/1", "Bearer e30.e30.e30", 401, false},
		{"GET", "/v1/restaurants", "Bearer e30.e30.e30", 401, false},
		{"GET", "/v1/restaurants", "", 200, true},                   // public
		{"GET", "/v1/restaurants/1/nothing-of-ours", "", 200, true}, // not described: for the module to refuse
		{"POST", "/v1/restaurants", "", 401, false},
		{"GET", "/v1/tickets/1", s.token(), 200, true},
	} {
		before := s.module.hits.Load()
		r := s.request(t.Context(), c.method, c.target, nil)
		r.Header.Del("Authorization")
		if c.bearer != "" {
			r.Header.Set("Authorization", c.bearer)
		}
		reply := s.send(r)
		if passed := s.module.hits.Load() != before; reply.StatusCode != c.status || passed != c.passed {
			t.Errorf("%s %s as %.12q: %d, reached the module: %t", c.method, c.target, c.bearer, reply.StatusCode, passed)
		}
		if c.status == 401 && (reply.problem(t).Code == "" || reply.Header.Get("WWW-Authenticate") == "") {
			t.Errorf("401 without a challenge: %v", reply.Header)
		}
	}
}

func TestTheBodyIsAskedForOnlyIfTheRequestGoesOn(t *testing.T) {
	s := newSplit(t, kitchenPaths, mirror)
	head := "POST /v1/tickets/1/acceptance HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
	line := func(text string) string {
		status, err := s.raw(text).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := line(head + "\r\n"); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
		t.Errorf("nobody is told %q", got)
	}
	answer := s.raw(head + "Authorization: " + s.token() + "\r\n\r\n{}")
	all, err := io.ReadAll(answer)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(all); strings.Count(got, "HTTP/1.1 100 Continue") != 1 || strings.Count(got, "HTTP/1.1 200 OK") != 1 ||
		!strings.Contains(got, "Referrer-Policy") {
		t.Errorf("somebody is told %q", got)
	}
}

func TestAnOrdersPageIsTheGatewaysAndTheRestIsItsModules(t *testing.T) {
	s := newSplit(t, []string{"/v1/orders"}, mirror)
	if reply := s.do("GET", "/v1/orders/"+orderID, nil); !strings.Contains(reply.body, `"ticket"`) || s.module.hits.Load() != 0 {
		t.Errorf("the page: %s", reply.body)
	}
	for _, c := range [][2]string{
		{"GET", "/v1/orders?limit=2"}, {"POST", "/v1/orders"}, {"POST", "/v1/orders/" + orderID + "/cancellation"},
		{"GET", "/v1/orders/" + orderID + "/nothing"},
	} {
		if got := decodeReply(t, s.do(c[0], c[1], nil)); got.Method != c[0] || got.URI != c[1] {
			t.Errorf("%v arrived as %s %s", c, got.Method, got.URI)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} { // as in one process, where the router says so
		if reply := s.do(method, "/v1/orders/"+orderID, nil); reply.StatusCode != 405 || reply.Header.Get("Allow") != "OPTIONS, GET" {
			t.Errorf("%s of the page: %d, allowed %q", method, reply.StatusCode, reply.Header.Get("Allow"))
		}
	}
	if reply := s.do("GET", "/v1/ordersx", nil); reply.StatusCode != 404 || reply.problem(t).Code != "not_found" {
		t.Errorf("beside the prefix: %d", reply.StatusCode)
	}
}

func TestRoutesHaveTheSameNamesInMetricsAsInOneProcess(t *testing.T) {
	s := newSplit(t, kitchenPaths, mirror)
	s.do("POST", "/v1/tickets/1/acceptance", nil)
	s.do("POST", "/v1/tickets/2/acceptance", nil)
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if testutil.CollectAndCount(s.metrics, "kerf_http_request_duration_seconds") != 1 {
		t.Error("each ticket has a series")
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "route" && label.GetValue() != "/v1/tickets/:order_id/acceptance" {
					t.Errorf("the route is called %s", label.GetValue())
				}
			}
		}
	}
}

func TestAModuleThatIsDownOrSlowIsAProblemOfItsOwnKind(t *testing.T) {
	s := newSplit(t, kitchenPaths, func(e *echo.Echo) {
		e.GET("/v1/tickets", func(c echo.Context) error {
			<-c.Request().Context().Done()
			return c.Request().Context().Err()
		})
	})
	started := time.Now()
	reply := s.do("GET", "/v1/tickets", nil)
	if p := reply.problem(t); reply.StatusCode != 504 || p.Code != "deadline" {
		t.Errorf("slow: %d %s", reply.StatusCode, reply.body)
	}
	if took := time.Since(started); took < time.Second || took > 5*time.Second {
		t.Errorf("the deadline of a second was %s", took)
	}
	s.module.stop()
	for _, method := range []string{"GET", "POST"} {
		reply = s.do(method, "/v1/tickets", strings.NewReader("{}"))
		p := reply.problem(t)
		if reply.StatusCode != 503 || p.Code != "unreachable" || reply.Header.Get("Retry-After") == "" || p.RequestID == "" {
			t.Errorf("down: %d %s", reply.StatusCode, reply.body)
		}
		if strings.Contains(reply.body, "dial") || strings.Contains(reply.body, "127.0.0.1") {
			t.Errorf("the client is told how the inside looks: %s", reply.body)
		}
	}
}

func TestAnAnswerThatBreaksOffIsNotTakenForAWholeOne(t *testing.T) {
	s := newSplit(t, kitchenPaths, func(e *echo.Echo) {
		e.GET("/v1/tickets", func(c echo.Context) error {
			c.Response().WriteHeader(http.StatusOK)
			fmt.Fprint(c.Response(), `{"items": [`)
			c.Response().Flush()
			panic(http.ErrAbortHandler)
		})
	})
	if reply := s.do("GET", "/v1/tickets", nil); reply.err == nil {
		t.Errorf("the client takes %q for the whole answer", reply.body)
	}
}

func TestAClientThatLeavesStopsTheModulesWork(t *testing.T) {
	began, stopped := make(chan struct{}), make(chan struct{})
	s := newSplit(t, kitchenPaths, func(e *echo.Echo) {
		e.GET("/v1/tickets", func(c echo.Context) error {
			close(began)
			<-c.Request().Context().Done()
			close(stopped)
			return c.Request().Context().Err()
		})
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := http.DefaultTransport.RoundTrip(s.request(ctx, "GET", "/v1/tickets", nil))
		left <- err
	}()
	await(t, "the module works", began)
	leave()
	await(t, "the module stops", stopped)
	if <-left == nil {
		t.Error("the client got an answer")
	}
}

func TestAnotherReplicaAnswersForOneThatIsDown(t *testing.T) {
	s := newSplit(t, kitchenPaths, mirror)
	keys, err := identity.OpenKeys(t.TempDir(), identity.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	gone := startModule(t, keys, mirror)
	edge := web.New(web.Config{})
	remote := Remote{Transport: transport(t, gone.address(), s.module.address())}
	edge.Echo.Any("/*", remote.serve)
	gone.stop()
	server := newServer(t, edge)
	for range 20 {
		for _, method := range []string{"GET", "POST"} {
			r, err := http.NewRequestWithContext(t.Context(), method, server+"/v1/tickets", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if reply := s.send(r); reply.StatusCode != 200 {
				t.Errorf("%s: %d %s", method, reply.StatusCode, reply.body)
			}
		}
	}
}
