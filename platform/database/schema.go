package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	// connectTimeout bounds one attempt to connect.
	connectTimeout = 5 * time.Second
	// stoppedInside is after how long the server ends a writer that went silent in the middle of a transaction, as a stopped process does:
	// it holds up the other processes' writers.
	stoppedInside = 2 * time.Second
	// lockTimeout bounds how long a group waits for the other processes' groups.
	lockTimeout = 10 * time.Second
	// writeTimeout and readTimeout bound a statement.
	writeTimeout = 15 * time.Second
	readTimeout  = 30 * time.Second
	// answerTimeout is after how long without an answer the writer's connection is given up. The server has ended the statement by then, if
	// there is a server.
	answerTimeout = 20 * time.Second
	// readersIdle is after how long a reading connection that nobody uses is closed.
	readersIdle = time.Minute
)

// patience is how long one waits for another before it goes on alone.
type patience struct {
	// reconnect bounds how long commands wait for the database to come back.
	reconnect time.Duration
	// resolve bounds how long they wait to be told what became of a commit.
	resolve time.Duration
	// heartbeat is how often a process shows the server that it lives, and asks for the jobs that it waits for.
	heartbeat time.Duration
	// silence is after how long without a heartbeat the server ends a presence, and lets others have its jobs. It is more than heartbeat and
	// beatTimeout together: who cannot reach the server must know that its jobs may be lost before others can have them.
	silence time.Duration
}

func usualPatience() patience {
	return patience{reconnect: 5 * time.Second, resolve: 10 * time.Second, heartbeat: 2 * time.Second, silence: 10 * time.Second}
}

// schema is a schema of a PostgreSQL server, which several processes may have open.
type schema struct {
	module string
	name   string
	config *pgx.ConnConfig
	log    *slog.Logger
	owner  int64 // of this process among those that have the schema open
	patience

	mu    sync.RWMutex
	bound map[string]string // queries with ? to queries with $1
}

var errDSN = errors.New("the DSN cannot be read; it is written postgres://ROLE:PASSWORD@HOST:PORT/DATABASE")

func openSchema(module, dsn string, log *slog.Logger) (*schema, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || dsn == "" {
		return nil, errDSN // The error itself would quote it, password and all.
	}
	config.ConnectTimeout = connectTimeout
	config.StatementCacheCapacity = 256
	s := &schema{module: module, name: module, config: config, log: log, owner: newOwner(), patience: usualPatience(), bound: map[string]string{}}
	if path := config.RuntimeParams["search_path"]; path != "" {
		s.name = path
	}
	config.RuntimeParams["search_path"] = pgx.Identifier{s.name}.Sanitize()
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "kerf " + module
	}
	return s, nil
}

// with returns the configuration of a connection with these settings of the server. What the DSN sets itself comes first.
func (s *schema) with(settings map[string]string) *pgx.ConnConfig {
	config := s.config.Copy()
	settings = maps.Clone(settings)
	maps.Copy(settings, config.RuntimeParams)
	config.RuntimeParams = settings
	return config
}

// as is with, for a connection whose purpose the server's list of sessions shows.
func (s *schema) as(purpose string, settings map[string]string) *pgx.ConnConfig {
	config := s.with(settings)
	config.RuntimeParams["application_name"] += " " + purpose
	return config
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// migrate runs the migrations while it holds a lock, so that processes which start at the same time do so one after another.
func (s *schema) migrate(ctx context.Context, migrations fs.FS) error {
	pool := stdlib.OpenDB(*s.as("migrations", map[string]string{
		"statement_timeout":    "0",
		"idle_session_timeout": "0",
		// A crash would undo the last ones as a whole, and they run again. The first commit of a writer makes them durable.
		"synchronous_commit": "off",
	}))
	defer pool.Close()
	lock, err := pool.Conn(ctx)
	if err != nil {
		return s.translate(err)
	}
	defer lock.Close()
	var there sql.NullString
	if err := lock.QueryRowContext(ctx, "SELECT current_schema()").Scan(&there); err != nil {
		return s.translate(err)
	}
	if !there.Valid {
		return fmt.Errorf("the schema %s is not there, or the role %s may not use it; the setup makes both", s.name, s.config.User)
	}
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_lock($1)", s.key("migrations")); err != nil {
		return s.translate(err)
	}
	// It goes with the connection.
	return migrate(ctx, pool, goose.DialectPostgres, s.module, "postgres", migrations)
}

func (s *schema) read() (*sql.DB, gorm.Dialector) {
	pool := sql.OpenDB(&readConnector{schema: s, Connector: stdlib.GetConnector(*s.as("reader", map[string]string{
		"default_transaction_read_only":       "on",
		"statement_timeout":                   milliseconds(readTimeout),
		"idle_in_transaction_session_timeout": milliseconds(readTimeout),
	}))})
	pool.SetConnMaxIdleTime(readersIdle)
	return pool, postgres.New(postgres.Config{Conn: pool})
}

func (s *schema) write(ctx context.Context) (session, error) { return openSchemaSession(ctx, s) }

func (s *schema) join(ctx context.Context, db *DB) (peers, error) { return joinPeers(ctx, s, db) }

func (s *schema) close() error { return nil }

// key is the number of an advisory lock. Such numbers belong to the whole database, so the schema's name is in it.
func (s *schema) key(lock string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "kerf\x00%s\x00%s", s.name, lock)
	return int64(h.Sum64())
}

// maxBound bounds how many queries are remembered; a program has some hundreds, unless it builds them.
const maxBound = 4096

// bind numbers the ? of a query, as PostgreSQL has it, but not those within quotes or comments. Each text is worked on once.
func (s *schema) bind(query string) string {
	s.mu.RLock()
	bound, known := s.bound[query]
	s.mu.RUnlock()
	if known {
		return bound
	}
	bound = number(query)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bound) < maxBound {
		s.bound[query] = bound
	}
	return bound
}

func number(query string) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(query); i++ {
		switch c := query[i]; {
		case c == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		case c == '\'' || c == '"': // A doubled quote within is the end of one and the beginning of the next.
			i += skip(&b, query[i:], string(c), 1)
		case strings.HasPrefix(query[i:], "--"):
			i += skip(&b, query[i:], "\n", 2)
		case strings.HasPrefix(query[i:], "/*"):
			i += skip(&b, query[i:], "*/", 2)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// skip copies what goes up to the end, which is looked for after the first bytes of the text, and returns how far beyond its first byte
// that was.
func skip(b *strings.Builder, text, end string, from int) int {
	length := len(text)
	if i := strings.Index(text[from:], end); i >= 0 {
		length = from + i + len(end)
	}
	b.WriteString(text[:length])
	return length - 1
}
