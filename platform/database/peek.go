package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/stdlib"
)

// Place is where a module's data is, or would be.
type Place struct {
	Name   string // for messages: the file's path, or the schema, its database and server
	Shared bool   // on a server that several processes can reach
	Made   bool   // there is something: a file that is not empty, a schema with tables
	Found  bool   // Peek's query had a row
}

// Peek looks into a module's schema that is not open, without making, locking or migrating anything. If the table is there, the
// query, for at most one row of it, is scanned into dest. A file that another process has open can be looked into too.
func Peek(ctx context.Context, module string, cfg Config, table, query string, dest ...any) (Place, error) {
	place, err := peek(ctx, module, cfg, table, query, dest)
	if err != nil {
		return place, fmt.Errorf("database %s: %w", module, err)
	}
	return place, nil
}

func peek(ctx context.Context, module string, cfg Config, table, query string, dest []any) (Place, error) {
	switch cfg.Driver {
	case "", "sqlite":
		dir, err := filepath.Abs(cfg.Dir)
		if err != nil {
			return Place{}, err
		}
		place := Place{Name: filepath.Join(dir, module+".db")}
		info, err := os.Stat(place.Name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return place, nil
		}
		if err != nil {
			return place, err
		}
		pool := sql.OpenDB(&connector{module: module, path: place.Name, readOnly: true})
		defer pool.Close()
		return place.look(ctx, pool, "SELECT name FROM sqlite_master WHERE type = 'table'", table, query, dest)
	case "postgres":
		s, err := openSchema(module, cfg.DSN, nil)
		if err != nil {
			return Place{}, err
		}
		place := Place{Shared: true, Name: fmt.Sprintf("schema %s of database %s on %s:%d", s.name, s.config.Database, s.config.Host, s.config.Port)}
		pool := stdlib.OpenDB(*s.with(map[string]string{"default_transaction_read_only": "on"}))
		defer pool.Close()
		pool.SetMaxOpenConns(1)
		place, err = place.look(ctx, pool, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()", table, query, dest)
		return place, s.translate(err)
	}
	return Place{}, fmt.Errorf("driver %q is not supported", cfg.Driver)
}

// Held tells whether a process that has not ended yet has the file open that a module's data is, or was, in a folder. Where this process may
// not look, it is not.
func Held(module, dir string) (bool, error) {
	path := filepath.Join(dir, lockOf(module))
	if _, err := os.Stat(path); err != nil {
		return false, nil // or the lock would be made
	}
	l := flock.New(path)
	free, err := l.TryRLock()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("database %s: lock %s: %w", module, path, err)
	}
	return !free, l.Close()
}

// look asks for the tables that there are, and for the row.
func (p Place) look(ctx context.Context, pool *sql.DB, tables, table, query string, dest []any) (Place, error) {
	rows, err := pool.QueryContext(ctx, tables)
	if err != nil {
		return p, err
	}
	defer rows.Close()
	there := false
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return p, err
		}
		p.Made = true
		there = there || name == table
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || !there {
		return p, err
	}
	switch err := pool.QueryRowContext(ctx, query).Scan(dest...); {
	case err == nil:
		p.Found = true
	case !errors.Is(err, sql.ErrNoRows):
		return p, err
	}
	return p, nil
}
