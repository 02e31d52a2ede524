package work

import (
	"context"

	"kerf/platform/bus"
	"kerf/platform/database"
)

// origin is the request or event that asked for an item last: what the handler calls
// and publishes belongs to its trace and its correlation.
type origin struct {
	correlation, causation, traceParent string
}

func originOf(tx *database.Tx) (o origin) {
	ctx := tx.Gorm().Statement.Context // the command's own
	o.correlation, o.causation = bus.CauseOf(ctx)
	o.traceParent = bus.TraceParentOf(ctx)
	return o
}

// in gives a handler's context the item's origin.
func (o origin) in(ctx context.Context) context.Context {
	if o.correlation != "" {
		ctx = bus.WithCause(ctx, bus.Meta{ID: o.causation, CorrelationID: o.correlation})
	}
	return bus.WithTraceParent(ctx, o.traceParent)
}
