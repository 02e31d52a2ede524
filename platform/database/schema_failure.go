package database

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"kerf/platform/fault"
)

// Codes of PostgreSQL that mean something here.
const (
	uniqueViolation      = "23505"
	readOnlyTransaction  = "25006"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	diskFull             = "53100"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	planChanged          = "0A000" // cached plan must not change result type
	statementUnknown     = "26000"
)

// translate turns a failure of the database itself (connection lost, too many of them, disk full, shutdown, a statement or lock that took
// too long) into a fault of kind Unavailable. What a statement did wrong is its author's, and stays as it is. Who has a context that can end
// looks at that first.
func (s *schema) translate(err error) error {
	if f := (*fault.Error)(nil); err == nil || errors.As(err, &f) {
		return err
	}
	if c := (*pgconn.ConnectError)(nil); errors.As(err, &c) {
		return unavailable(s.module, oneLine{err})
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		switch {
		case p.Code == diskFull:
			return fault.Unavailable(retryAfter, "database_full", "the %s database is full", s.module).WithCause(err)
		case isFatal(p), p.Code == lockNotAvailable, p.Code == queryCanceled, p.Code == serializationFailure, p.Code == deadlockDetected,
			p.Code == readOnlyTransaction,
			// Connection, resources, operator, system, corruption.
			strings.HasPrefix(p.Code, "08"), strings.HasPrefix(p.Code, "53"), strings.HasPrefix(p.Code, "57P"),
			strings.HasPrefix(p.Code, "58"), strings.HasPrefix(p.Code, "XX00"):
			return unavailable(s.module, err)
		}
		return err
	}
	if isNetwork(err) {
		return unavailable(s.module, err)
	}
	return err
}

// mayRunAgain tells of errors that say nothing against the command: it met another session, or a plan that a migration has overtaken.
func mayRunAgain(p *pgconn.PgError) bool {
	return p.Code == serializationFailure || p.Code == deadlockDetected || isStale(p)
}

// isStale tells of a statement that must be prepared again.
func isStale(p *pgconn.PgError) bool {
	return p.Code == planChanged && p.Routine == "RevalidateCachedQuery" || p.Code == statementUnknown
}

// oneLine is an error that tells of each attempt to connect, and goes to a log or a terminal.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }

func isFatal(p *pgconn.PgError) bool {
	return p.SeverityUnlocalized == "FATAL" || p.SeverityUnlocalized == "PANIC"
}

// isNetwork tells whether err comes from the way to the server.
func isNetwork(err error) bool {
	var n net.Error // Also what took too long.
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, driver.ErrBadConn)
}
