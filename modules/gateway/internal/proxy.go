package internal

import (
	"context"
	"errors"
	"io"
	"log"
	"mime"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"

	"github.com/labstack/echo/v4"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/web"
)

// Remote is a module in another process, as far as its public API is concerned.
type Remote struct {
	// Prefixes are the paths that it serves, with all that is below them.
	Prefixes []string
	// Transport brings a request to one of its replicas, unbuffered. It fails with a *fault.Error, unless the request's body cannot be read.
	Transport http.RoundTripper
}

// proxies passes on what modules in other processes serve. Operations that are described keep their routes' names in metrics, and ask for a
// bearer here already if they do at all; a token that is not valid never comes so far. The module verifies the token, and what its bearer
// may do, again: it does not believe the gateway. What is not described is for the module to refuse.
func (g *Gateway) proxies(e *echo.Echo) error {
	if len(g.Remotes) == 0 {
		return nil
	}
	described, err := g.operations()
	if err != nil {
		return err
	}
	for _, remote := range g.Remotes {
		for _, prefix := range remote.Prefixes {
			e.Any(prefix, remote.serve)
			e.Any(prefix+"/*", remote.serve)
			for _, operation := range described {
				if operation.below(prefix) {
					e.Add(operation.method, operation.route, remote.serving(operation))
				}
			}
			if strings.HasPrefix(orderRoute, prefix) {
				onlyGet(e, orderRoute)
			}
		}
	}
	return nil
}

// onlyGet refuses the other methods of a path that the gateway serves itself, as the router does where nobody has the paths around it.
func onlyGet(e *echo.Echo, path string) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, http.MethodOptions} {
		e.Add(method, path, func(c echo.Context) error {
			c.Response().Header().Set(echo.HeaderAllow, "OPTIONS, GET")
			if method == http.MethodOptions {
				return c.NoContent(http.StatusNoContent)
			}
			return echo.ErrMethodNotAllowed
		})
	}
}

func (r Remote) serving(operation operation) echo.HandlerFunc {
	if operation.public {
		return r.serve
	}
	return func(c echo.Context) error {
		if _, err := web.Require(c); err != nil {
			return err // before the body is read
		}
		return r.serve(c)
	}
}

// serve passes a request on, and its answer back. The request's deadline holds for both, unless the answer is a stream.
func (r Remote) serve(c echo.Context) error {
	p := newPassage(c)
	defer p.end()
	proxy := httputil.ReverseProxy{
		Transport: r.Transport, Rewrite: p.rewrite, ModifyResponse: p.modify, ErrorHandler: p.fail,
		FlushInterval: -1, // nothing waits here, whatever its type
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	proxy.ServeHTTP(p.answer, c.Request().WithContext(p.time))
	return p.failed
}

// passage is one request on its way to a module and back.
type passage struct {
	c       echo.Context
	time    *span
	answer  http.ResponseWriter
	failed  error // why there is no answer
	endings []func()
}

func newPassage(c echo.Context) *passage {
	p := &passage{c: c, time: newSpan(c.Request().Context())}
	answer, done := web.Bounded(c)
	p.answer, p.endings = answer, []func(){p.time.end, done}
	return p
}

func (p *passage) end() {
	for _, end := range p.endings {
		end()
	}
}

// rewrite makes the request that the module gets. Path and query go as they came (the edge has refused a query that cannot be parsed);
// the transport puts in where the module is.
func (p *passage) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "module", r.In.Host
	r.SetXForwarded() // and not what a client claims
	h := r.Out.Header
	for _, own := range []string{"Expect", "Connection", "Upgrade"} {
		h.Del(own) // between the client and this server, which asks for the body when the module gets it
	}
	h.Set(echo.HeaderXRequestID, web.RequestID(p.c))
	if trace := bus.TraceParentOf(p.c.Request().Context()); trace != "" {
		h.Set("Traceparent", trace)
	}
}

// modify looks at the head of the answer before any of it goes to the client.
func (p *passage) modify(res *http.Response) error {
	if mediaType, _, _ := mime.ParseMediaType(res.Header.Get(echo.HeaderContentType)); mediaType == "text/event-stream" {
		end, err := web.Relay(p.c)
		if err != nil {
			return err
		}
		p.endings = append(p.endings, end)
		p.time.follow(p.c.Request().Context())
		res.Body = stream{res.Body, p.time}
	}
	for name := range res.Header {
		p.answer.Header().Del(name) // what the edge has set: the module's own counts
	}
	return nil
}

// fail keeps why there is no answer, for the edge to tell.
func (p *passage) fail(_ http.ResponseWriter, _ *http.Request, err error) {
	_, known := errors.AsType[*fault.Error](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case known, tooLarge:
		p.failed = err
	case p.time.Err() != nil:
		p.failed = p.time.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.failed = echo.NewHTTPError(http.StatusRequestTimeout).SetInternal(err)
	default:
		p.failed = fault.New(fault.KindInvalid, "invalid", "the body did not arrive whole").WithCause(err)
	}
}

// stream is the body of a stream. When it is this side that ends it, it ends in order, and not as if the module had failed.
type stream struct {
	io.ReadCloser
	time *span
}

func (s stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && s.time.Err() != nil {
		err = io.EOF
	}
	return n, err
}

// span is how long a passage may last: at first as long as one context, and later as another says.
type span struct {
	context.Context // carries the first one's values
	cancel          context.CancelCauseFunc
	detach          func() bool
}

func newSpan(ctx context.Context) *span {
	s := &span{}
	s.Context, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.follow(ctx)
	return s
}

// follow has the span end with ctx, and no longer with the context that it followed before.
func (s *span) follow(ctx context.Context) {
	if s.detach != nil {
		s.detach()
	}
	s.detach = context.AfterFunc(ctx, func() { s.cancel(ctx.Err()) })
}

// Err tells a deadline that passed from a client that left.
func (s *span) Err() error {
	if s.Context.Err() == nil {
		return nil
	}
	return context.Cause(s.Context)
}

func (s *span) end() {
	s.follow(context.Background())
	s.cancel(context.Canceled)
}
