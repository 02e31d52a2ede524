package database

import (
	"context"
	"errors"
	"sync/atomic"

	"kerf/platform/fault"
)

// The states of a command: its caller may give it up only until the writer takes it.
const (
	waiting int32 = iota
	taken
	abandoned
)

// command is one call of Write.
type command struct {
	ctx    context.Context
	f      func(ctx context.Context, tx *Tx) error
	state  atomic.Int32
	done   chan struct{} // receives once, when err is final
	hooks  []func()
	topics []string
	err    error
}

// Write runs f in a transaction, and returns once it is durable, with others' commands in the same commit where they wait. An
// error of f is returned unchanged, and f's writes are undone.
//
// f may be run twice. Its context has the caller's values, but cannot end; the caller's deadline is looked at only before f
// begins, and then the context's error is returned, wrapped: nothing was written. After a failure of the database itself the
// error is a fault of kind Unavailable with code database_full or database_unavailable; after a panic of f, Internal. When the connection
// was lost while the commit ran, and what became of it could not be found out in time, it is Unknown with code database_outcome_unknown.
func (db *DB) Write(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	if InTransaction(ctx) {
		return fault.Internal(errors.New("Write was called within a transaction"), "write_in_transaction")
	}
	c := &command{ctx: ctx, f: f, done: make(chan struct{}, 1)}
	if err := db.writer.enqueue(c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	}
	if c.state.CompareAndSwap(waiting, abandoned) {
		return notBegun(db.module, ctx.Err())
	}
	<-c.done
	return c.err
}

func (w *writer) enqueue(c *command) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return unavailable(w.db.module, errClosed)
	}
	select {
	case w.queue <- c:
		return nil
	default:
	}
	select {
	case w.queue <- c:
		return nil
	case <-c.ctx.Done():
		return notBegun(w.db.module, c.ctx.Err())
	}
}
