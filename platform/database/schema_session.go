package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"kerf/platform/fault"
)

// firstPause and lastPause are between attempts to connect, and to find out.
const firstPause, lastPause = 10 * time.Millisecond, 500 * time.Millisecond

// The statements that begin and end a transaction on PostgreSQL.
const (
	beginText  = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	lockText   = "SELECT pg_advisory_xact_lock($1), pg_current_xact_id()::text"
	statusText = "SELECT pg_xact_status($1::text::xid8)"
	notifyText = "SELECT pg_notify($1, $2)"
)

// maxDepth bounds how deep savepoints nest.
const maxDepth = 4

// nestedText are the statements of nested savepoints, save, undo and release for each depth. The names differ, so that going back to an outer
// one needs no inner one to be released first.
var nestedText = [3 * maxDepth]string{
	"SAVEPOINT nested1", "ROLLBACK TO nested1", "RELEASE nested1", "SAVEPOINT nested2", "ROLLBACK TO nested2", "RELEASE nested2",
	"SAVEPOINT nested3", "ROLLBACK TO nested3", "RELEASE nested3", "SAVEPOINT nested4", "ROLLBACK TO nested4", "RELEASE nested4",
}

// schemaSession is the writer's way to a PostgreSQL schema.
//
// Each transaction first takes the schema's writer lock, so the groups of all processes run one after another, and a statement sees all
// that the groups before wrote (READ COMMITTED): commands read, decide and write as if they were alone. The lock goes with the transaction.
//
// Savepoints cost no round trip: they travel with the first statement after them. The first command of a group has none, for if it is
// refused, the transaction is begun anew.
type schemaSession struct {
	schema *schema
	link   *link // nil until the next begin connects

	number  int64  // of the transaction
	xid     string // the server's own number of it
	inside  bool   // a transaction is open
	first   bool   // no command has run in it
	refused bool   // its first command was undone: nothing of it is left
	command mark
	nested  []mark

	doubt *doubt
}

// mark is a savepoint: where in the queue it was put, and whether it is there.
type mark struct {
	state   markState
	index   int
	flushes int // of the link when it was put there
}

type markState int

const (
	absent markState = iota
	bare             // the transaction's begin takes its place
	put
	clean // gone back to, with nothing done since
)

// doubt is a commit whose outcome is unknown.
type doubt struct {
	xid       string
	committed func()
}

func openSchemaSession(ctx context.Context, s *schema) (*schemaSession, error) {
	link, err := s.link(ctx)
	if err != nil {
		return nil, err
	}
	return &schemaSession{schema: s, link: link}, nil
}

// begin connects anew, for a while, if the connection is lost: nothing was done on it that anybody relies on.
func (s *schemaSession) begin() error {
	s.rollback()
	deadline := time.Now().Add(s.schema.patience.reconnect)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := s.tryBegin()
		if err == nil {
			return nil
		}
		s.rollback()
		if s.connected() && s.doubt == nil || time.Now().After(deadline) { // It is there, and refuses.
			return err
		}
		<-time.After(pause)
	}
}

func (s *schemaSession) tryBegin() (err error) {
	if err := s.connect(); err != nil {
		return err
	}
	if s.doubt != nil {
		if _, err := s.resolve(); err != nil {
			return err
		}
	}
	l := s.link
	if err := l.forget(); err != nil {
		return err
	}
	l.failure, l.broken, l.late, l.cut = nil, nil, nil, nil
	s.inside = true
	if err := l.enqueue(beginText, nil, steering); err != nil {
		return err
	}
	var locked answer
	if _, err := l.run(lockText, []any{s.schema.key("writer")}, &locked); err != nil {
		return err
	}
	s.xid, _ = locked.rows[0][1].(string)
	s.number++
	s.first, s.refused, s.command, s.nested = true, false, mark{}, s.nested[:0]
	return nil
}

func (s *schemaSession) connect() (err error) {
	if s.connected() {
		return nil
	}
	s.drop()
	s.link, err = s.schema.link(context.Background())
	return err
}

func (s *schemaSession) connected() bool { return s.link != nil && !s.link.conn.IsClosed() }

func (s *schemaSession) drop() {
	if s.link != nil {
		s.link.close()
		s.link = nil
	}
}

// What pg_xact_status says; it says nothing of a transaction that is too long ago.
const (
	statusCommitted  = "committed"
	statusAborted    = "aborted"
	statusInProgress = "in progress"
)

