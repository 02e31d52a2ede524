package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/stdlib"
)

// readConnector opens the connections of the reading pool of a PostgreSQL schema.
type readConnector struct {
	driver.Connector
	schema *schema
}

func (c *readConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, c.schema.translateFor(ctx, err)
	}
	return &reader{Conn: conn.(*stdlib.Conn), schema: c.schema}, nil
}

// translateFor is translate, for what ended with its caller's context if that has ended. A failure of the database that the caller did not
// wait for says so: it is the end of the caller's patience, and no fault of the statement.
func (s *schema) translateFor(ctx context.Context, err error) error {
	ended, translated := ctx.Err(), s.translate(err)
	switch {
	case ended == nil:
		return translated
	case isFailure(translated) && !errors.Is(err, ended):
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// reader is a connection that turns the database's own failures into faults, and takes arguments as SQLite's does.
type reader struct {
	*stdlib.Conn
	schema *schema
}

func (r *reader) CheckNamedValue(arg *driver.NamedValue) (err error) {
	arg.Value, err = argument(arg.Value)
	return err
}

// argument is a value as both databases take it: a bool is 0 or 1, for the columns are integers.
func argument(arg any) (driver.Value, error) {
	value, err := driver.DefaultParameterConverter.ConvertValue(arg)
	if truth, ok := value.(bool); ok {
		if truth {
			return int64(1), nil
		}
		return int64(0), nil
	}
	return value, err
}

func arguments(args []any) ([]any, error) {
	values := make([]any, len(args))
	for i, arg := range args {
		var err error
		if values[i], err = argument(arg); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return values, nil
}

func (r *reader) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := r.Conn.ExecContext(ctx, query, args)
	return result, r.check(ctx, err)
}

func (r *reader) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	found, err := r.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, r.check(ctx, err)
	}
	return &readRows{Rows: found.(*stdlib.Rows), ctx: ctx, schema: r.schema}, nil
}

// check says that a connection has gone, so that another one is tried: what only reads can be asked twice.
func (r *reader) check(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && r.Conn.Conn().IsClosed() {
		return driver.ErrBadConn
	}
	return r.schema.translateFor(ctx, err)
}

// readRows are the result of a query; the embedded type brings the optional methods that database/sql asks for.
type readRows struct {
	*stdlib.Rows
	ctx    context.Context
	schema *schema
}

func (r *readRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return r.schema.translateFor(r.ctx, err)
}
