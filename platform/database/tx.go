package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if tx.writer == nil {
		return nil, errEnded
	}
	if err := refuseControl(query); err != nil {
		return nil, err
	}
	return tx.writer.conn.execute(query, args)
}

// Query runs a query, prepared once, with ? for each argument. The caller closes the rows before the command ends.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if tx.writer == nil {
		return nil, errEnded
	}
	return tx.writer.session.QueryContext(&tx.ctx, query, args...)
}

// QueryRow runs a query for at most one row; its error comes with Scan, and Scan must be called.
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	if tx.writer == nil {
		return tx.db.readers.QueryRowContext(failedContext{&tx.ctx, errEnded}, query, args...)
	}
	return tx.writer.session.QueryRowContext(&tx.ctx, query, args...)
}

// Savepoint runs f, and undoes what it wrote, and asked for after the commit, if it returns an error, which is returned
// unchanged. Savepoints may nest.
func (tx *Tx) Savepoint(f func() error) (err error) {
	if tx.writer == nil {
		return errEnded
	}
	if err := tx.writer.steer(saveInner); err != nil {
		return err
	}
	hooks, kept := len(tx.hooks), false
	defer func() { // However f ends, a panic included.
		if !kept {
			tx.hooks = tx.hooks[:hooks]
			if undo := errors.Join(tx.writer.steer(undoInner), tx.writer.steer(releaseInner)); undo != nil {
				err = undo
			}
		}
	}()
	if err := f(); err != nil {
		return err
	}
	kept = true
	return tx.writer.steer(releaseInner)
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

// gormPool is how GORM reaches the transaction's connection.
type gormPool struct{ tx *Tx }

func (p gormPool) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, errors.New("database: statements are prepared by themselves")
}

func (p gormPool) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return p.tx.Exec(query, args...)
}

func (p gormPool) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.tx.Query(query, args...)
}

func (p gormPool) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return p.tx.QueryRow(query, args...)
}