// resolve asks what became of the commit that is in doubt. While that is in progress, its session has not noticed yet that nobody is
// there, and has the lock.
func (s *schemaSession) resolve() (status string, err error) {
	var found answer
	if _, err := s.link.run(statusText, []any{s.doubt.xid}, &found); err != nil {
		return "", err
	}
	status, _ = found.rows[0][0].(string)
	switch status {
	case statusInProgress:
		return status, unavailable(s.schema.module, errors.New("an earlier commit is still in progress"))
	case statusCommitted:
		if s.doubt.committed != nil {
			s.doubt.committed()
		}
	case statusAborted:
	default:
		s.schema.log.Error("what became of a commit cannot be found out any more", "module", s.schema.module, "transaction", s.doubt.xid)
	}
	s.doubt = nil
	return status, nil
}

func (s *schemaSession) commit(topics []string) (loss, error) {
	if s.refused {
		s.rollback()
		return intact, nil
	}
	l := s.link
	if len(l.queue) == 1 && l.queue[0].statement.SQL == controlText[release] { // That is for those who go on.
		l.queue = l.queue[:0]
	}
	for _, topic := range topics {
		if err := l.enqueue(notifyText, []any{s.schema.name, s.schema.notice(topic)}, steering); err != nil {
			return s.afterCommit(err)
		}
	}
	tag, err := l.run(controlText[commit], nil, nil)
	if err == nil && tag.String() != "COMMIT" {
		err = unavailable(s.schema.module, errors.New("the commit was answered with "+tag.String()))
	}
	return s.afterCommit(err)
}

// afterCommit tells what is left when a commit ended with err. If the connection was lost, the commit may have succeeded before: nobody
// guesses, the server is asked.
func (s *schemaSession) afterCommit(err error) (loss, error) {
	if err == nil {
		s.inside = false
		return intact, nil
	}
	if s.connected() {
		lost := spoiled
		if s.link.cut != nil || isFailure(err) {
			lost = cut
		}
		s.rollback()
		return lost, err
	}
	s.inside = false
	s.doubt = &doubt{xid: s.xid}
	deadline := time.Now().Add(s.schema.patience.resolve)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		var status string
		failed := s.connect()
		if failed == nil {
			status, failed = s.resolve()
		}
		switch {
		case failed == nil && status == statusCommitted:
			return intact, nil
		case failed == nil && status == statusAborted:
			return cut, err
		case failed == nil || time.Now().After(deadline):
			return unknown, fault.Unknown(retryAfter, "database_outcome_unknown", "the %s database did not say what became of the command",
				s.schema.module).WithCause(err)
		}
		<-time.After(pause)
	}
}

func (s *schemaSession) onceKnown(f func()) {
	if s.doubt != nil {
		s.doubt.committed = f
	}
}

// rollback ends the transaction, if need be together with the connection.
func (s *schemaSession) rollback() {
	inside := s.inside
	s.inside, s.refused, s.command, s.nested = false, false, mark{}, s.nested[:0]
	if !s.connected() {
		return
	}
	s.link.queue = s.link.queue[:0]
	if !inside {
		return
	}
	if _, err := s.link.run(controlText[rollback], nil, nil); err != nil {
		s.drop()
	}
}

func (s *schemaSession) lost() loss {
	if !s.inside || !s.connected() || s.link.cut != nil {
		return cut
	}
	return intact
}

func (s *schemaSession) transaction() int64 { return s.number }

func (s *schemaSession) settle() error {
	if s.lost() != intact {
		return s.gone()
	}
	for _, q := range s.link.queue {
		if q.role == later {
			_, _ = s.link.exchange(nil)
			break
		}
	}
	return s.link.late
}

// gone is the error of who wants to go on though the connection was lost.
func (s *schemaSession) gone() error {
	if s.link != nil && s.link.cut != nil {
		return s.link.cut
	}
	return unavailable(s.schema.module, pgconn.ErrConnClosed)
}

func (s *schemaSession) execute(query string, args []any) (driver.Result, error) {
	values, err := arguments(args)
	if err != nil {
		return nil, err
	}
	tag, err := s.link.run(query, values, nil)
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(tag.RowsAffected()), nil
}

func (s *schemaSession) executeLater(query string, args []any) error {
	values, err := arguments(args)
	if err != nil {
		return err
	}
	return s.link.enqueue(query, values, later)
}

func (s *schemaSession) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return s.link.session.QueryContext(ctx, query, args...)
}

func (s *schemaSession) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	return s.link.session.QueryRowContext(ctx, query, args...)
}

func (s *schemaSession) closeRows() int {
	left := s.link.results.open
	s.link.results = results{sweep: s.link.results.sweep + 1}
	return left
}

func (s *schemaSession) takeFailure() error {
	err := s.link.failure
	s.link.failure = nil
	return err
}

func (s *schemaSession) failed() error {
	return s.link.broken
}

func (s *schemaSession) rest() {}

func (s *schemaSession) close() error {
	s.rollback()
	s.drop()
	return nil
}
