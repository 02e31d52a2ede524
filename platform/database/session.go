package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io/fs"

	"gorm.io/gorm"
)

// backend is where a schema is kept: a SQLite file, or a schema of a PostgreSQL server.
type backend interface {
	// migrate brings the schema to the newest version that this build has, and refuses a newer one.
	migrate(ctx context.Context, migrations fs.FS) error
	// read opens the reading pool. It connects when it is used.
	read() (*sql.DB, gorm.Dialector)
	// write opens the writer's session.
	write(ctx context.Context) (session, error)
	// bind returns a query with its ? as the database wants them.
	bind(query string) string
	// join announces this process to the others that have the schema open.
	join(ctx context.Context, db *DB) (peers, error)
	close() error
}

// control is a statement that steers the transaction.
type control int

const (
	// Around each command.
	save control = iota
	undo
	release
	// Around a nested savepoint; the same name names the innermost.
	saveInner
	undoInner
	releaseInner
	begin
	commit
	rollback
)

var controlText = [...]string{
	save: "SAVEPOINT command", undo: "ROLLBACK TO command", release: "RELEASE command",
	saveInner: "SAVEPOINT nested", undoInner: "ROLLBACK TO nested", releaseInner: "RELEASE nested",
	begin: "BEGIN IMMEDIATE", commit: "COMMIT", rollback: "ROLLBACK",
}

// loss says what became of a group's transaction.
type loss int

const (
	intact loss = iota
	// spoiled: it is gone, and the command that ran is to blame.
	spoiled
	// cut: it is gone, and none of its commands is to blame, so all may run again.
	cut
	// unknown: nobody can tell whether it was committed.
	unknown
)

// session is the writer's way to the database: one connection, or one after another. Only the writer's goroutine uses it.
type session interface {
	// begin opens a transaction that sees all that was committed before, after ending one that was left open.
	begin() error
	// steer moves between savepoints. After an error lost tells what is left.
	steer(to control) error
	// settle waits for what was put off by executeLater.
	settle() error
	// commit makes the transaction durable, and wakes other processes that listen to the topics. After an error nothing of it is left,
	// unless the loss is unknown.
	commit(topics []string) (loss, error)
	// onceKnown has a begin call f, should the commit whose outcome is unknown turn out to have succeeded.
	onceKnown(f func())
	rollback()
	// transaction is a number that no other transaction of the session has.
	transaction() int64
	// lost tells what became of the transaction.
	lost() loss

	execute(query string, args []any) (driver.Result, error)
	executeLater(query string, args []any) error
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args []any) *sql.Row

	// closeRows closes the results that a command left open, and returns how many there were.
	closeRows() int
	// takeFailure returns the first failure of the database itself since it was last asked.
	takeFailure() error
	// failed returns the error of the statement that failed since the last savepoint that holds, or nil.
	failed() error
	// rest is called after a group, when nobody waits.
	rest()
	close() error
}

// peers are the other processes that have the schema open.
type peers interface {
	// acquire waits until this process has the job, and returns what is closed when it may no longer have it.
	acquire(ctx context.Context, job string) (lost <-chan struct{}, err error)
	release(job string)
	// owner is this process's number among its peers.
	owner() int64
	alive(ctx context.Context, owners []int64) (map[int64]bool, error)
	close() error
}
