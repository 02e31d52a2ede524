package placement

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

// Operation is what the glue tells of a method.
type Operation = rpc.Operation

// Command describes an operation that has an effect.
func Command(path string) Operation { return Operation{Path: path, Command: true} }

// Query describes an operation without effect.
func Query(path string) Operation { return Operation{Path: path} }

// Call is an operation as its caller sees it. An error is a *fault.Error.
type Call[Req, Res message] func(context.Context, Req) (Res, error)

// boundary is what all calls of one operation at one seam share: its guards, its metrics and its spans.
type boundary struct {
	seams     *Seams
	module    string
	operation Operation
	mode      Mode
	outcomes  []atomic.Pointer[prometheus.Observer] // by kind, made when first seen
}

func newBoundary(at *Seam, operation Operation, mode Mode) *boundary {
	return &boundary{
		seams: at.seams, module: at.module, operation: operation, mode: mode,
		outcomes: make([]atomic.Pointer[prometheus.Observer], len(fault.Kinds())),
	}
}

// refuse returns why a call must not be made, or nil.
func (b *boundary) refuse(ctx context.Context) *fault.Error {
	if b.seams.config.InTransaction(ctx) {
		// It would make one module's only writer wait for the network, or for itself.
		return fault.New(fault.KindInternal, "call_in_transaction", "%s of %s was called inside a transaction", b.operation.Name(), b.module)
	}
	return fault.As(ctx.Err())
}

func (b *boundary) observe(start time.Time, kind fault.Kind) {
	seen := b.outcomes[kind].Load()
	if seen == nil {
		observer := b.seams.calls.WithLabelValues(b.module, b.operation.Name(), string(b.mode), kind.String())
		seen = &observer
		b.outcomes[kind].Store(seen)
	}
	(*seen).Observe(time.Since(start).Seconds())
}

// guarded puts what every placement has in common around a call.
func guarded[Req, Res message](b *boundary, call Call[Req, Res]) Call[Req, Res] {
	return func(ctx context.Context, req Req) (Res, error) {
		start := time.Now()
		if f := b.refuse(ctx); f != nil {
			b.observe(start, f.Kind)
			var none Res
			return none, f
		}
		if trace.SpanContextFromContext(ctx).IsSampled() {
			return traced(ctx, start, b, call, req)
		}
		res, err := call(ctx, req)
		b.observe(start, fault.KindOf(err))
		return res, err
	}
}

func traced[Req, Res message](ctx context.Context, start time.Time, b *boundary, call Call[Req, Res], req Req) (Res, error) {
	kind := trace.SpanKindInternal
	if b.mode == Wire || b.mode == remote {
		kind = trace.SpanKindClient
	}
	ctx, span := b.seams.config.Tracer.Start(ctx, b.operation.Path, trace.WithSpanKind(kind), trace.WithAttributes(
		attribute.String("kerf.module", b.module), attribute.String("kerf.placement", string(b.mode))))
	defer span.End()
	res, err := call(ctx, req)
	outcome := fault.KindOf(err)
	if err != nil {
		span.SetStatus(codes.Error, outcome.String())
	}
	b.observe(start, outcome)
	return res, err
}

// here calls the owner in this process, and turns what it must not do into errors: to panic, to return an error that is no
// fault, to return nothing at all.
func here[Req, Res message](b *boundary, owner Call[Req, Res]) Call[Req, Res] {
	answered := complete(owner)
	return func(ctx context.Context, req Req) (res Res, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = rpc.Panicked(r)
			}
			if err != nil {
				var none Res
				res, err = none, rpc.Answer(ctx, b.seams.config.Log, b.module, b.operation.Name(), err)
			}
		}()
		return answered(ctx, req)
	}
}

// complete makes an error of an answer that is neither a response nor an error. Over the wire it would pass as an empty response.
func complete[Req, Res message](owner Call[Req, Res]) Call[Req, Res] {
	return func(ctx context.Context, req Req) (Res, error) {
		res, err := owner(ctx, req)
		var none Res
		if err == nil && res == none {
			return none, fault.New(fault.KindInternal, "no_answer", "internal error")
		}
		return res, err
	}
}
