package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"kerf/platform/fault"
)

// Answer returns what the caller of an operation is told of an error, the same in every placement: the fault in its chain, or an
// internal one, without its cause. The cause is of no use to another module, and goes to the log here, where the operation ends.
func Answer(ctx context.Context, log *slog.Logger, module, operation string, err error) *fault.Error {
	f := fault.As(err)
	if f == nil || f.Cause == nil {
		return f
	}
	level := slog.LevelInfo
	if f.Kind == fault.KindInternal {
		level = slog.LevelError
	}
	log.LogAttrs(ctx, level, "operation failed", slog.String("module", module), slog.String("operation", operation),
		slog.String("outcome", f.Kind.String()), slog.String("code", f.Code), slog.Any("error", err))
	told := *f
	told.Cause = nil
	return &told
}

// Panicked returns the error for a panic that was recovered in an operation, with its stack for the log. It is to be called by the
// deferred function itself, while the stack still stands.
func Panicked(value any) error {
	return fault.Internal(fmt.Errorf("panic: %v\n%s", value, debug.Stack()), "panic")
}
