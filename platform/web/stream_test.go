package web_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"kerf/platform/identity"
	"kerf/platform/web"
)

// counter serves a stream of the numbers up to a limit that a test raises.
type counter struct {
	*edge
	wake chan struct{}
	upTo chan int
	// ended gets one value for each handler that returned.
	ended chan error
}

func newCounter(t *testing.T, config web.Config) *counter {
	s := &counter{wake: make(chan struct{}), upTo: make(chan int, 1), ended: make(chan error, 10)}
	s.upTo <- 3
	s.edge = newEdge(t, config, func(e *echo.Echo) {
		e.GET("/numbers", func(c echo.Context) error {
			err := s.serve(c)
			s.ended <- err
			return err
		})
	})
	return s
}

func (s *counter) serve(c echo.Context) error {
	stream, err := web.Stream(c)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		last, _ := strconv.Atoi(stream.LastEventID())
		limit := <-s.upTo
		s.upTo <- limit
		for n := last + 1; n <= limit; n++ {
			data := map[string]any{"n": n, "text": "a\nb"}
			if err := stream.Send(web.Event{ID: strconv.Itoa(n), Name: "number", Data: data}); err != nil {
				return err
			}
		}
		if !stream.Wait(s.wake) {
			return stream.Context().Err()
		}
	}
}

// open begins to read the stream; the returned function reads one event, comments left out unless asked for.
func (s *counter) open(ctx context.Context, lastEventID string) (next func(comments bool) string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(ctx, "GET", s.url+"/numbers", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", lastEventID)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	reader := bufio.NewReader(answer.Body)
	return func(comments bool) string {
		for {
			var event strings.Builder
			for {
				line, err := reader.ReadString('\n')
				if err != nil {
					return err.Error()
				}
				if line == "\n" {
					break
				}
				event.WriteString(line)
			}
			if comments || !strings.HasPrefix(event.String(), ":") {
				return event.String()
			}
		}
	}
}

func number(n int) string {
	return "id: " + strconv.Itoa(n) + "\nevent: number\ndata: {\"n\":" + strconv.Itoa(n) + ",\"text\":\"a\\nb\"}\n"
}

func (s *counter) raise(to int) {
	<-s.upTo
	s.upTo <- to
	s.wake <- struct{}{}
}

func TestAStreamGoesOnWhereTheClientLeftOff(t *testing.T) {
	s := newCounter(t, web.Config{Timeout: 30 * time.Millisecond, Heartbeat: 20 * time.Millisecond})
	next := s.open(t.Context(), "1")
	for _, want := range []string{number(2), number(3)} {
		if got := next(false); got != want {
			t.Fatalf("event = %q, want %q", got, want)
		}
	}
	for range 5 { // longer than the deadline of other requests
		if got := next(true); !strings.HasPrefix(got, ":") {
			t.Fatalf("heartbeat = %q", got)
		}
	}
	s.raise(4)
	if got := next(false); got != number(4) {
		t.Errorf("event = %q", got)
	}
}

func TestAStreamEndsWhenItsClientLeaves(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newCounter(t, web.Config{Registry: registry})
	ctx, leave := context.WithCancel(t.Context())
	s.open(ctx, "")(false)
	if got := streams(t, registry); got != 1 {
		t.Errorf("%v streams open", got)
	}
	leave()
	<-s.ended
	await(t, "no stream is open", func() bool { return streams(t, registry) == 0 })
	if n := testutil.CollectAndCount(registry, "kerf_http_request_duration_seconds"); n != 0 {
		t.Error("a stream counts as a slow request")
	}
}

func streams(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "kerf_http_streams_open" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

func TestADrainEndsStreamsFirstAndOpensNone(t *testing.T) {
	s := newCounter(t, web.Config{})
	next := s.open(t.Context(), "2")
	if got := next(false); got != number(3) {
		t.Fatalf("event = %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.web.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("the stream did not end in peace: %v", err)
	}
	if got := next(false); got != io.EOF.Error() {
		t.Errorf("after the drain the client reads %q", got)
	}
	if r := s.do("GET", "/numbers", ""); r.status != 503 || r.header.Get("Retry-After") == "" || r.problem(t).Code != "draining" {
		t.Errorf("a new stream: %d %s", r.status, r.body)
	}
	if err := s.web.Drain(ctx); err != nil {
		t.Errorf("a second drain: %v", err)
	}
}

func TestADrainDoesNotWaitForEver(t *testing.T) {
	release := make(chan struct{})
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/stuck", func(c echo.Context) error {
			s, err := web.Stream(c)
			if err != nil {
				return err
			}
			defer s.Close()
			<-release
			return nil
		})
	})
	defer close(release)
	request, _ := http.NewRequestWithContext(t.Context(), "GET", e.url+"/stuck", nil)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := e.web.Drain(ctx); err == nil {
		t.Error("the drain says that a stuck stream ended")
	}
}

func TestARelayedStreamHasNoDeadlineAndEndsWithADrain(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	e := newEdge(t, web.Config{Timeout: time.Millisecond}, func(e *echo.Echo) {
		e.GET("/relay", func(c echo.Context) error {
			end, err := web.Relay(c)
			if err != nil {
				return err
			}
			defer end()
			c.Response().WriteHeader(http.StatusOK)
			c.Response().Flush()
			_, limited := c.Request().Context().Deadline()
			if limited {
				t.Error("a relayed stream has a deadline")
			}
			close(entered)
			<-c.Request().Context().Done()
			left <- c.Request().Context().Err()
			return nil
		})
	})
	go func() {
		<-entered
		_ = e.web.Drain(context.Background())
	}()
	e.do("GET", "/relay", "")
	<-left
	if r := e.do("GET", "/relay", ""); r.status != 503 {
		t.Errorf("a new one while draining: %d", r.status)
	}
}

func TestAStreamCarriesItsCallerAndRefusesLineBreaks(t *testing.T) {
	done := make(chan struct{})
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/mine", func(c echo.Context) error {
			defer close(done)
			s, err := web.Stream(c)
			if err != nil {
				return err
			}
			defer s.Close()
			if p, ok := identity.From(s.Context()); !ok || p.Subject != "ann" {
				t.Errorf("caller = %+v", p)
			}
			if _, limited := s.Context().Deadline(); limited {
				t.Error("a stream has a deadline")
			}
			for _, event := range []web.Event{{ID: "1\n2"}, {Name: "a\rb"}, {Data: make(chan int)}} {
				if err := s.Send(event); err == nil {
					t.Errorf("%+v was sent", event)
				}
			}
			return s.Send(web.Event{Data: []byte(`{"raw":1}`)})
		})
	})
	r := e.do("GET", "/mine", "", "Authorization", "Bearer ann")
	<-done
	if !strings.HasSuffix(r.body, "data: {\"raw\":1}\n\n") {
		t.Errorf("body = %q", r.body)
	}
}
