package placement

import (
	"context"

	"google.golang.org/grpc"

	"kerf/platform/rpc"
)

// Place returns an operation of a module in this process as its callers see it. conn is what Loopback returned.
func Place[Req, Res message](at *Seam, operation Operation, owner Call[Req, Res], conn grpc.ClientConnInterface) Call[Req, Res] {
	b := newBoundary(at, operation, at.seams.config.Mode)
	switch b.mode {
	case Wire:
		return guarded(b, twice(b, over[Req, Res](b, conn)))
	case Checked:
		return guarded(b, checked(b, here(b, owner)))
	}
	return guarded(b, here(b, owner))
}

// Reach returns an operation that another process serves at conn.
func Reach[Req, Res message](at *Seam, operation Operation, conn grpc.ClientConnInterface) Call[Req, Res] {
	b := newBoundary(at, operation, remote)
	return guarded(b, over[Req, Res](b, conn))
}

// Serve returns what a gRPC server needs to serve an operation.
func Serve[Req, Res message](operation Operation, owner Call[Req, Res]) grpc.MethodDesc {
	answered := complete(owner)
	return grpc.MethodDesc{
		MethodName: operation.name(),
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

// over makes the call at conn.
func over[Req, Res message](b *boundary, conn grpc.ClientConnInterface) Call[Req, Res] {
	return func(ctx context.Context, req Req) (Res, error) {
		res := empty[Res]()
		if err := rpc.Invoke(ctx, conn, b.module, b.operation.Path, req, res); err != nil {
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
