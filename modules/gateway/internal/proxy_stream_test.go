package internal

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/web"
)

// ticker is a module with a stream of numbers, one for each time that it is told to.
type ticker struct {
	*split
	tick  chan struct{}
	ended chan struct{}
}

func newTicker(t *testing.T) *ticker {
	s := &ticker{tick: make(chan struct{}), ended: make(chan struct{}, 8)}
	s.split = newSplit(t, []string{"/v1/tracking"}, func(e *echo.Echo) {
		e.GET("/v1/tracking/events", func(c echo.Context) error {
			stream, err := web.Stream(c)
			if err != nil {
				return err
			}
			defer func() {
				stream.Close()
				s.ended <- struct{}{}
			}()
			for n, _ := strconv.Atoi(stream.LastEventID()); stream.Wait(s.tick); {
				n++
				if err := stream.Send(web.Event{ID: strconv.Itoa(n), Data: n}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return s
}

// open begins to read the stream. The returned function returns the next event's id, or why there is none.
func (s *ticker) open(ctx context.Context, after string) func() (string, error) {
	s.Helper()
	r := s.request(ctx, "GET", "/v1/tracking/events", nil)
	r.Header.Set("Last-Event-ID", after)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		s.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	lines := bufio.NewReader(res.Body)
	return func() (string, error) {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return "", err
			}
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				return strings.TrimSpace(id), nil
			}
		}
	}
}

func (s *ticker) expect(next func() (string, error), want string) {
	s.Helper()
	s.tick <- struct{}{}
	if id, err := next(); id != want || err != nil {
		s.Fatalf("event %q, %v; want %q", id, err, want)
	}
}

func TestAStreamsEventsComeOneByOneAndOutlastTheDeadline(t *testing.T) {
	s := newTicker(t)
	next := s.open(t.Context(), "41")
	started := time.Now()
	n := 42
	for ; time.Since(started) < 1200*time.Millisecond; n++ { // other answers have a second
		s.expect(next, strconv.Itoa(n))
	}
	s.expect(next, strconv.Itoa(n))
}

func TestAStreamEndsInOrderWhenTheGatewayDrains(t *testing.T) {
	s := newTicker(t)
	next := s.open(t.Context(), "")
	s.expect(next, "1")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.edge.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := next(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ended with %v", err)
	}
	await(t, "the module's stream ends", s.ended)
	if reply := s.do("GET", "/v1/tracking/events", nil); reply.StatusCode != 503 || reply.problem(t).Code != "draining" || reply.Header.Get("Retry-After") == "" {
		t.Errorf("a new stream: %d %s", reply.StatusCode, reply.body)
	}
}

func TestAStreamEndsInOrderWhenItsModuleDrains(t *testing.T) {
	s := newTicker(t)
	next := s.open(t.Context(), "")
	s.expect(next, "1")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.module.web.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := next(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ended with %v", err)
	}
	if reply := s.do("GET", "/v1/tracking/events", nil); reply.StatusCode != 503 || reply.problem(t).Code != "draining" {
		t.Errorf("a new stream: %d %s", reply.StatusCode, reply.body)
	}
}

func TestAStreamEndsInTheModuleWhenItsClientLeaves(t *testing.T) {
	s := newTicker(t)
	ctx, leave := context.WithCancel(t.Context())
	s.expect(s.open(ctx, ""), "1")
	leave()
	await(t, "the module's stream ends", s.ended)
}
