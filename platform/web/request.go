package web

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

// request is what this package knows of one request, found again in its context.
type request struct {
	server *Server
	id     string
	start  time.Time
	span   trace.Span      // nil unless a tracer is configured
	client context.Context // done when the client leaves; without the deadline

	body     []byte
	bodyRead bool

	streaming bool
	problem   *fault.Error // what was answered, if it was a problem
}

type requestKey struct{}

// requestOf returns the request that c serves. It panics on a route that is not served by a Server: a slip in the wiring.
func requestOf(c echo.Context) *request {
	r, ok := c.Request().Context().Value(requestKey{}).(*request)
	if !ok {
		panic("web: the request did not come through a web.Server")
	}
	return r
}

// RequestID returns the id of the request being served, which is the correlation id of all that follows from it.
func RequestID(c echo.Context) string { return requestOf(c).id }

// serve is the whole middleware in one piece, in this order: everything after begin is measured and logged, whatever happens; the
// recovery is inside, so that a panic is answered, measured and logged like any other failure.
func (s *Server) serve(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, ctx, err := s.begin(c)
		ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		defer s.end(c, r)
		if err == nil {
			err = s.limitBody(c)
		}
		if err == nil {
			err = checkQuery(c.Request().URL.RawQuery)
		}
		if err == nil && !isText(c.Request().URL.Path) { // there is nothing whose name no database can keep
			err = fault.NotFound("resource")
		}
		if err == nil {
			err = guarded(c, next)
		}
		if err != nil {
			s.refuse(c, err)
		}
		return nil
	}
}

// begin names the request and its caller, and returns the context that says so. A bad token is an error, to be answered when the
// request has its place in the log.
func (s *Server) begin(c echo.Context) (*request, context.Context, error) {
	in := c.Request()
	r := &request{server: s, id: in.Header.Get(echo.HeaderXRequestID), start: s.config.Wall(), client: in.Context()}
	if !saneID(r.id) {
		r.id = ids.New()
	}
	s.setHeaders(c.Response().Header(), r.id)
	s.metrics.begin()

	ctx := context.WithValue(in.Context(), requestKey{}, r)
	ctx = bus.WithCause(ctx, bus.Meta{CorrelationID: r.id})
	if in.Header.Get("Traceparent") != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(in.Header))
	}
	if s.config.Tracer != nil {
		ctx, r.span = s.config.Tracer.Start(ctx, in.Method+" "+c.Path(), trace.WithSpanKind(trace.SpanKindServer))
	}
	p, known, err := s.authenticate(ctx, in.Header)
	if known {
		ctx = identity.With(ctx, p)
	}
	return r, ctx, err
}

// end measures and logs the request when it is answered.
func (s *Server) end(c echo.Context, r *request) {
	took := s.config.Wall().Sub(r.start)
	status := c.Response().Status
	s.metrics.end(c, r, status, took)
	s.log(c, r, status, took)
	if r.span == nil {
		return
	}
	if r.span.IsRecording() {
		r.span.SetAttributes(
			attribute.String("http.request.method", c.Request().Method), attribute.String("http.route", c.Path()),
			attribute.Int("http.response.status_code", status), attribute.String("kerf.request_id", r.id),
		)
		if status >= http.StatusInternalServerError && r.problem != nil {
			r.span.RecordError(r.problem)
		}
	}
	r.span.End()
}

// limitBody refuses a body that says it is too large, and cuts off one that turns out to be.
func (s *Server) limitBody(c echo.Context) error {
	in := c.Request()
	if in.ContentLength > s.config.BodyLimit {
		return bodyTooLarge(s.config.BodyLimit)
	}
	if in.ContentLength != 0 {
		in.Body = http.MaxBytesReader(c.Response().Writer, in.Body, s.config.BodyLimit)
	}
	return nil
}

// saneID tells whether a caller's request id may go into logs and headers: 1 to 64 letters, digits, dots, underscores and hyphens.
func saneID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// The headers of every answer, made once: net/http only reads the slices. Pages with scripts set their own policy.
var (
	headerNoSniff   = []string{"nosniff"}
	headerNoStore   = []string{"no-store"}
	headerNoFrames  = []string{"DENY"}
	headerReferrer  = []string{"no-referrer"}
	headerNoContent = []string{"default-src 'none'; frame-ancestors 'none'"}
)

func (s *Server) setHeaders(h http.Header, id string) {
	h["X-Request-Id"] = []string{id}
	h["X-Content-Type-Options"] = headerNoSniff
	h["X-Frame-Options"] = headerNoFrames
	h["Referrer-Policy"] = headerReferrer
	h["Content-Security-Policy"] = headerNoContent
	h["Cache-Control"] = headerNoStore
}
