package rpc

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"path"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"kerf/platform/fault"
)

// ServerConfig is what a Server is made of.
type ServerConfig struct {
	Log *slog.Logger
	// Registry counts the calls served; nil counts nothing.
	Registry prometheus.Registerer
	// Tracer makes a span for a call whose caller is sampled; nil makes none.
	Tracer trace.Tracer
	// Trust tells which peers may send a principal; nil is Loopback.
	Trust func(*peer.Peer) bool
}

// Server serves operations of modules to other processes. Services are registered through For, before Serve.
type Server struct {
	config   ServerConfig
	served   *prometheus.HistogramVec
	services map[string]map[string]*grpc.ServiceDesc // by service, then by module
	server   *grpc.Server
}

// NewServer returns a server without services.
func NewServer(config ServerConfig) *Server {
	if config.Trust == nil {
		config.Trust = Loopback
	}
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
	s.server = grpc.NewServer(grpc.UnaryInterceptor(s.intercept), grpc.MaxRecvMsgSize(maxMessageSize))
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

// Serve answers calls on lis until Stop, and returns nil then.
func (s *Server) Serve(lis net.Listener) error {
	for _, name := range slices.Sorted(maps.Keys(s.services)) {
		s.server.RegisterService(route(name, s.services[name]), nil)
	}
	return s.server.Serve(lis)
}

// Stop takes no new calls, waits for those under way for the grace period at most, and closes all connections.
func (s *Server) Stop(grace time.Duration) {
	timer := time.AfterFunc(grace, s.server.Stop)
	defer timer.Stop()
	s.server.GracefulStop()
}

// route returns one description for a service of several modules, whose methods pick the module that the caller names.
func route(name string, modules map[string]*grpc.ServiceDesc) *grpc.ServiceDesc {
	routed := &grpc.ServiceDesc{ServiceName: name}
	methods := map[string]map[string]grpc.MethodHandler{} // by method, then by module
	for module, d := range modules {
		routed.Metadata = d.Metadata
		for _, m := range d.Methods {
			if methods[m.MethodName] == nil {
				methods[m.MethodName] = map[string]grpc.MethodHandler{}
			}
			methods[m.MethodName][module] = m.Handler
		}
	}
	for method, handlers := range methods {
		routed.Methods = append(routed.Methods, grpc.MethodDesc{MethodName: method, Handler: pick(handlers)})
	}
	return routed
}

func pick(handlers map[string]grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		module := calledModule(ctx)
		if handler, ok := handlers[module]; ok {
			return handler(srv, ctx, decode, interceptor)
		}
		if module == "" && len(handlers) == 1 { // a client that is not ours need not know of modules
			for _, handler := range handlers {
				return handler(srv, ctx, decode, interceptor)
			}
		}
		// Without a Detail: the module may well serve this, elsewhere.
		return nil, status.Errorf(codes.Unimplemented, "module %q is not in this process", module)
	}
}

func calledModule(ctx context.Context) string {
	sent, _ := metadata.FromIncomingContext(ctx)
	return value(sent, moduleKey)
}

// intercept gives each call its caller, cause and span, and turns its error or panic into a status.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (res any, err error) {
	start := time.Now()
	module, operation := calledModule(ctx), path.Base(info.FullMethod)
	ctx, err = incoming(ctx, s.config.Trust)
	if err == nil {
		res, err = s.handle(ctx, req, info, handler)
	}
	outcome := fault.KindOK
	if err != nil {
		f := Answer(ctx, s.config.Log, module, operation, err)
		outcome, res, err = f.Kind, nil, Status(f).Err()
	}
	s.served.WithLabelValues(module, operation, outcome.String()).Observe(time.Since(start).Seconds())
	return res, err
}

func (s *Server) handle(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (res any, err error) {
	defer func() {
		if r := recover(); r != nil {
			res, err = nil, Panicked(r)
		}
	}()
	if trace.SpanContextFromContext(ctx).IsSampled() {
		var span trace.Span
		ctx, span = s.config.Tracer.Start(ctx, info.FullMethod, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
	}
	return handler(ctx, req)
}
