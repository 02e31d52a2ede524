package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"path/filepath"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/config"
	"kerf/platform/database"
	"kerf/platform/identity"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
	"kerf/platform/process"
	"kerf/platform/telemetry"
	"kerf/platform/web"
)

// Options are what a command adds to the configuration.
type Options struct {
	Version        string
	Stdout, Stderr io.Writer
	// Beside returns what else runs in the process while it serves, a client of the public API at url; nil for nothing.
	Beside func(url string, clk *clock.Clock, tel *telemetry.Telemetry) []process.Component
}

// Serve runs one process until ctx ends or a part of it fails: it composes the modules, prints "ready URL" once they answer, and drains them
// at the end.
func Serve(ctx context.Context, cfg config.Config, opts Options) (err error) {
	tel, err := telemetry.New(ctx, cfg.Log, cfg.Telemetry, opts.Version, opts.Stderr)
	if err != nil {
		return err
	}
	health := process.NewHealth()
	group := process.NewGroup(tel.Log, health, cfg.Drain)
	group.Add(process.Component{Name: "telemetry", Stop: tel.Close})
	ran := false
	defer func() {
		if !ran {
			err = errors.Join(err, group.Close(context.WithoutCancel(ctx)))
		}
	}()
	// Ports come first: one that is taken is found before anything is written.
	inner, err := process.Listen(ctx, cfg.Internal.Listen)
	if err != nil {
		return err
	}
	outer, err := process.Listen(ctx, cfg.Listen)
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	s, err := newSystem(ctx, cfg, tel, group, opts.Version)
	if err != nil {
		return errors.Join(err, inner.Close(), outer.Close())
	}

	s.internal = inner.Addr().String()
	url := "http://" + outer.Addr().String()
	if err := s.compose(); err != nil {
		return errors.Join(err, inner.Close(), outer.Close())
	}
	for name, db := range s.dbs {
		// Nothing is written, so nothing goes to the disc, but whoever can do this can write: a file locked by another still answers reads.
		health.Check("database "+name, func(ctx context.Context) error {
			return db.Write(ctx, func(context.Context, *database.Tx) error { return nil })
		})
	}
	s.edge.Echo.GET("/livez", echo.WrapHandler(health.Livez()))
	s.edge.Echo.GET("/readyz", echo.WrapHandler(health.Readyz(false)))
	group.Add(
		process.Component{Name: "pruning", Run: s.prune},
		process.Component{Name: "router", Run: s.router.Run},
		process.HTTP("internal listener", operators(health, tel), inner, nil),
		process.HTTP("edge", s.edge.HTTP(), outer, s.edge.Drain),
	)
	if opts.Beside != nil {
		group.Add(opts.Beside(url, s.clock, tel)...)
	}
	ran = true
	return group.Run(ctx, func() {
		tel.Log.Info("ready", "url", url, "internal", s.internal, "speed", s.clock.Speed(), "data", cfg.Data, "version", opts.Version)
		if err := process.Ready(opts.Stdout, url); err != nil {
			tel.Log.Error("nobody reads that this is ready", "error", err)
		}
	})
}

// newSystem makes what the modules stand on, and adds to group what of it has to be stopped after them.
func newSystem(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, group *process.Group, version string) (*system, error) {
	s := &system{cfg: cfg, tel: tel, group: group, version: version,
		platforms: map[string]platformpb.PlatformService{}, dbs: map[string]*database.DB{}}
	// The schemas come first: who has their locks may write to the rest of the folder.
	err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	if s.clock, err = clock.Open(filepath.Join(cfg.Data, "clock.json"), cfg.Speed); err != nil {
		return nil, err
	}
	if s.keys, err = identity.OpenKeys(filepath.Join(cfg.Data, "keys"), identity.KeysConfig{}); err != nil {
		return nil, err
	}
	if s.seams, err = placement.New(placement.Config{
		Mode: placement.Mode(cfg.Placement), Log: tel.Log, Registry: tel.Metrics, Tracer: s.tracer(), InTransaction: database.InTransaction,
	}); err != nil {
		return nil, err
	}
	group.Add(process.Component{Name: "seams", Stop: func(context.Context) error { return s.seams.Close() }})
	s.bus = memory.New(memory.Config{Duplicate: cfg.Placement == string(placement.Wire)})
	group.Add(process.Component{Name: "bus", Stop: func(context.Context) error { return s.bus.Close() }})
	if s.router, err = message.NewRouter(message.RouterConfig{CloseTimeout: cfg.Drain}, routerLog(tel.Log)); err != nil {
		return nil, fmt.Errorf("message router: %w", err)
	}
	s.edge = web.New(web.Config{
		Verifier: identity.NewVerifier(s.keys, identity.TokenConfig{}),
		Log:      tel.Log, Registry: tel.Metrics, Tracer: s.tracer(),
	})
	return s, nil
}

// routerLog takes what Watermill tells of its own workings for debugging. Of each message it tells twice, which costs even where nobody
// listens.
func routerLog(log *slog.Logger) watermill.LoggerAdapter {
	adapter := watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return adapter
	}
	return faultsOnly{adapter}
}

// faultsOnly passes on errors.
type faultsOnly struct{ watermill.LoggerAdapter }

func (faultsOnly) Info(string, watermill.LogFields)  {}
func (faultsOnly) Debug(string, watermill.LogFields) {}
func (faultsOnly) Trace(string, watermill.LogFields) {}

func (l faultsOnly) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return faultsOnly{l.LoggerAdapter.With(fields)}
}

func (s *system) tracer() trace.Tracer { return s.tel.Provider.Tracer("kerf") }

// issuer is nil where tokens come from elsewhere.
func (s *system) issuer() *identity.Issuer {
	if !s.cfg.Identity.LocalIssuer {
		return nil
	}
	return identity.NewIssuer(s.keys, identity.TokenConfig{})
}

// operators serves what operators and Prometheus look at.
func operators(health *process.Health, tel *telemetry.Telemetry) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", health.Livez())
	mux.Handle("GET /readyz", health.Readyz(true))
	mux.Handle("GET /metrics", tel.MetricsHandler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
}
