package placement

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

// Mode is how modules of this process are called.
type Mode string

const (
	// Local is a plain call. Messages are shared, not copied.
	Local Mode = "local"
	// Checked is a plain call that records a violation when a message changes after it was handed over.
	Checked Mode = "checked"
	// Wire is a call through grpc-go on loopback, made twice, of which the second answer is returned.
	Wire Mode = "wire"
	// remote is a call to another process; it is not chosen but follows from where the module is.
	remote Mode = "remote"
)

// ParseMode returns the mode that a configuration names.
func ParseMode(name string) (Mode, error) {
	switch m := Mode(name); m {
	case Local, Checked, Wire:
		return m, nil
	}
	return "", fmt.Errorf("placement %q is none of local, checked, wire", name)
}

// Config is what the seams of a process are made of.
type Config struct {
	Mode Mode
	Log  *slog.Logger
	// Registry holds the metrics of calls.
	Registry prometheus.Registerer
	// Tracer makes a span for a call under a sampled one; nil makes none.
	Tracer trace.Tracer
	// InTransaction tells whether a context is that of an open transaction, as database.InTransaction does. Calls with such a context
	// are refused. Nil is for processes without a database.
	InTransaction func(context.Context) bool
	// Here tells which modules are in this process; nil says all but the Remotes.
	Here func(module string) bool
	// Remotes are the modules that other processes have, each with the client that calls it. Whoever made the clients closes them, after
	// the seams. A module that is neither here nor a remote cannot be called.
	Remotes map[string]*rpc.Client
	// Server serves the modules of this process to others; nil serves nothing.
	Server *rpc.Server
}

// Seams are the places at which this process can be cut, one per module that is called.
type Seams struct {
	config     Config
	calls      *prometheus.HistogramVec
	violations violations

	mu      sync.Mutex
	servers []*rpc.Server // of mode wire
	clients []*rpc.Client
	running sync.WaitGroup
}

// New returns the seams of a process. Close them when the modules are closed.
func New(config Config) (*Seams, error) {
	if _, err := ParseMode(string(config.Mode)); err != nil {
		return nil, err
	}
	if config.Tracer == nil {
		config.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if config.InTransaction == nil {
		config.InTransaction = func(context.Context) bool { return false }
	}
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kerf_call_seconds",
		Help: "Time that calls of a module's operations took for their callers, by placement and outcome.",
		// 1 µs, a local query, to 17 s.
		Buckets: prometheus.ExponentialBuckets(1e-6, 4, 13),
	}, []string{"module", "operation", "placement", "outcome"})
	if err := config.Registry.Register(calls); err != nil {
		return nil, fmt.Errorf("register the metrics of calls: %w", err)
	}
	return &Seams{config: config, calls: calls, violations: violations{log: config.Log}}, nil
}

// To returns the seam at which a module is called.
func (s *Seams) To(module string) *Seam { return &Seam{seams: s, module: module} }

// Violations returns what modes checked and wire have found so far: messages that were changed after they were handed over, and
// commands that answered differently when they were repeated.
func (s *Seams) Violations() []string {
	s.violations.recheck()
	return s.violations.all()
}

// Close ends the servers of mode wire, compares all messages that are remembered once more, and returns the violations as an error.
func (s *Seams) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, client := range s.clients {
		errs = append(errs, client.Close())
	}
	for _, server := range s.servers {
		server.Stop(5 * time.Second)
	}
	s.running.Wait()
	s.clients, s.servers = nil, nil
	for _, v := range s.Violations() {
		errs = append(errs, errors.New(v))
	}
	return errors.Join(errs...)
}

// Seam is the place between one module and its callers. The generated glue takes it.
type Seam struct {
	seams  *Seams
	module string
}

func (s *Seam) mode() Mode {
	here := s.seams.config.Here
	if here != nil && !here(s.module) || here == nil && s.seams.config.Remotes[s.module] != nil {
		return remote
	}
	return s.seams.config.Mode
}

// remote returns what calls the module in its process.
func (s *Seam) remote() rpc.Caller {
	if client := s.seams.config.Remotes[s.module]; client != nil {
		return client
	}
	return broken{fault.Unavailable(0, "unreachable", "no address of %s is known here", s.module)}
}

// loopback serves a module's service on a port of its own and returns what calls it there. A failure shows in each call.
func (s *Seam) loopback(register func(grpc.ServiceRegistrar)) rpc.Caller {
	client, err := s.seams.loopback(s.module, register)
	if err != nil {
		s.seams.config.Log.Error("no loopback for mode wire", "module", s.module, "error", err)
		return broken{fault.Internal(err, "no_loopback")}
	}
	return client
}

func (s *Seams) loopback(module string, register func(grpc.ServiceRegistrar)) (*rpc.Client, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := rpc.NewServer(rpc.ServerConfig{Log: s.config.Log, Tracer: s.config.Tracer})
	register(server.For(module))
	client, err := rpc.NewClient(rpc.ClientConfig{
		Module: module, Addresses: []string{lis.Addr().String()}, Log: s.config.Log,
		Policy: rpc.Policy{Attempts: 1}, // the seam repeats calls itself
	})
	if err != nil {
		return nil, errors.Join(err, lis.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers, s.clients = append(s.servers, server), append(s.clients, client)
	s.running.Go(func() {
		if err := server.Serve(lis); err != nil {
			s.config.Log.Error("the loopback of mode wire ended", "module", module, "error", err)
		}
	})
	return client, nil
}

// broken is a client that was never made.
type broken struct{ why *fault.Error }

func (b broken) Call(context.Context, rpc.Operation, proto.Message, proto.Message) error {
	return b.why
}

// message is a pointer to a generated message.
type message interface {
	proto.Message
	comparable
}
