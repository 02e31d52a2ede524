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
	"sync"
	"syscall"

	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"kerf/platform/fault"
)

// maxReaders is how many connections read at a time.
const maxReaders = 4

// Config says where modules keep their data.
type Config struct {
	Driver string // "sqlite"
	Dir    string // the folder of the files; made if it is missing
}

// DB is the database of one module, open and migrated. It is safe for concurrent use.
type DB struct {
	module  string
	lock    *flock.Flock
	writers *sql.DB // holds the one connection of the writer
	readers *sql.DB
	orm     *gorm.DB
	writer  *writer
	metrics *metrics
	closing sync.Once
	closed  error // what closing it gave
}

// Open opens the module's database, creating and migrating it as needed. It fails at once, in one line, if another process has
// it open, and if it was written by a newer build. A nil registerer leaves the metrics unregistered.
func Open(ctx context.Context, module string, cfg Config, migrations fs.FS, log *slog.Logger, reg prometheus.Registerer) (*DB, error) {
	if cfg.Driver != "" && cfg.Driver != "sqlite" {
		return nil, fmt.Errorf("database %s: driver %q is not supported", module, cfg.Driver)
	}
	db := &DB{module: module}
	if err := db.open(ctx, cfg, migrations, log, reg); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", module, err), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, cfg Config, migrations fs.FS, log *slog.Logger, reg prometheus.Registerer) error {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := requireWritable(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, db.module+".db")
	if err := db.acquire(filepath.Join(dir, db.module+".lock"), path); err != nil {
		return err
	}

	db.writers = sql.OpenDB(&connector{module: db.module, path: path})
	db.writers.SetMaxOpenConns(1)
	if err := migrate(ctx, db.writers, db.module, migrations); err != nil {
		return err
	}
	db.readers = sql.OpenDB(&connector{module: db.module, path: path, readOnly: true})
	db.readers.SetMaxOpenConns(maxReaders)
	db.readers.SetMaxIdleConns(maxReaders)
	if db.orm, err = openGorm(db.readers); err != nil {
		return err
	}
	if db.metrics, err = newMetrics(db.module, reg); err != nil {
		return err
	}
	db.writer, err = startWriter(ctx, db, path, log)
	return err
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

// acquire takes the lock that keeps a second process out. The system lets go of it when this process ends, however it ends.
func (db *DB) acquire(lock, path string) error {
	l := flock.New(lock)
	taken, err := l.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", lock, err)
	}
	if !taken {
		return fmt.Errorf("%s is in use by another process", path)
	}
	db.lock = l
	return nil
}

func openGorm(readers *sql.DB) (*gorm.DB, error) {
	return gorm.Open(sqlite.New(sqlite.Config{Conn: readers}), &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		Logger:                 logger.Discard,
		NamingStrategy:         schema.NamingStrategy{SingularTable: true},
	})
}

// Module returns the name of the module whose data this is.
func (db *DB) Module() string { return db.module }

// Read returns a GORM session on the reading pool. It sees what is committed, and cannot write. Within a command it fails:
// what the commands of the group have written would be missing; use Tx.Gorm.
func (db *DB) Read(ctx context.Context) *gorm.DB {
	return db.orm.WithContext(reading(ctx))
}

// Query runs a query on the reading pool, prepared once for each connection, under the same rules as Read. The caller closes
// the rows.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.readers.QueryContext(reading(ctx), query, args...)
}

// QueryRow runs a query for at most one row, like Query; its error comes with Scan.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return db.readers.QueryRowContext(reading(ctx), query, args...)
}

// reading refuses a read from within a command.
func reading(ctx context.Context) context.Context {
	if InTransaction(ctx) {
		return failedContext{ctx, fault.Internal(errors.New("the reading pool was used within a transaction"), "read_in_transaction")}
	}
	return ctx
}

// Close answers the commands that wait, refuses later ones, and closes the database. Closing again does nothing.
func (db *DB) Close() error {
	db.closing.Do(func() { db.closed = db.close() })
	return db.closed
}

func (db *DB) close() error {
	var errs []error
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	for _, pool := range []*sql.DB{db.readers, db.writers} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if db.metrics != nil {
		db.metrics.unregister()
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Unlock())
	}
	return errors.Join(errs...)
}
