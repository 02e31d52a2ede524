package placement_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/database"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
	"kerf/platform/rpc"
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

// placements are all the ways to reach a module. Remote is a server of its own, as another process would have it.
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
	{"remote", reach},
}

func place(t *testing.T, mode placement.Mode, o *owner, options ...option) placed {
	t.Helper()
	seams, registry := newSeams(t, mode, options...)
	p := placed{PlatformService: platformpb.PlacePlatformService(seams.To("kitchen"), o), seams: seams, registry: registry, calls: 1}
	if mode == placement.Wire {
		p.calls = 2
	}
	return p
}

func reach(t *testing.T, o *owner, options ...option) placed {
	t.Helper()
	seams, registry := newSeams(t, placement.Local, options...)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerConfig{Log: quiet})
	platformpb.RegisterPlatformService(server.For("kitchen"), o)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	conn, err := rpc.Dial(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop(time.Second)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	client := platformpb.NewPlatformServiceClient(seams.To("kitchen"), conn)
	return placed{PlatformService: client, seams: seams, registry: registry, calls: 1}
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
