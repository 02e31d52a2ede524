package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	// busyTimeout bounds how long a statement waits for a lock that another process holds on the file.
	busyTimeout = 2 * time.Second
	// statementCache is how many prepared statements each connection keeps.
	statementCache = 64
	// writerCacheKiB and readerCacheKiB bound the page cache of a connection; there may be five for each of nine modules.
	writerCacheKiB = 2048
	readerCacheKiB = 512
	// checkpointPages is after how many pages of log a commit copies it into the file.
	checkpointPages = 2000
)

// connector opens SQLite connections with the settings that durability and speed depend on.
type connector struct {
	module   string
	path     string // absolute
	readOnly bool
}

func (c *connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	// A connection is used by one goroutine at a time, so its own mutex would only cost.
	query := url.Values{"_stmt_cache_size": {strconv.Itoa(statementCache)}, "_mutex": {"no"}}
	dsn := url.URL{Scheme: "file", Path: c.path, RawQuery: query.Encode()}
	raw, err := c.Driver().Open(dsn.String())
	if err != nil {
		return nil, c.translate(err)
	}
	conn := &connection{SQLiteConn: raw.(*sqlite3.SQLiteConn), connector: c}
	for _, pragma := range c.pragmas() {
		if _, err := conn.execute("PRAGMA "+pragma, nil); err != nil {
			conn.Close()
			return nil, fmt.Errorf("set %s: %w", pragma, err)
		}
	}
	return conn, nil
}

func (c *connector) pragmas() []string {
	set := []string{
		// First, because the other settings may meet a lock.
		fmt.Sprintf("busy_timeout = %d", busyTimeout.Milliseconds()),
		"journal_mode = WAL",
		"synchronous = FULL",
		"foreign_keys = ON",
		// Savepoints keep old pages in a temporary journal, which must not be a file on the hot path.
		"temp_store = MEMORY",
	}
	if c.readOnly {
		return append(set, fmt.Sprintf("cache_size = -%d", readerCacheKiB), "query_only = ON")
	}
	return append(set,
		fmt.Sprintf("cache_size = -%d", writerCacheKiB),
		fmt.Sprintf("wal_autocheckpoint = %d", checkpointPages),
		fmt.Sprintf("journal_size_limit = %d", walLimit))
}

// connection is one SQLite connection with prepared statements cached by their text. It turns the database's own failures into
// faults, remembers the first one, and knows the results that nobody closed: an open result holds the log back.
//
// The caller serialises its use: database/sql by its lock, the writer by being alone.
type connection struct {
	*sqlite3.SQLiteConn
	connector *connector
	failure   error // the first one of the database itself
	broken    error // the first one of a statement since the last savepoint that holds
	open      []*rows
	values    []driver.NamedValue
}

// ExecContext runs a statement without its caller's ability to cancel it, which would cost a goroutine each time.
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	result, err := c.SQLiteConn.ExecContext(context.Background(), query, args)
	return result, c.note(err)
}

func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.note(err)
	}
	result := &rows{SQLiteRows: r.(*sqlite3.SQLiteRows), conn: c}
	c.open = append(c.open, result)
	return result, nil
}

func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.SQLiteConn.PrepareContext(ctx, query)
	return s, c.note(err)
}

func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.SQLiteConn.BeginTx(ctx, opts)
	return tx, c.note(err)
}

// execute runs a statement past database/sql, which saves its locks and allocations. Arguments are converted as there.
func (c *connection) execute(query string, args []any) (driver.Result, error) {
	values := c.values[:0]
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		values = append(values, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	c.values = values
	result, err := c.SQLiteConn.ExecContext(context.Background(), query, values)
	clear(values)
	return result, c.note(err)
}

func (c *connection) setBusyTimeout(d time.Duration) error {
	_, err := c.execute(fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds()), nil)
	return err
}

// note translates err, and remembers it if it is a failure of the database itself.
func (c *connection) note(err error) error {
	if err == nil {
		return nil
	}
	err = c.connector.translate(err)
	if c.broken == nil {
		c.broken = err
	}
	if c.failure == nil && isFailure(err) {
		c.failure = err
	}
	return err
}

// takeFailure returns the first failure since it was last asked.
func (c *connection) takeFailure() error {
	err := c.failure
	c.failure = nil
	return err
}

// closeRows closes the results that their reader left open, and returns how many there were.
func (c *connection) closeRows() int {
	left := len(c.open)
	for len(c.open) > 0 {
		c.open[len(c.open)-1].Close()
	}
	return left
}

// rows are the result of a query; the embedded type brings the optional methods that database/sql asks for.
type rows struct {
	*sqlite3.SQLiteRows
	conn *connection
}

func (r *rows) Next(dest []driver.Value) error {
	err := r.SQLiteRows.Next(dest)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return r.conn.note(err)
}

func (r *rows) Close() error {
	open := r.conn.open
	for i := len(open) - 1; i >= 0; i-- {
		if open[i] == r {
			open[i] = open[len(open)-1]
			open[len(open)-1] = nil
			r.conn.open = open[:len(open)-1]
			break
		}
	}
	return r.SQLiteRows.Close()
}
