package modules

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/trace"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/bus/amqp"
	"kerf/platform/bus/kafka"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/config"
	"kerf/platform/database"
	"kerf/platform/identity"
	"kerf/platform/installation"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
	"kerf/platform/process"
	"kerf/platform/rpc"
	"kerf/platform/telemetry"
	"kerf/platform/web"
)

// system is what the modules of one process stand on.
type system struct {
	cfg     config.Config
	tel     *telemetry.Telemetry
	clock   *clock.Clock
	keys    *identity.Keys // nil where they are somebody else's
	group   *process.Group
	tls     *rpc.TLS // nil without
	remotes map[string]*rpc.Client
	server  *rpc.Server
	seams   *placement.Seams
	bus     bus.Bus
	router  *message.Router
	edge    *web.Server
	version string
	// Where the internal listener answers.
	internal string

	platforms map[string]platformpb.PlatformService
	dbs       map[string]*database.DB
	failed    error // the first module that could not take part
}

// newSystem makes what the modules stand on, and adds to group what of it has to be stopped after them.
func newSystem(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, group *process.Group, version string) (*system, error) {
	s := &system{cfg: cfg, tel: tel, group: group, version: version,
		platforms: map[string]platformpb.PlatformService{}, remotes: map[string]*rpc.Client{}, dbs: map[string]*database.DB{}}
	// A wrong certificate is found before anything is made. Then the schemas: who has their locks may write to the rest of the folder.
	for _, step := range []func(context.Context) error{s.openTLS, s.openSchemas, s.openFolder, s.openSeams, s.openBus} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	s.edge = web.New(web.Config{
		Verifier: s.verifier(), Log: tel.Log, Registry: tel.Metrics, Tracer: s.tracer(),
	})
	return s, nil
}

// openTLS reads who this process is. The certificate must name every module that is here: callers would refuse one that it does not name.
func (s *system) openTLS(context.Context) (err error) {
	t := s.cfg.Internal.TLS
	if !t.On() {
		return nil
	}
	if s.tls, err = rpc.LoadTLS(t.Cert, t.Key, t.CA, s.tel.Log); err != nil {
		return fmt.Errorf("internal.tls: %w", err)
	}
	named := s.tls.Modules()
	missing := slices.DeleteFunc(s.cfg.Placed(Names), func(name string) bool { return slices.Contains(named, name) })
	if len(missing) > 0 {
		return fmt.Errorf("internal.tls: certificate %s does not name %s, placed here; it names %s", t.Cert, strings.Join(missing, ", "),
			strings.Join(named, ", "))
	}
	return nil
}

// openSchemas opens the schemas of the modules that are here, and so makes sure that no other process has those that are files. What is
// missing, or not what this folder has had, is refused before anything is made.
func (s *system) openSchemas(ctx context.Context) error {
	placed := s.cfg.Placed(stateful)
	mine, err := installation.Open(ctx, s.cfg.Data, installation.Config{
		ID: s.cfg.Installation, Placed: placed, Elsewhere: slices.Sorted(maps.Keys(s.cfg.Remotes)),
		Whole: s.cfg.DataShared || len(placed) == len(stateful), Shared: s.cfg.DataShared, Init: s.cfg.Init, Adopt: s.cfg.Adopt,
		Schema: func(module string) database.Config {
			schema := s.cfg.Schema(module)
			return database.Config{Driver: schema.Driver, Dir: schema.Dir, DSN: schema.DSN, Pool: schema.Pool}
		},
	}, s.tel.Log)
	if err != nil {
		return err
	}
	for _, name := range placed {
		db, err := mine.Schema(ctx, name, migrations.FS, s.tel.Log, s.tel.Metrics)
		if err != nil {
			return err
		}
		s.group.Add(process.Component{Name: "database " + name, Stop: func(context.Context) error { return db.Close() }})
		s.dbs[name] = db
	}
	return mine.Settle(ctx)
}

// openFolder reads what processes share: the domain clock, which the process keeps that has the gateway unless it is told otherwise, and the
// keys that sign tokens, unless those are somebody else's.
func (s *system) openFolder(ctx context.Context) (err error) {
	switch c := s.cfg.Clock; {
	case c != config.Clock{}:
		follower, err := clock.Follow(ctx, clock.FollowConfig{File: c.File, URL: c.URL, Speed: s.cfg.Speed}, s.tel.Log)
		if err != nil {
			return err
		}
		s.clock = follower.Clock
		s.group.Add(process.Component{Name: "clock", Run: follower.Run})
	case s.cfg.Has("gateway"):
		if s.clock, err = clock.Open(filepath.Join(s.cfg.Data, "clock.json"), s.cfg.Speed); err != nil {
			return err
		}
	default:
		s.clock = clock.Plain()
	}
	if s.cfg.Identity.JWKS == "" {
		s.keys, err = identity.OpenKeys(s.cfg.KeysDir(), identity.KeysConfig{})
	}
	return err
}

