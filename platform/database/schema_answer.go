package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// answer is the whole result of a query. A connection to PostgreSQL does one thing at a time; read to its end at once, a result lets other
// statements run while somebody goes through it, as SQLite does.
type answer struct {
	columns []string
	rows    [][]driver.Value
	err     error
}

func (a *answer) read(types *pgtype.Map, reader *pgconn.ResultReader) {
	if a == nil {
		return
	}
	fields := reader.FieldDescriptions()
	a.columns = make([]string, len(fields))
	for i := range fields {
		a.columns[i] = fields[i].Name
	}
	for reader.NextRow() {
		row := make([]driver.Value, len(fields))
		for i, source := range reader.Values() {
			var err error
			if row[i], err = decode(types, &fields[i], source); err != nil && a.err == nil {
				a.err = err
			}
		}
		a.rows = append(a.rows, row)
	}
}

func (a *answer) failed() error {
	if a == nil {
		return nil
	}
	return a.err
}

// decode makes of a column what database/sql knows.
func decode(types *pgtype.Map, field *pgconn.FieldDescription, source []byte) (driver.Value, error) {
	if source == nil {
		return nil, nil
	}
	if kind, known := types.TypeForOID(field.DataTypeOID); known {
		return kind.Codec.DecodeDatabaseSQLValue(types, field.DataTypeOID, field.Format, source)
	}
	return string(source), nil
}

// results counts those that are open. Nobody but the command they were made for closes them; what a later one's count has to do with
// an older result is told by the number of the sweep.
type results struct{ open, sweep int }

// heldRows are an answer as database/sql reads it.
type heldRows struct {
	answer
	next   int
	sweep  int
	of     *results
	closed bool
}

func (r *heldRows) Columns() []string { return r.columns }

func (r *heldRows) Next(dest []driver.Value) error {
	if r.next == len(r.rows) {
		return io.EOF
	}
	copy(dest, r.rows[r.next])
	r.next++
	return nil
}

func (r *heldRows) Close() error {
	if !r.closed && r.sweep == r.of.sweep {
		r.of.open--
	}
	r.closed = true
	return nil
}

// linkConnector hands a link to database/sql, once.
type linkConnector struct{ link *link }

func (c linkConnector) Connect(context.Context) (driver.Conn, error) { return linkConn(c), nil }
func (c linkConnector) Driver() driver.Driver                        { return nil }

// linkConn is a link as database/sql sees it.
type linkConn struct{ link *link }

var errUnused = errors.New("database: the writer's connection is used by its session only")

func (c linkConn) Prepare(string) (driver.Stmt, error) { return nil, errUnused }
func (c linkConn) Begin() (driver.Tx, error)           { return nil, errUnused }
func (c linkConn) Close() error                        { return nil }

func (c linkConn) CheckNamedValue(arg *driver.NamedValue) (err error) {
	arg.Value, err = argument(arg.Value)
	return err
}

func (c linkConn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	values := make([]any, len(args))
	for i := range args {
		values[i] = args[i].Value
	}
	rows := &heldRows{of: &c.link.results, sweep: c.link.results.sweep}
	if _, err := c.link.run(query, values, &rows.answer); err != nil {
		return nil, err
	}
	rows.of.open++
	return rows, nil
}
