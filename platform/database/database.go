package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	naming "gorm.io/gorm/schema"

	"kerf/platform/fault"
)

// defaultReaders is how many connections read at a time, unless configured.
const defaultReaders = 4

// Config says where a module keeps its data.
type Config struct {
	Driver string // "sqlite", which is the default, or "postgres"
	Dir    string // sqlite: the folder of the files; made if it is missing
	// DSN is, for postgres, the URL of the database with the module's own role, as Setup returns it. The schema is called as the module is,
	// unless the URL says search_path. The schema must exist.
	DSN string
	// Pool is how many connections read at a time; 0 is 4. One more writes, and on PostgreSQL one more keeps the locks of this process.
	Pool int

	patience *patience // of PostgreSQL; nil is the usual one
}

// DB is the database of one module, open and migrated. It is safe for concurrent use.
type DB struct {
	module  string
	log     *slog.Logger
	backend backend
	shared  bool
	readers *sql.DB
	orm     *gorm.DB
	writer  *writer
	peers   peers
	jobs    jobs
	notices notices
	metrics *metrics
	closing sync.Once
	closed  error // what closing it gave
}

// Open opens the module's database and migrates it. A SQLite file is made if it is missing, and Open fails at once, in one line, if
// another process has it open; several processes may open a schema of PostgreSQL, and its migrations run once. Open fails too if the
// schema was written by a newer build. A nil registerer leaves the metrics unregistered.
func Open(ctx context.Context, module string, cfg Config, migrations fs.FS, log *slog.Logger, reg prometheus.Registerer) (*DB, error) {
	db := &DB{module: module, log: log}
	if err := db.open(ctx, cfg, migrations, reg); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", module, err), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, cfg Config, migrations fs.FS, reg prometheus.Registerer) (err error) {
	if db.backend, err = openBackend(db.module, cfg, db.log); err != nil {
		return err
	}
	if err := db.backend.migrate(ctx, migrations); err != nil {
		return err
	}
	_, db.shared = db.backend.(*schema)
	pool, dialector := db.backend.read()
	db.readers = pool
	readers := cmp.Or(cfg.Pool, defaultReaders)
	db.readers.SetMaxOpenConns(readers)
	db.readers.SetMaxIdleConns(readers)
	if db.orm, err = openGorm(dialector); err != nil {
		return err
	}
	if db.metrics, err = newMetrics(db.module, reg); err != nil {
		return err
	}
	if db.writer, err = startWriter(ctx, db); err != nil {
		return err
	}
	db.peers, err = db.backend.join(ctx, db)
	return err
}

func openBackend(module string, cfg Config, log *slog.Logger) (backend, error) {
	var opened backend
	var err error
	switch cfg.Driver {
	case "", "sqlite":
		opened, err = openFile(module, cfg.Dir, log)
	case "postgres":
		var s *schema
		if s, err = openSchema(module, cfg.DSN, log); err == nil && cfg.patience != nil {
			s.patience = *cfg.patience
		}
		opened = s
	default:
		err = fmt.Errorf("driver %q is not supported", cfg.Driver)
	}
	if err != nil {
		return nil, err
	}
	return opened, nil
}

func openGorm(dialector gorm.Dialector) (*gorm.DB, error) {
	return gorm.Open(dialector, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		Logger:                 logger.Discard,
		NamingStrategy:         naming.NamingStrategy{SingularTable: true},
	})
}

// Module returns the name of the module whose data this is.
func (db *DB) Module() string { return db.module }

// Shared tells whether other processes may have the same schema open.
func (db *DB) Shared() bool { return db.shared }

// Read returns a GORM session on the reading pool. It sees what is committed, and cannot write. Within a command it fails:
// what the commands of the group have written would be missing; use Tx.Gorm.
func (db *DB) Read(ctx context.Context) *gorm.DB {
	return db.orm.WithContext(reading(ctx))
}

// Query runs a query, with ? for each argument, on the reading pool, prepared once for each connection, under the same rules as Read. The caller closes
// the rows.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.readers.QueryContext(reading(ctx), db.backend.bind(query), args...)
}

// QueryRow runs a query for at most one row, like Query; its error comes with Scan.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return db.readers.QueryRowContext(reading(ctx), db.backend.bind(query), args...)
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
	if db.peers != nil {
		errs = append(errs, db.peers.close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	if db.readers != nil {
		errs = append(errs, db.readers.Close())
	}
	if db.metrics != nil {
		db.metrics.unregister()
	}
	if db.backend != nil {
		errs = append(errs, db.backend.close())
	}
	return errors.Join(errs...)
}
