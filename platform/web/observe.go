package web

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/fault"
)

// metrics are of all servers that share a registry.
type metrics struct {
	duration *prometheus.HistogramVec
	open     prometheus.Gauge
	streams  prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	return &metrics{
		duration: register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kerf_http_request_duration_seconds",
			Help:    "Time to answer a request, streams excepted, by route pattern.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"})),
		open: register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kerf_http_requests_open", Help: "Requests being answered, streams included.",
		})),
		streams: register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kerf_http_streams_open", Help: "Live streams being served.",
		})),
	}
}

// register returns the collector that registry has of this kind, and puts c there if it has none. It panics if the name is taken
// by a collector of another kind: a slip in the code.
func register[C prometheus.Collector](registry prometheus.Registerer, c C) C {
	if registry == nil {
		return c
	}
	err := registry.Register(c)
	if err == nil {
		return c
	}
	if taken, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return taken.ExistingCollector.(C)
	}
	panic(err)
}

func (m *metrics) begin() { m.open.Inc() }

func (m *metrics) end(c echo.Context, r *request, status int, took time.Duration) {
	m.open.Dec()
	if r.streaming {
		return
	}
	m.duration.WithLabelValues(method(c.Request().Method), route(c), strconv.Itoa(status)).Observe(took.Seconds())
}

// route is the pattern that matched, never the path: ids in a label would make a series per order.
func route(c echo.Context) string {
	if p := c.Path(); p != "" {
		return p
	}
	return "unmatched"
}

// method bounds a label that a client chooses.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// log writes the request's one line: for debugging, as the metrics count what succeeds or is the client's fault, unless the server is at
// fault. It holds the pattern of the route and never the path, the query, the address or the subject.
func (s *Server) log(c echo.Context, r *request, status int, took time.Duration) {
	level := slog.LevelDebug
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	ctx := c.Request().Context()
	if !s.config.Log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("method", method(c.Request().Method)), slog.String("route", route(c)), slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.Int64("bytes", c.Response().Size),
		slog.String("request_id", r.id),
	)
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	if r.problem != nil {
		attrs = append(attrs, slog.String("code", r.problem.Code))
		if status >= http.StatusInternalServerError || r.problem.Kind == fault.KindInternal {
			attrs = append(attrs, slog.String("error", r.problem.Error()))
		}
	}
	s.config.Log.LogAttrs(ctx, level, "request", attrs...)
}
