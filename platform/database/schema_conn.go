package database

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxStatements is from how many prepared statements a connection forgets them all; a program has some hundreds, unless it builds them.
const maxStatements = 512

// link is one connection of the writer to PostgreSQL. What need not be waited for is put into a queue, and travels with the next statement:
// the round trip is most of what a statement costs.
type link struct {
	schema     *schema
	conn       *pgx.Conn
	pool       *sql.DB   // of this one connection
	session    *sql.Conn // the same, for whom it must be database/sql
	builder    pgx.ExtendedQueryBuilder
	statements map[string]*pgconn.StatementDescription
	prepared   int // statements ever, which gives them their names

	queue   []queued
	flushes int // how often the queue was sent
	results results

	failure error // the first one of the database itself
	broken  error // the first one of a statement since the last savepoint that holds
	late    error // the first one of a statement that nobody waited for
	cut     error // why the transaction is gone though its command is not to blame
}

// queued is a statement that waits to be sent.
type queued struct {
	statement *pgconn.StatementDescription
	args      []any
	role      role
}

// role is who waits for a statement's end: the writer, the command's end, the caller.
type role int

const (
	steering role = iota
	later
	asked
)

func (s *schema) link(ctx context.Context) (*link, error) {
	config := s.as("writer", map[string]string{
		"statement_timeout":                   milliseconds(writeTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(stoppedInside),
		"synchronous_commit":                  "on",
	})
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &impatient{conn}, nil
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, s.translateFor(ctx, err)
	}
	l := &link{schema: s, conn: conn}
	l.pool = sql.OpenDB(linkConnector{l})
	l.pool.SetMaxOpenConns(1)
	if l.session, err = l.pool.Conn(ctx); err == nil {
		err = l.prepareControls()
	}
	if err != nil {
		l.close()
		return nil, s.translateFor(ctx, err)
	}
	return l, nil
}

// impatient is a connection whose reader does not wait for ever for a server that has gone without a word, or was stopped.
type impatient struct{ net.Conn }

func (c *impatient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// prepareControls prepares, before anything can go wrong, what a transaction that failed needs.
func (l *link) prepareControls() error {
	l.statements = map[string]*pgconn.StatementDescription{}
	texts := []string{beginText, lockText, notifyText, controlText[commit], controlText[rollback], controlText[save], controlText[undo], controlText[release]}
	for _, text := range append(texts, nestedText[:]...) {
		if _, err := l.prepare(text); err != nil {
			return err
		}
	}
	return nil
}

// forget drops the prepared statements, outside a transaction, if they have become too many.
func (l *link) forget() error {
	if len(l.statements) < maxStatements {
		return nil
	}
	if _, err := l.conn.Exec(context.Background(), "DEALLOCATE ALL"); err != nil {
		return l.gone(err)
	}
	return l.prepareControls()
}

// prepare returns a statement, prepared on this connection. Before a new one it sends what is queued: while a transaction that failed waits to
// go back to a savepoint, nothing can be prepared.
func (l *link) prepare(text string) (*pgconn.StatementDescription, error) {
	if known := l.statements[text]; known != nil {
		return known, nil
	}
	if _, err := l.exchange(nil); err != nil {
		return nil, err
	}
	l.prepared++
	statement, err := l.conn.PgConn().Prepare(context.Background(), "kerf"+strconv.Itoa(l.prepared), text, nil)
	if err != nil {
		return nil, l.note(nil, err)
	}
	l.statements[text] = statement
	return statement, nil
}

// enqueue has a statement sent with the next one that is waited for.
func (l *link) enqueue(text string, args []any, role role) error {
	statement, err := l.prepare(text)
	if err == nil {
		l.queue = append(l.queue, queued{statement, args, role})
	}
	return err
}

// run executes a statement, after what is queued, and keeps its rows in found, unless that is nil.
func (l *link) run(text string, args []any, found *answer) (pgconn.CommandTag, error) {
	if err := l.enqueue(text, args, asked); err != nil {
		return pgconn.CommandTag{}, err
	}
	return l.exchange(found)
}

// exchange sends the queue, and reads all its answers: one round trip. It returns the result of the statement that was asked for, or the
// first error, for what comes after that was not executed.
func (l *link) exchange(found *answer) (tag pgconn.CommandTag, err error) {
	if len(l.queue) == 0 {
		return tag, nil
	}
	queue := l.queue
	l.queue = l.queue[:0]
	l.flushes++
	wire := l.conn.PgConn().StartPipeline(context.Background())
	sent := queue[:0]
	for _, q := range queue {
		mistake := l.builder.Build(l.conn.TypeMap(), q.statement, q.args) // An argument that does not fit; PostgreSQL does not get to know of it.
		if mistake == nil {
			wire.SendQueryStatement(q.statement, l.builder.ParamValues, l.builder.ParamFormats, l.builder.ResultFormats)
			sent = append(sent, q)
		} else if q.role == later && l.late == nil {
			l.late = mistake
		} else {
			err = mistake
		}
	}
	if failed := wire.Sync(); failed != nil {
		return tag, l.gone(failed)
	}
	tag, failed := l.receive(wire, sent, found)
	clear(queue)
	if failed != nil {
		err = failed
	}
	return tag, err
}

// receive reads the answers to what was sent.
func (l *link) receive(wire *pgconn.Pipeline, sent []queued, found *answer) (tag pgconn.CommandTag, err error) {
	for i := 0; ; {
		result, failed := wire.GetResults()
		if reader, ok := result.(*pgconn.ResultReader); ok {
			q := &sent[i]
			i++
			if q.role == asked {
				found.read(l.conn.TypeMap(), reader)
			}
			if tag, failed = reader.Close(); failed == nil {
				continue
			}
			i-- // Its error is the statement's.
		}
		switch {
		case failed != nil && !isStatement(failed) || l.conn.IsClosed():
			return tag, l.gone(failed)
		case failed != nil:
			err = l.note(&sent[i], failed) // What follows is skipped.
		default: // The end of what was sent.
			if failed := wire.Close(); failed != nil {
				return tag, l.gone(failed)
			}
			if err == nil {
				err = found.failed()
			}
			return tag, err
		}
	}
}

// isStatement tells whether the server refused a statement, and the connection is as good as before.
func isStatement(err error) bool {
	var p *pgconn.PgError
	return errors.As(err, &p) && !isFatal(p)
}

// gone records that the connection was lost, and the transaction with it.
func (l *link) gone(cause error) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // Nobody is there to say good-bye to.
	_ = l.conn.Close(ctx)
	if cause == nil {
		cause = pgconn.ErrConnClosed
	}
	err := error(unavailable(l.schema.module, cause))
	if l.cut == nil {
		l.cut = err
	}
	if l.failure == nil {
		l.failure = err
	}
	return err
}

// note translates the error of a statement, and remembers what follows from it.
func (l *link) note(q *queued, err error) error {
	if l.conn.IsClosed() {
		return l.gone(err)
	}
	err = l.schema.translate(err)
	if l.broken == nil {
		l.broken = err
	}
	if l.failure == nil && isFailure(err) {
		l.failure = err
	}
	var p *pgconn.PgError
	if errors.As(err, &p) && mayRunAgain(p) || q != nil && q.role == steering {
		l.cut = err
	}
	if q != nil && p != nil && isStale(p) {
		delete(l.statements, q.statement.SQL)
	}
	if q != nil && q.role == later && l.late == nil {
		l.late = err
	}
	return err
}

// close ends the connection. What is open of it in database/sql may stay so: its Close would wait for a result that somebody forgot.
func (l *link) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx)
	_ = l.pool.Close()
}