// openSeams makes what modules of this process call others through, and are called through by those.
func (s *system) openSeams(context.Context) (err error) {
	for _, name := range Names {
		addresses := s.cfg.Remotes[name]
		if s.cfg.Has(name) || len(addresses) == 0 || !s.needs(name) {
			continue
		}
		client, err := rpc.NewClient(rpc.ClientConfig{
			Module: name, Addresses: addresses, Protocol: rpc.Protocol(s.cfg.Internal.Protocol), Policy: s.cfg.Calls.For(name), TLS: s.tls,
			Log: s.tel.Log, Registry: s.tel.Metrics,
		})
		if err != nil {
			return fmt.Errorf("reaching %s: %w", name, err)
		}
		s.remotes[name] = client
		s.group.Add(process.Component{Name: "client of " + name, Stop: func(context.Context) error { return client.Close() }})
	}
	s.server = rpc.NewServer(rpc.ServerConfig{
		Log: s.tel.Log, Registry: s.tel.Metrics, Tracer: s.tracer(), Allow: mayCall, SpeaksForUsers: speaksForUsers,
	})
	if s.seams, err = placement.New(placement.Config{
		Mode: placement.Mode(s.cfg.Placement), Log: s.tel.Log, Registry: s.tel.Metrics, Tracer: s.tracer(), InTransaction: database.InTransaction,
		Here: s.cfg.Has, Remotes: s.remotes, Server: s.server,
	}); err != nil {
		return err
	}
	s.group.Add(process.Component{Name: "seams", Stop: func(context.Context) error { return s.seams.Close() }})
	return nil
}

// needs tells whether a module that is here calls the one that is named.
func (s *system) needs(name string) bool {
	return slices.ContainsFunc(s.cfg.Placed(Names), func(caller string) bool { return slices.Contains(owners(caller), name) })
}

// openBus makes the bus that carries events, and what brings them to the modules that are here.
func (s *system) openBus(context.Context) (err error) {
	if s.bus, err = s.newBus(); err != nil {
		return fmt.Errorf("bus %s: %w", s.cfg.Bus.Driver, err)
	}
	s.group.Add(process.Component{Name: "bus", Stop: func(context.Context) error { return s.bus.Close() }})
	if s.router, err = message.NewRouter(message.RouterConfig{CloseTimeout: s.cfg.Drain}, routerLog(s.tel.Log)); err != nil {
		return fmt.Errorf("message router: %w", err)
	}
	return nil
}

func (s *system) newBus() (bus.Bus, error) {
	c := s.cfg.Bus
	var (
		made     bus.Bus
		security *tls.Config
		err      error
	)
	if c.Driver == "kafka" && c.TLS.Enabled || strings.HasPrefix(c.URL, "amqps:") {
		if security, err = c.TLS.Load(); err != nil {
			return nil, err
		}
	}
	switch c.Driver {
	case "kafka":
		made, err = kafka.New(kafka.Config{
			Brokers: c.Brokers, Replication: c.Replication, TLS: security,
			SASL: kafka.SASL{Mechanism: c.SASL.Mechanism, Username: c.SASL.Username, Password: c.SASL.Password},
		}, s.tel.Log, s.tel.Metrics)
	case "amqp":
		made, err = amqp.New(amqp.Config{URL: c.URL, Groups: bus.GroupsIn(c.Namespace, groups()), TLS: security}, s.tel.Log, s.tel.Metrics)
	default:
		return memory.New(memory.Config{Duplicate: s.cfg.Placement == string(placement.Wire)}), nil
	}
	if err != nil {
		return nil, err
	}
	return bus.In(c.Namespace, made), nil
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

func (s *system) tokens() identity.TokenConfig {
	return identity.TokenConfig{Issuer: s.cfg.Identity.Issuer, Audience: s.cfg.Identity.Audience}
}

// verifier believes who is vouched for by the folder's keys, or by those of the issuer that is configured.
func (s *system) verifier() *identity.Verifier {
	if url := s.cfg.Identity.JWKS; url != "" {
		return identity.NewVerifier(identity.NewRemoteKeys(identity.RemoteKeysConfig{URL: url}, s.tel.Log), s.tokens())
	}
	return identity.NewVerifier(s.keys, s.tokens())
}

// issuer is nil where tokens come from elsewhere.
func (s *system) issuer() *identity.Issuer {
	if !s.cfg.Identity.LocalIssuer {
		return nil
	}
	return identity.NewIssuer(s.keys, s.tokens())
}
