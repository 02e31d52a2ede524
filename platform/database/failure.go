package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"kerf/platform/fault"
)

// retryAfter is when a caller may ask again after the database itself failed.
const retryAfter = time.Second

var errClosed = errors.New("the database is closed")

var errEnded = errors.New("database: a transaction was used after its end")

// statementFailed is what a command gets that goes on after one of its statements failed. SQLite would let it, but on PostgreSQL the
// failure ends all that can be done up to a savepoint, and commands behave alike on both.
func statementFailed(cause error) error {
	return fault.Internal(fmt.Errorf("the command went on after a statement had failed outside a savepoint: %w", cause), "statement_failed")
}

// translate turns a failure of the database itself (disk full, I/O, locked file, corruption) into a fault of kind Unavailable.
// What a statement did wrong (a constraint, bad SQL) is its author's, and stays as it is.
func (c *connector) translate(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrFull:
		return fault.Unavailable(retryAfter, "database_full", "the %s database is full", c.module).WithCause(err)
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrCantOpen,
		sqlite3.ErrNomem, sqlite3.ErrPerm, sqlite3.ErrProtocol:
		return unavailable(c.module, err)
	case sqlite3.ErrReadonly:
		if !c.readOnly { // On the reading pool it is a mistake of the statement.
			return unavailable(c.module, err)
		}
	}
	return err
}

func unavailable(module string, cause error) *fault.Error {
	return fault.Unavailable(retryAfter, "database_unavailable", "the %s database is not available", module).WithCause(cause)
}

func isFailure(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Kind == fault.KindUnavailable
}

// IsDuplicate tells whether err says that a row with this primary or unique key exists already, whether it came through GORM
// or from plain SQL.
func IsDuplicate(err error) bool {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return true
	}
	if p := (*pgconn.PgError)(nil); errors.As(err, &p) {
		return p.Code == uniqueViolation
	}
	var e sqlite3.Error
	return errors.As(err, &e) &&
		(e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// notBegun is the answer to a command whose caller's time ran out before it began: nothing was written.
func notBegun(module string, cause error) error {
	return fmt.Errorf("%s database: the command was not begun: %w", module, cause)
}

// failedContext is a context that has ended with err. It carries an error into the APIs of database/sql that return *sql.Row.
type failedContext struct {
	context.Context
	err error
}

var ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (c failedContext) Done() <-chan struct{} { return ended }
func (c failedContext) Err() error            { return c.err }
