package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"

	"github.com/mattn/go-isatty"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// LogConfig says what the log holds.
type LogConfig struct {
	Level  string `koanf:"level"`  // debug, info, warn or error: this and what is graver
	Format string `koanf:"format"` // text, json or auto: text on a terminal, JSON elsewhere
}

// Levels and formats that a LogConfig may name.
var (
	Levels  = []string{"debug", "info", "warn", "error"}
	Formats = []string{"auto", "text", "json"}
)

// NewLogger makes a log that is written to w. A level or format that is not among
// Levels and Formats is an error.
func NewLogger(w io.Writer, cfg LogConfig) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	switch {
	case cfg.Format == "text", cfg.Format == "auto" && isTerminal(w):
		return slog.New(slog.NewTextHandler(w, options)), nil
	case cfg.Format == "json", cfg.Format == "auto":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q is unknown", cfg.Format)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// Telemetry is what one application tells about itself.
type Telemetry struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	*Traces
}

// New makes log, metrics and traces. The version is that of the build, told in the
// metric kerf_build_info and with each trace. Close it last.
func New(ctx context.Context, log LogConfig, traces TraceConfig, version string, stderr io.Writer) (*Telemetry, error) {
	logger, err := NewLogger(stderr, log)
	if err != nil {
		return nil, err
	}
	provider, err := NewTraces(ctx, traces, version, logger)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(version)
	if err != nil {
		return nil, errors.Join(err, provider.Close(ctx))
	}
	return &Telemetry{Log: logger, Metrics: metrics, Traces: provider}, nil
}

func newMetrics(version string) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "kerf_build_info",
		Help:        "Always 1; its labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

// MetricsHandler serves the metrics to Prometheus. A collector that fails is left
// out and logged; the others are served.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.Metrics, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(t.Log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError,
		Registry:      t.Metrics,
	})
}
