package rpc

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// streamWorkers is how many goroutines wait for calls. Each holds a stack of some KiB.
const streamWorkers = 16

// maxMessageSize bounds a request and a response, in bytes.
const maxMessageSize = 16 << 20

// ServerConfig is what a Server is made of.
type ServerConfig struct {
	Log *slog.Logger
	// Registry counts the calls served; nil counts nothing.
	Registry prometheus.Registerer
	// Tracer makes a span for a call whose caller is sampled; nil makes none.
	Tracer trace.Tracer
	// Allow tells whether a process that has the modules callers may call an operation of a module. Nil allows it to every process that
	// has a certificate. Without TLS nobody is asked: processes on this machine may call everything, others nothing.
	Allow func(callers []string, module, operation string) bool
	// SpeaksForUsers are the modules that pass on who asks. Of others only their own principal, service:<module>, is believed.
	SpeaksForUsers []string
}

// Server serves operations of modules to other processes: gRPC over HTTP/2, and Connect, with protobuf or JSON, over HTTP/1.1.
// Services are registered through For, before anything is served.
type Server struct {
	config     ServerConfig
	served     *prometheus.HistogramVec
	services   map[string]map[string]*grpc.ServiceDesc // by service, then by module
	principals principals

	start  sync.Once
	server *grpc.Server
	http   http.Handler
}

// NewServer returns a server without services.
func NewServer(config ServerConfig) *Server {
	if config.Tracer == nil {
		config.Tracer = noop.NewTracerProvider().Tracer("")
	}
	s := &Server{config: config, services: map[string]map[string]*grpc.ServiceDesc{}}
	s.served = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "kerf_served_seconds",
		Help:    "Time that calls from other processes took here, by module, operation and outcome.",
		Buckets: prometheus.ExponentialBuckets(50e-6, 4, 9),
	}, []string{"module", "operation", "outcome"})
	if config.Registry != nil {
		config.Registry.MustRegister(s.served)
	}
	s.server = grpc.NewServer(
		grpc.Creds(handshaken{}),
		// Goroutines that stay have grown their stacks; more calls than these get goroutines of their own.
		grpc.NumStreamWorkers(streamWorkers),
		grpc.MaxRecvMsgSize(maxMessageSize), grpc.MaxSendMsgSize(maxMessageSize),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveEvery / 2, PermitWithoutStream: true}),
		// So that a certificate which was taken away or has run out does not serve for ever.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: time.Hour, MaxConnectionAgeGrace: time.Minute}),
	)
	return s
}

// For returns the registrar of a module. Several modules may register the same service: a call names the module that it means.
func (s *Server) For(module string) grpc.ServiceRegistrar { return registrar{s, module} }

type registrar struct {
	server *Server
	module string
}

func (r registrar) RegisterService(d *grpc.ServiceDesc, _ any) {
	if r.server.services[d.ServiceName] == nil {
		r.server.services[d.ServiceName] = map[string]*grpc.ServiceDesc{}
	}
	r.server.services[d.ServiceName][r.module] = d
}

// build makes what serves the services that are registered by now.
func (s *Server) build() {
	s.start.Do(func() {
		mux := http.NewServeMux()
		for _, service := range slices.Sorted(maps.Keys(s.services)) {
			routes := s.routes(service)
			d := &grpc.ServiceDesc{ServiceName: service}
			for _, r := range routes {
				d.Methods = append(d.Methods, r.grpcMethod())
				mux.Handle(r.path, r.connectHandler())
			}
			s.server.RegisterService(d, nil)
		}
		s.http = mux
	})
}

// routes returns the operations of a service, with the modules that serve it.
func (s *Server) routes(service string) []*route {
	routes := map[string]*route{}
	for module, d := range s.services[service] {
		for _, m := range d.Methods {
			r := routes[m.MethodName]
			if r == nil {
				r = &route{server: s, path: "/" + service + "/" + m.MethodName, name: m.MethodName, owners: map[string]*owner{}}
				routes[m.MethodName] = r
			}
			r.owners[module] = newOwner(s, module, m)
		}
	}
	return slices.SortedFunc(maps.Values(routes), func(a, b *route) int { return strings.Compare(a.path, b.path) })
}

// Serve answers gRPC on lis until Stop, and returns nil then.
func (s *Server) Serve(lis net.Listener) error {
	s.build()
	err := s.server.Serve(lis)
	if errors.Is(err, grpc.ErrServerStopped) { // before it began
		return nil
	}
	return err
}

// over returns a handler that answers Connect at the paths of the services, and leaves other paths to next.
func (s *Server) over(next http.Handler) http.Handler {
	s.build()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if _, here := s.services[service]; ok && here {
			s.http.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Stop takes no new calls of gRPC, waits for those under way for the grace period at most, and closes all connections.
func (s *Server) Stop(grace time.Duration) {
	timer := time.AfterFunc(grace, s.server.Stop)
	defer timer.Stop()
	s.server.GracefulStop()
}
