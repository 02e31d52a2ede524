package placement

import (
	"context"

	"google.golang.org/grpc"

	"kerf/platform/rpc"
)

// Site is where a module's service S is reached from this process.
type Site[S any] struct {
	seam    *Seam
	mode    Mode
	service S          // in this process
	caller  rpc.Caller // elsewhere, or over the wire
}

// At returns where the service of the seam's module is: service itself, which is served to other processes then, or what is at the other
// end of the wire. Of a module that is in another process service may be nil.
func At[S any](seam *Seam, service S, register func(grpc.ServiceRegistrar, S)) Site[S] {
	site := Site[S]{seam: seam, mode: seam.mode(), service: service}
	if site.mode == remote {
		site.caller = seam.remote()
		return site
	}
	if server := seam.seams.config.Server; server != nil {
		register(server.For(seam.module), service)
	}
	if site.mode == Wire {
		site.caller = seam.loopback(func(s grpc.ServiceRegistrar) { register(s, service) })
	}
	return site
}

// Place returns an operation of a module as its callers see it, wherever the module is.
func Place[S any, Req, Res message](at Site[S], operation Operation, method func(S, context.Context, Req) (Res, error)) Call[Req, Res] {
	b := newBoundary(at.seam, operation, at.mode)
	if at.mode == remote {
		return guarded(b, over[Req, Res](b, at.caller))
	}
	if at.mode == Wire {
		return guarded(b, twice(b, over[Req, Res](b, at.caller)))
	}
	owner := here(b, func(ctx context.Context, req Req) (Res, error) { return method(at.service, ctx, req) })
	if at.mode == Checked {
		return guarded(b, checked(b, owner))
	}
	return guarded(b, owner)
}

// Serve returns what a server needs to serve an operation.
func Serve[Req, Res message](operation Operation, owner Call[Req, Res]) grpc.MethodDesc {
	answered := complete(owner)
	return grpc.MethodDesc{
		MethodName: operation.Name(),
		Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			req := empty[Req]()
			if err := decode(req); err != nil {
				return nil, err
			}
			handle := func(ctx context.Context, req any) (any, error) { return answered(ctx, req.(Req)) }
			if interceptor == nil {
				return handle(ctx, req)
			}
			return interceptor(ctx, req, &grpc.UnaryServerInfo{Server: srv, FullMethod: operation.Path}, handle)
		},
	}
}

// over makes the call through a caller.
func over[Req, Res message](b *boundary, caller rpc.Caller) Call[Req, Res] {
	return func(ctx context.Context, req Req) (Res, error) {
		res := empty[Res]()
		if err := caller.Call(ctx, b.operation, req, res); err != nil {
			var none Res
			return none, err
		}
		return res, nil
	}
}

// empty returns a new message of a type.
func empty[M message]() M {
	var none M
	return none.ProtoReflect().New().Interface().(M)
}
