package database_test

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

// server is a fresh schema of PostgreSQL, and an administrator who can look at it.
type server struct {
	t     testing.TB
	cfg   database.Config
	admin *pgx.Conn
	role  string
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{t: t, cfg: databasetest.Postgres(t, t.TempDir(), "orders")}
	dsn, err := url.Parse(s.cfg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	s.role = dsn.User.Username()
	if s.admin, err = pgx.Connect(t.Context(), databasetest.Admin(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.admin.Close(context.Background()) })
	return s
}

// open opens the schema as one more process does.
func (s *server) open(cfg database.Config, schema ...string) *database.DB {
	s.t.Helper()
	db, err := database.Open(s.t.Context(), "orders", cfg, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	for _, statement := range databasetest.Dialect(cfg, schema) {
		write(s.t, db, func(_ context.Context, tx *database.Tx) error { _, err := tx.Exec(statement); return err })
	}
	return db
}

// kill has the server end the sessions of a purpose, and returns how many there were.
func (s *server) kill(purpose string) (killed int) {
	s.t.Helper()
	err := s.admin.QueryRow(context.Background(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1 AND application_name = $2",
		s.role, "kerf orders "+purpose).Scan(&killed)
	if err != nil {
		s.t.Error(err)
	}
	return killed
}

func (s *server) execute(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.admin.Exec(context.Background(), statement, args...); err != nil {
		s.t.Error(err)
	}
}

// mode is what a gate does with what comes next.
type mode int

const (
	pass       mode = iota
	cutRequest      // the next bytes for the server are lost, and the connection with them
	cutAnswer       // the next bytes from the server
	shut            // nobody gets through
)

// gate is a way to the server on which connections can be cut.
type gate struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	mode  mode
	after mode // a cut
	conns []net.Conn
}

// gated leads a configuration through a gate.
func (s *server) gated() (*gate, database.Config) {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	dsn, err := url.Parse(s.cfg.DSN)
	if err != nil {
		s.t.Fatal(err)
	}
	g := &gate{listener: listener, server: dsn.Host}
	s.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			g.accept(client)
		}
	}()
	cfg := s.cfg
	dsn.Host = listener.Addr().String()
	cfg.DSN = dsn.String()
	return g, cfg
}

func (g *gate) accept(client net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mode == shut {
		client.Close()
		return
	}
	server, err := net.Dial("tcp", g.server)
	if err != nil {
		client.Close()
		return
	}
	g.conns = append(g.conns, client, server)
	go g.pump(client, server, cutRequest)
	go g.pump(server, client, cutAnswer)
}

func (g *gate) pump(from, to net.Conn, cut mode) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		g.mu.Lock()
		lost := g.mode == cut
		if lost {
			g.mode = g.after
		}
		g.mu.Unlock()
		if lost {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// set has the gate do something with what comes next, and then something else.
func (g *gate) set(next, after mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode, g.after = next, after
}

// calm is a configuration whose presence does not disturb a gate.
func calm(cfg database.Config) database.Config {
	return cfg.WithPatience(5*time.Second, 5*time.Second, time.Hour, 2*time.Hour)
}

// killPresence has the server end the presence of one process.
func (s *server) killPresence(db *database.DB) {
	s.t.Helper()
	s.execute(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND objid::bigint = $1
		AND pid IN (SELECT pid FROM pg_stat_activity WHERE usename = $2)`, db.Owner(), s.role)
}
