package placement_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/database"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
	"kerf/platform/rpc"
	"kerf/platform/rpc/localca"
)

// owner is a module that does what a test tells it. ReadLog is a query, ReplayParked a command.
type owner struct {
	platformpb.PlatformService
	read   func(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error)
	replay func(context.Context, *platformpb.ReplayParkedRequest) (*platformpb.ReplayParkedResponse, error)
	calls  atomic.Int64
}

func (o *owner) ReadLog(ctx context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
	o.calls.Add(1)
	return o.read(ctx, req)
}

func (o *owner) ReplayParked(ctx context.Context, req *platformpb.ReplayParkedRequest) (*platformpb.ReplayParkedResponse, error) {
	o.calls.Add(1)
	return o.replay(ctx, req)
}

// placed is an owner as its callers reach it in one placement.
type placed struct {
	platformpb.PlatformService
	seams    *placement.Seams
	registry *prometheus.Registry
	// calls is how often the owner sees one call.
	calls int64
}

type option func(*placement.Config)

func traced(by trace.TracerProvider) option {
	return func(c *placement.Config) { c.Tracer = by.Tracer("test") }
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// placements are all the ways to reach a module.
var placements = []struct {
	name  string
	place func(t *testing.T, o *owner, options ...option) placed
}{
	{"local", func(t *testing.T, o *owner, options ...option) placed {
		return place(t, placement.Local, o, options...)
	}},
	{"checked", func(t *testing.T, o *owner, options ...option) placed {
		return place(t, placement.Checked, o, options...)
	}},
	{"wire", func(t *testing.T, o *owner, options ...option) placed { return place(t, placement.Wire, o, options...) }},
	{"remote grpc", reach(rpc.GRPC, false)},
	{"remote connect", reach(rpc.Connect, false)},
	{"remote json", reach(rpc.JSON, false)},
	{"remote grpc with TLS", reach(rpc.GRPC, true)},
	{"remote connect with TLS", reach(rpc.Connect, true)},
	{"remote json with TLS", reach(rpc.JSON, true)},
}

// label is what metrics call a placement.
func label(name string) string { return strings.Fields(name)[0] }

func place(t *testing.T, mode placement.Mode, o *owner, options ...option) placed {
	t.Helper()
	seams, registry := newSeams(t, mode, options...)
	p := placed{PlatformService: platformpb.PlacePlatformService(seams.To("kitchen"), o), seams: seams, registry: registry, calls: 1}
	if mode == placement.Wire {
		p.calls = 2
	}
	return p
}

// reach serves the owner in a process of its own, as far as anybody can tell, which has the module kitchen; the caller's has orders.
func reach(protocol rpc.Protocol, secured bool) func(t *testing.T, o *owner, options ...option) placed {
	return func(t *testing.T, o *owner, options ...option) placed {
		t.Helper()
		var serverTLS, clientTLS *rpc.TLS
		if secured {
			ca, err := localca.New()
			if err != nil {
				t.Fatal(err)
			}
			serverTLS, clientTLS = certified(t, ca, "kitchen"), certified(t, ca, "orders")
		}
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := rpc.NewServer(rpc.ServerConfig{Log: quiet, SpeaksForUsers: []string{"orders"}})
		platformpb.RegisterPlatformService(server.For("kitchen"), o)
		port := rpc.Internal{Listener: lis, Server: server, HTTP: http.NotFoundHandler(), TLS: serverTLS, Grace: time.Second, Log: quiet}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- port.Run(ctx) }()
		client, err := rpc.NewClient(rpc.ClientConfig{
			Module: "kitchen", Addresses: []string{lis.Addr().String()}, Protocol: protocol, TLS: clientTLS, Log: quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
		// A module elsewhere is elsewhere in every mode.
		seams, registry := newSeams(t, placement.Local, append(options, func(c *placement.Config) {
			c.Remotes = map[string]*rpc.Client{"kitchen": client}
		})...)
		return placed{PlatformService: platformpb.PlacePlatformService(seams.To("kitchen"), nil), seams: seams, registry: registry, calls: 1}
	}
}

// certified returns who a process is that has a module.
func certified(t testing.TB, ca *localca.CA, module string) *rpc.TLS {
	t.Helper()
	dir := t.TempDir()
	cert, key, authority := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	if err := ca.IssueTo(cert, key, localca.Leaf{Modules: []string{module}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(authority, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	identity, err := rpc.LoadTLS(cert, key, authority, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func newSeams(t *testing.T, mode placement.Mode, options ...option) (*placement.Seams, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	config := placement.Config{Mode: mode, Log: quiet, Registry: registry, InTransaction: database.InTransaction}
	for _, set := range options {
		set(&config)
	}
	seams, err := placement.New(config)
	if err != nil {
		t.Fatal(err)
	}
	// A test that plants a violation reads it itself; Close returns it once more.
	t.Cleanup(func() { _ = seams.Close() })
	return seams, registry
}
