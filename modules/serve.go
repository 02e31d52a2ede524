package modules

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"

	"kerf/platform/clock"
	"kerf/platform/config"
	"kerf/platform/database"
	"kerf/platform/process"
	"kerf/platform/rpc"
	"kerf/platform/telemetry"
)

// Options are what a command adds to the configuration.
type Options struct {
	Version        string
	Stdout, Stderr io.Writer
	// Beside returns what else runs in the process while it serves, a client of the public API at url; nil for nothing.
	Beside func(url string, clk *clock.Clock, tel *telemetry.Telemetry) []process.Component
}

// Serve runs one process until ctx ends or a part of it fails: it composes the modules that are placed here, prints "ready URL" once they
// answer, and drains them at the end. The URL is that of the public edge where the gateway is, and else of the internal listener.
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
	p, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	s, err := newSystem(ctx, cfg, tel, group, opts.Version)
	if err == nil {
		s.internal = p.internal.Addr().String()
		err = s.compose()
	}
	if err != nil {
		return errors.Join(err, p.close())
	}
	for name, db := range s.dbs {
		// Nothing is written, so nothing goes to the disc, but whoever can do this can write: a file locked by another still answers reads.
		health.Check("database "+name, func(ctx context.Context) error {
			return db.Write(ctx, func(context.Context, *database.Tx) error { return nil })
		})
	}
	s.edge.Echo.GET("/livez", echo.WrapHandler(health.Livez()))
	s.edge.Echo.GET("/readyz", echo.WrapHandler(health.Readyz(false)))
	group.Add(process.Component{Name: "pruning", Run: s.prune})
	if len(s.router.Handlers()) > 0 { // one without any would not end
		group.Add(process.Component{Name: "router", Run: s.router.Run})
	}
	group.Add(process.Component{Name: "internal listener", Run: s.internally(p.internal, health).Run})
	url := p.url(s.tls != nil)
	if p.edge != nil {
		group.Add(process.HTTP("edge", s.edge.HTTP(), p.edge, s.edge.Drain))
	}
	if opts.Beside != nil && p.edge != nil {
		group.Add(opts.Beside(url, s.clock, tel)...)
	}
	ran = true
	return group.Run(ctx, func() {
		tel.Log.Info("ready", "url", url, "internal", s.internal, "modules", list(cfg.Placed(Names)), "speed", s.clock.Speed(), "data", cfg.Data,
			"version", opts.Version)
		if err := process.Ready(opts.Stdout, url); err != nil {
			tel.Log.Error("nobody reads that this is ready", "error", err)
		}
	})
}

// ports are where a process answers.
type ports struct {
	internal net.Listener
	edge     net.Listener // nil without the gateway
}

func listen(ctx context.Context, cfg config.Config) (p ports, err error) {
	if p.internal, err = process.Listen(ctx, cfg.Internal.Listen); err != nil {
		return p, err
	}
	if !cfg.Has("gateway") {
		return p, nil
	}
	if p.edge, err = process.Listen(ctx, cfg.Listen); err != nil {
		return p, errors.Join(err, p.internal.Close())
	}
	return p, nil
}

func (p ports) close() error {
	err := p.internal.Close()
	if p.edge != nil {
		err = errors.Join(err, p.edge.Close())
	}
	return err
}

func (p ports) url(secure bool) string {
	switch {
	case p.edge != nil:
		return "http://" + p.edge.Addr().String()
	case secure:
		return "https://" + p.internal.Addr().String()
	}
	return "http://" + p.internal.Addr().String()
}

// internally serves what other processes and operators see: the operations of the modules that are here, and over HTTP/1.1 their REST mounts
// beside health and metrics.
func (s *system) internally(listener net.Listener, health *process.Health) rpc.Internal {
	return rpc.Internal{
		Listener: listener, Server: s.server, HTTP: s.operators(health), TLS: s.tls, Drain: s.edge.Drain, Grace: s.cfg.Drain / 2, Log: s.tel.Log,
	}
}

// operators serves what operators and Prometheus look at, and leaves all other paths to the mounts: as they came, since a mux would clean them.
func (s *system) operators(health *process.Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", health.Livez())
	mux.Handle("GET /readyz", health.Readyz(true))
	mux.Handle("GET /metrics", s.tel.MetricsHandler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/debug/pprof/") && !local(r): // a profile costs, and tells much
			http.NotFound(w, r)
		case path == "/livez", path == "/readyz", path == "/metrics", strings.HasPrefix(path, "/debug/pprof/"):
			mux.ServeHTTP(w, r)
		default:
			s.edge.ServeHTTP(w, r)
		}
	})
}

// local tells whether a request comes from this machine.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().IsLoopback()
}
