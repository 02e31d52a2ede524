package rpc

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"kerf/platform/fault"
)

// route is one operation, as it is served for one module or several.
type route struct {
	server     *Server
	path, name string
	owners     map[string]*owner // by module
}

// owner is one module's side of an operation.
type owner struct {
	server       *Server
	module, name string
	handle       func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error)
	outcomes     []atomic.Pointer[prometheus.Observer] // by kind, made when first seen
}

func newOwner(s *Server, module string, m grpc.MethodDesc) *owner {
	return &owner{server: s, module: module, name: m.MethodName, handle: m.Handler,
		outcomes: make([]atomic.Pointer[prometheus.Observer], len(fault.Kinds()))}
}

// elsewhere says that a module is not in this process. It is no fault, and travels without a Detail: the module may well serve the
// operation at another address.
type elsewhere struct{ module string }

func (e elsewhere) Error() string { return fmt.Sprintf("module %q is not in this process", e.module) }

// pick returns the module that a call means: the one it names, or the only one for a client that is not ours and need not know of
// modules.
func (r *route) pick(module string) (*owner, error) {
	if o, ok := r.owners[module]; ok {
		return o, nil
	}
	if module == "" && len(r.owners) == 1 {
		for _, o := range r.owners {
			return o, nil
		}
	}
	return nil, elsewhere{module}
}

// serve answers a call, whatever it came by. An error is elsewhere, or the fault that the caller is told.
func (r *route) serve(ctx context.Context, from *caller, beside sent, decode func(any) error) (any, error) {
	start := time.Now()
	about := parseAbout(beside.value(callKey))
	o, err := r.pick(about.module)
	if err != nil {
		return nil, err
	}
	ctx, f := o.admit(ctx, from, about, traceParent(beside.value(traceKey)))
	var res any
	if f == nil {
		if res, err = o.answer(ctx, r.path, decode); err == nil {
			o.observe(start, fault.KindOK)
			return res, nil
		}
		f = Answer(ctx, r.server.config.Log, o.module, o.name, err)
	}
	o.observe(start, f.Kind)
	return nil, f
}

// admit lets a caller in, and gives the context who asks, and why. The context is never nil.
func (o *owner) admit(ctx context.Context, from *caller, about about, parent traceParent) (context.Context, *fault.Error) {
	config := &o.server.config
	f := from.refuse(config.Allow, o.module, o.name)
	if f == nil {
		var known context.Context
		if known, f = o.server.incoming(ctx, from, about, parent); f == nil {
			return known, nil
		}
	}
	config.Log.WarnContext(ctx, "refused a caller", "module", o.module, "operation", o.name, "code", f.Code, "caller", from.modules)
	return ctx, f
}

// answer has the module answer a call, in a span if the caller is in one that is sampled, and makes an error of its panic.
func (o *owner) answer(ctx context.Context, path string, decode func(any) error) (res any, err error) {
	defer func() {
		if r := recover(); r != nil {
			res, err = nil, Panicked(r)
		}
	}()
	if trace.SpanContextFromContext(ctx).IsSampled() {
		var span trace.Span
		ctx, span = o.server.config.Tracer.Start(ctx, path, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
	}
	return o.handle(nil, ctx, decode, nil)
}

func (o *owner) observe(start time.Time, kind fault.Kind) {
	seen := o.outcomes[kind].Load()
	if seen == nil {
		observer := o.server.served.WithLabelValues(o.module, o.name, kind.String())
		seen = &observer
		o.outcomes[kind].Store(seen)
	}
	(*seen).Observe(time.Since(start).Seconds())
}

// grpcMethod serves the operation by gRPC.
func (r *route) grpcMethod() grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: r.name,
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			res, err := r.serve(ctx, grpcCaller(ctx), sentMetadata{ctx}, func(req any) error { return malformed(decode(req)) })
			if err != nil {
				return nil, statusOf(err)
			}
			return res, nil
		},
	}
}

// malformed makes a fault of an error of decoding. Its text, which may quote the message, is told to whoever has sent that.
func malformed(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.KindInvalid, "malformed", "the message cannot be read: %v", err)
}
