package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// file is a schema in a SQLite file that this process alone opens.
type file struct {
	module string
	path   string // absolute
	lock   *flock.Flock
	pool   *sql.DB // holds the one connection of the writer
	log    *slog.Logger
}

func openFile(module, dir string, log *slog.Logger) (*file, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	if err := requireWritable(dir); err != nil {
		return nil, err
	}
	f := &file{module: module, path: filepath.Join(dir, module+".db"), log: log}
	if err := f.acquire(filepath.Join(dir, lockOf(module))); err != nil {
		return nil, err
	}
	f.pool = sql.OpenDB(&connector{module: module, path: f.path})
	f.pool.SetMaxOpenConns(1)
	return f, nil
}

// requireWritable says of a folder that nothing can be made in it, which SQLite would say of a file, in words of its own. Whatever else
// goes wrong, a full disk for instance, is for those to say who meet it.
func requireWritable(dir string) error {
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err == nil {
		return errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("the folder %s is not writable: %w", dir, errors.Unwrap(err))
	}
	return nil
}

// lockOf is a file beside the module's own, since that is SQLite's to lock.
func lockOf(module string) string { return module + ".lock" }

// acquire takes the lock that keeps a second process out. The system lets go of it when this process ends, however it ends.
func (f *file) acquire(lock string) error {
	l := flock.New(lock)
	taken, err := l.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", lock, err)
	}
	if !taken {
		return fmt.Errorf("%s is in use by another process; replicas need PostgreSQL", f.path)
	}
	f.lock = l
	return nil
}

func (f *file) migrate(ctx context.Context, migrations fs.FS) error {
	return migrate(ctx, f.pool, goose.DialectSQLite3, f.module, "sqlite", migrations)
}

func (f *file) read() (*sql.DB, gorm.Dialector) {
	pool := sql.OpenDB(&connector{module: f.module, path: f.path, readOnly: true})
	return pool, sqlite.New(sqlite.Config{Conn: pool})
}

func (f *file) write(ctx context.Context) (session, error) { return openFileSession(ctx, f) }

func (f *file) bind(query string) string { return query }

func (f *file) join(context.Context, *DB) (peers, error) { return newAlone(), nil }

func (f *file) close() error {
	return errors.Join(f.pool.Close(), f.lock.Unlock())
}
