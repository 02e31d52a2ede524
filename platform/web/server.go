package web

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/identity"
)

// Config is what a server is made from. Zero values take the defaults.
type Config struct {
	// Verifier tells who bears a token. Without one every token is refused.
	Verifier interface {
		Verify(ctx context.Context, token string) (identity.Principal, error)
	}
	// Log gets one line per request; nothing is logged if nil.
	Log *slog.Logger
	// Registry gets the metrics; there are none if nil. Servers may share one.
	Registry prometheus.Registerer
	// Tracer starts the spans; without one a trace that a caller brings is passed on all the same.
	Tracer trace.Tracer
	// Timeout is the deadline of a request, streams excepted: 10 s.
	Timeout time.Duration
	// BodyLimit is the largest body in bytes: 1 MiB.
	BodyLimit int64
	// Heartbeat is how long a stream may stay silent: 15 s.
	Heartbeat time.Duration
	// Wall is the wall clock; time.Now if nil.
	Wall func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.BodyLimit == 0 {
		c.BodyLimit = 1 << 20
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	return c
}

// Server is an echo with the middleware of this package. Routes are added to Echo; requests go to the Server, which is the
// http.Handler that also answers HEAD wherever there is a GET.
type Server struct {
	Echo *echo.Echo

	config   Config
	metrics  *metrics
	inFlight inFlight

	draining chan struct{} // closed when streams shall end
	drain    sync.Once
	streams  sync.WaitGroup
	opening  sync.Mutex // orders the opening of a stream and the start of a drain
}

// New returns a server without routes.
func New(config Config) *Server {
	s := &Server{Echo: echo.New(), config: config.withDefaults(), draining: make(chan struct{})}
	s.metrics = newMetrics(config.Registry)
	s.Echo.HideBanner, s.Echo.HidePort = true, true
	s.Echo.JSONSerializer = jsonSerializer{}
	s.Echo.HTTPErrorHandler = func(err error, c echo.Context) { s.refuse(c, err) }
	s.Echo.Use(s.serve)
	return s
}

// ServeHTTP answers a request. HEAD is routed as GET: net/http drops the body, as it remembers what was asked.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		get := *r
		get.Method = http.MethodGet
		r = &get
	}
	s.Echo.ServeHTTP(w, r)
}

// HTTP returns an http.Server with s as its handler and limits for slow and oversized requests. Its owner serves and shuts it
// down, after Drain. What is no HTTP, such as a target that ends in a bare %, net/http answers itself, in plain text: it comes to no handler.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       s.config.Timeout + 20*time.Second, // the body; a stream lifts it
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug), // what clients do to their connections
	}
}

// Drain ends all streams, refuses new ones, and returns when none is left or ctx is done. Other requests are not touched:
// http.Server.Shutdown waits for them, and would wait for streams for ever.
func (s *Server) Drain(ctx context.Context) error {
	s.drain.Do(func() {
		s.opening.Lock()
		defer s.opening.Unlock()
		close(s.draining)
	})
	ended := make(chan struct{})
	go func() {
		s.streams.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
