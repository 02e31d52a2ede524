package internal

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/web"
)

// Remote is a module in another process, as far as its public API is concerned.
type Remote struct {
	// Prefixes are the paths that it serves.
	Prefixes []string
	// Transport brings a request to one of its replicas. It fails with a *fault.Error.
	Transport http.RoundTripper
}

const (
	// mostProxied bounds the body of a request that is passed on, as the modules bound it.
	mostProxied = 1 << 20
	// longestSilence is how long a module may take to begin a stream.
	longestSilence = 10 * time.Second
)

// proxies passes on what modules in other processes serve. They check the bearer and its rights again: the gateway is believed by nobody.
func (g *Gateway) proxies(e *echo.Echo) {
	for _, remote := range g.Remotes {
		handler := proxy(remote.Transport)
		for _, prefix := range remote.Prefixes {
			e.Any(prefix, handler)
			e.Any(prefix+"/*", handler)
		}
	}
}

func proxy(transport http.RoundTripper) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := func() {}
		if isStream(c.Request()) {
			end, err := web.Relay(c)
			if err != nil {
				return err
			}
			defer end()
			begun = stopper(time.AfterFunc(longestSilence, end))
		}
		r, w := c.Request(), c.Response()
		r.Body = http.MaxBytesReader(w, r.Body, mostProxied)
		var failed error
		passing := httputil.ReverseProxy{
			Transport:     transport,
			FlushInterval: -1, // a stream's events, one by one
			ErrorLog:      log.New(io.Discard, "", 0),
			Rewrite: func(p *httputil.ProxyRequest) {
				// The transport puts in where the module is.
				p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "module", p.In.Host
				p.SetXForwarded()
				p.Out.Header.Set(echo.HeaderXRequestID, web.RequestID(c))
				if trace := bus.TraceParentOf(r.Context()); trace != "" {
					p.Out.Header.Set("traceparent", trace)
				}
			},
			ModifyResponse: func(answer *http.Response) error {
				begun()
				for name := range answer.Header {
					w.Header().Del(name) // what the edge has set: the module's own counts
				}
				return nil
			},
			ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
		}
		passing.ServeHTTP(w, r)
		return refusal(r.Context(), failed)
	}
}

// isStream tells whether a request asks for a stream, which has no deadline. All streams of the API are collections of events.
func isStream(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/events")
}

func stopper(timer *time.Timer) func() { return func() { timer.Stop() } }

// refusal is what a client is told about a request that could not be passed on.
func refusal(ctx context.Context, err error) error {
	var (
		tooLarge *http.MaxBytesError
		known    *fault.Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return echo.ErrStatusRequestEntityTooLarge
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return known
	}
	return fault.Unavailable(time.Second, "unreachable", "the module that serves this cannot be reached").WithCause(err)
}
