package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
)

// Event is one event of a stream (server-sent events).
type Event struct {
	// ID is what a client that comes back sends as Last-Event-ID; none if empty.
	ID string
	// Name is the event's type; "message" to the client if empty.
	Name string
	// Data becomes JSON, in one line; a []byte or json.RawMessage is JSON already.
	Data any
}

// EventStream is the answer to one request for live events. It belongs to the handler's goroutine:
//
//	s, err := web.Stream(c)
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	for after := s.LastEventID(); ; {
//		// read what came after, and send it
//		if !s.Wait(wake) {
//			return nil
//		}
//	}
type EventStream struct {
	ctx       context.Context // the request's own, kept as the handler that owns both ends together with it
	end       func()
	request   *request
	response  *echo.Response
	control   *http.ResponseController
	heartbeat *time.Timer
	last      string
}

// writeTimeout is how long a client may take to accept what it is sent.
const writeTimeout = 10 * time.Second

// Stream begins a stream: it has no deadline, lasts until the client leaves or the server drains, and is never buffered by a
// proxy. A draining server answers Unavailable. The handler closes the stream.
func Stream(c echo.Context) (*EventStream, error) {
	end, err := openEnded(c)
	if err != nil {
		return nil, err
	}
	r := requestOf(c)
	s := &EventStream{
		ctx: c.Request().Context(), end: end, request: r,
		response: c.Response(), control: http.NewResponseController(c.Response().Writer),
		heartbeat: time.NewTimer(r.server.config.Heartbeat), last: c.Request().Header.Get("Last-Event-ID"),
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx and its kin
	c.Response().WriteHeader(http.StatusOK)
	if err := s.write([]byte(": hello\n\n")); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openStream counts a stream in, and returns false if the server drains.
func (s *Server) openStream() bool {
	s.opening.Lock()
	defer s.opening.Unlock()
	select {
	case <-s.draining:
		return false
	default:
	}
	s.streams.Add(1)
	s.metrics.streams.Inc()
	return true
}

// Context is done when the client has left or the stream was closed. It carries the caller and the cause, as any request's does.
func (s *EventStream) Context() context.Context { return s.ctx }

// LastEventID is the id of the last event that was sent, at first the one that the client says it has; empty for none.
func (s *EventStream) LastEventID() string { return s.last }

// Send writes one event and flushes it. After an error the stream is over.
func (s *EventStream) Send(e Event) error {
	if strings.ContainsAny(e.ID+e.Name, "\r\n\x00") {
		return errors.New("send an event: line breaks in its id or name")
	}
	data, err := json.Marshal(e.rawData())
	if err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	var b bytes.Buffer
	if e.ID != "" {
		fmt.Fprintf(&b, "id: %s\n", e.ID)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, "event: %s\n", e.Name)
	}
	fmt.Fprintf(&b, "data: %s\n\n", data) // JSON as encoding/json writes it has no line breaks
	if err := s.write(b.Bytes()); err != nil {
		return err
	}
	if e.ID != "" {
		s.last = e.ID
	}
	return nil
}

func (e Event) rawData() any {
	if b, ok := e.Data.([]byte); ok {
		return json.RawMessage(b) // else it would become base64
	}
	return e.Data
}

// Wait returns true when wake says that there may be more to send. Until then it keeps the connection alive. It returns false
// when the stream is over: the client left, the server drains, or wake was closed.
func (s *EventStream) Wait(wake <-chan struct{}) bool {
	for {
		select {
		case <-s.request.server.draining: // first: a stream that is always woken must end too
			return false
		case <-s.ctx.Done():
			return false
		default:
		}
		select {
		case _, open := <-wake:
			return open
		case <-s.request.server.draining:
		case <-s.ctx.Done():
		case <-s.heartbeat.C:
			if s.write([]byte(": still here\n\n")) != nil {
				return false
			}
		}
	}
}

func (s *EventStream) write(b []byte) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.heartbeat.Reset(s.request.server.config.Heartbeat)
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every connection has one
	if _, err := s.response.Write(b); err != nil {
		return fmt.Errorf("write to a stream: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write to a stream: %w", err)
	}
	return nil
}

// Close ends the stream; more than once does nothing.
func (s *EventStream) Close() {
	s.heartbeat.Stop()
	s.end()
}

// Relay lets a request last that passes somebody else's stream on: it has no deadline, and its context is done when the client
// leaves, the server drains or end is called, as it must be. A draining server answers Unavailable.
func Relay(c echo.Context) (end func(), err error) {
	end, err = openEnded(c)
	if err != nil {
		return nil, err
	}
	r, ctx := requestOf(c), c.Request().Context()
	go func() { // until end: Drain waits for it
		select {
		case <-r.server.draining:
			end()
		case <-ctx.Done():
		}
	}()
	return end, nil
}

// openEnded counts the request as a stream and lifts its deadline, until the returned function is called for the first time.
func openEnded(c echo.Context) (end func(), err error) {
	r := requestOf(c)
	if !r.server.openStream() {
		return nil, fault.Unavailable(time.Second, "draining", "this server is stopping")
	}
	// The request's context has a deadline: keep what it carries, and end by the client's leaving instead.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Request().Context()))
	detach := context.AfterFunc(r.client, cancel)
	c.SetRequest(c.Request().WithContext(ctx))
	r.streaming = true
	_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Time{}) // not every connection has one
	return sync.OnceFunc(func() {
		detach()
		cancel()
		r.server.metrics.streams.Dec()
		r.server.streams.Done()
	}), nil
}
