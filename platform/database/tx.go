package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Tx is the transaction of one command. It belongs to the function that was given it: it is not used from another goroutine,
// nor after that function returned.
type Tx struct {
	ctx    txContext
	db     *DB
	writer *writer // nil once the command has ended
	hooks  []func()
	topics []string // to notify
}

// txContext carries the values of the caller's context into a command, but neither its deadline nor its cancellation: a
// command that began runs to its end, and a context that can be cancelled would cost a goroutine per statement.
type txContext struct {
	caller context.Context
	db     *DB
}

func (c *txContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *txContext) Done() <-chan struct{}       { return nil }
func (c *txContext) Err() error                  { return nil }

// Module returns the name of the module whose database this is.
func (tx *Tx) Module() string { return tx.db.module }

// Gorm returns a GORM session within the transaction. It opens no transactions of its own: use Savepoint.
func (tx *Tx) Gorm() *gorm.DB {
	session := tx.db.orm.WithContext(&tx.ctx)
	session.Statement.ConnPool = gormPool{tx}
	return session
}

// Exec runs a statement, prepared once, with ? for each argument. When the database itself fails, here or in a query, the error
// is a fault of kind Unavailable, and the whole command fails with it, even one that does not look.
//
// A statement that fails ends what the command can do, unless it is within a Savepoint: later ones are refused, and a command that
// returns no error all the same fails with Internal statement_failed. The result has no LastInsertId; use RETURNING.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	return tx.exec(tx.db.backend.bind(query), args)
}

func (tx *Tx) exec(query string, args []any) (sql.Result, error) {
	if err := refuseControl(query); err != nil {
		return nil, err
	}
	if file := tx.writer.file; file != nil {
		return file.execute(query, args)
	}
	return tx.writer.session.execute(query, slices.Clone(args)) // The copy is what is allocated, not the caller's own.
}

// ExecLater is Exec for a statement whose result and failure the command does not look at: it may travel to the database with the next
// one, or at the command's end, which saves a round trip. If it fails, the command fails with its error, a savepoint around it or not. The
// arguments must not change until the command ends.
func (tx *Tx) ExecLater(query string, args ...any) error {
	if err := tx.usable(); err != nil {
		return err
	}
	if err := refuseControl(query); err != nil {
		return err
	}
	return tx.writer.session.executeLater(tx.db.backend.bind(query), args)
}

// Query runs a query, prepared once, with ? for each argument. The caller closes the rows before the command ends.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	return tx.query(tx.db.backend.bind(query), args)
}

func (tx *Tx) query(query string, args []any) (*sql.Rows, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	return tx.writer.session.query(&tx.ctx, query, args)
}

// QueryRow runs a query for at most one row; its error comes with Scan, and Scan must be called.
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	return tx.queryRow(tx.db.backend.bind(query), args)
}

func (tx *Tx) queryRow(query string, args []any) *sql.Row {
	if err := tx.usable(); err != nil {
		return tx.db.readers.QueryRowContext(failedContext{&tx.ctx, err}, query)
	}
	return tx.writer.session.queryRow(&tx.ctx, query, args)
}

// usable tells why no further statement can run, if so.
func (tx *Tx) usable() error {
	if tx.writer == nil {
		return errEnded
	}
	if err := tx.writer.session.failed(); err != nil {
		return statementFailed(err)
	}
	return nil
}

// Savepoint runs f, and undoes what it wrote, and asked for after the commit, if it returns an error, which is returned
// unchanged. A statement that failed within it has no other consequence. Savepoints may nest.
func (tx *Tx) Savepoint(f func() error) (err error) {
	if err := tx.usable(); err != nil {
		return err
	}
	session := tx.writer.session
	if err := session.steer(saveInner); err != nil {
		return err
	}
	hooks, topics, kept := len(tx.hooks), len(tx.topics), false
	defer func() { // However f ends, a panic included.
		if !kept {
			tx.hooks, tx.topics = tx.hooks[:hooks], tx.topics[:topics]
			if undo := errors.Join(session.steer(undoInner), session.steer(releaseInner)); undo != nil {
				err = undo
			}
		}
	}()
	if err := f(); err != nil {
		return err
	}
	if err := session.failed(); err != nil {
		return statementFailed(err)
	}
	kept = true
	return session.steer(releaseInner)
}

// AfterCommit has f run once, after the commit that made this command durable and before its caller is answered; never if the
// command is rolled back. It runs on the writer, so it must not block: it wakes somebody.
func (tx *Tx) AfterCommit(f func()) { tx.hooks = append(tx.hooks, f) }

// controls are the statements that would end or nest the transaction behind the writer's back.
var controls = []string{"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"}

func refuseControl(query string) error {
	query = strings.TrimLeft(query, " \t\r\n")
	for _, word := range controls {
		if len(query) >= len(word) && strings.EqualFold(query[:len(word)], word) {
			return fmt.Errorf("database: %s within a command; use Tx.Savepoint", word)
		}
	}
	return nil
}

type transactionKey struct{}

// Value returns what the caller's context holds, and the mark of a transaction.
func (c *txContext) Value(key any) any {
	if key == (transactionKey{}) {
		return c.db
	}
	return c.caller.Value(key)
}

// InTransaction tells whether ctx comes from within a command. Who waits for somebody else refuses such a context: the
// module's only writer would wait too.
func InTransaction(ctx context.Context) bool { return ctx.Value(transactionKey{}) != nil }

// gormPool is how GORM reaches the transaction's connection. Its statements have the database's own placeholders.
type gormPool struct{ tx *Tx }

func (p gormPool) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, errors.New("database: statements are prepared by themselves")
}

func (p gormPool) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.tx.usable(); err != nil {
		return nil, err
	}
	return p.tx.exec(query, args)
}

func (p gormPool) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.tx.query(query, args)
}

func (p gormPool) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return p.tx.queryRow(query, args)
}
