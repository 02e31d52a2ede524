package bus

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

type causeKey struct{}

type cause struct{ correlation, causation string }

// WithCause marks what is done under the context as caused by an event: what it publishes carries the event's correlation id, or its
// id if it has none, and its id as causation id. The edge passes a Meta that has only a CorrelationID, the request's id.
func WithCause(ctx context.Context, meta Meta) context.Context {
	c := cause{correlation: meta.CorrelationID, causation: meta.ID}
	if c.correlation == "" {
		c.correlation = meta.ID
	}
	return context.WithValue(ctx, causeKey{}, c)
}

// CauseOf returns the ids that WithCause set, empty if there are none.
func CauseOf(ctx context.Context) (correlation, causation string) {
	c, _ := ctx.Value(causeKey{}).(cause)
	return c.correlation, c.causation
}

const traceParentHeader = "traceparent"

// TraceParentOf returns the W3C trace context of the span in ctx, empty if there is none.
func TraceParentOf(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceParentHeader]
}

// WithTraceParent makes the remote span that traceParent names the parent of spans started under the context. A value that is empty
// or malformed changes nothing.
func WithTraceParent(ctx context.Context, traceParent string) context.Context {
	if traceParent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceParentHeader: traceParent})
}
