package database_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

// newDatabase makes an empty database, and returns an administrator's DSN of it.
func newDatabase(t *testing.T) string {
	t.Helper()
	base := databasetest.Admin(t)
	admin, err := pgx.Connect(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("kerf_setup_%d", rand.Uint64())
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		defer admin.Close(ctx)
		_, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		rows, query := admin.Query(ctx, "SELECT rolname FROM pg_roles WHERE rolname LIKE $1", name+"%")
		roles, collect := pgx.CollectRows(rows, pgx.RowTo[string])
		if err := errors.Join(err, query, collect); err != nil {
			t.Error(err)
		}
		for _, role := range roles {
			if _, err := admin.Exec(ctx, "DROP ROLE "+pgx.Identifier{role}.Sanitize()); err != nil {
				t.Error(err)
			}
		}
	})
	dsn, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	dsn.Path = "/" + name
	return dsn.String()
}

func openModule(t *testing.T, module, dsn string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), module, database.Config{Driver: "postgres", DSN: dsn}, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestNoRoleReadsTheSchemaOfAnother(t *testing.T) {
	admin := newDatabase(t)
	modules := []string{"kitchen", "orders", "tracking"}
	dsns, err := database.Setup(t.Context(), admin, modules, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		db := openModule(t, module, dsns[module])
		write(t, db, func(_ context.Context, tx *database.Tx) error {
			_, err := tx.Exec("CREATE TABLE secret (id TEXT)")
			return err
		})
	}
	for _, module := range modules {
		conn, err := pgx.Connect(t.Context(), dsns[module])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(t.Context(), "SELECT * FROM secret"); err != nil {
			t.Errorf("%s cannot read its own: %v", module, err)
		}
		denied := []string{"CREATE TABLE public.thing (id TEXT)", "CREATE SCHEMA other", "CREATE TEMPORARY TABLE t (id TEXT)", "CREATE ROLE other"}
		for _, other := range modules {
			if other != module {
				role := pgx.Identifier{strings.TrimPrefix(mustParse(t, admin).Path, "/") + "_" + other}.Sanitize()
				denied = append(denied, "SELECT * FROM "+other+".secret", "INSERT INTO "+other+".secret VALUES ('x')", "SELECT * FROM "+other+".outbox",
					"CREATE TABLE "+other+".mine (id TEXT)", "DROP TABLE "+other+".secret", "SET ROLE "+role, "DROP SCHEMA "+other+" CASCADE")
			}
		}
		for _, statement := range denied {
			_, err := conn.Exec(t.Context(), statement)
			var p *pgconn.PgError
			if !errors.As(err, &p) || p.Code != "42501" {
				t.Errorf("%s: %s gave %v", module, statement, err)
			}
		}
	}
}

func mustParse(t *testing.T, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// An administrator need not be the server's: to own the database and to be able to make roles is enough.
func TestTheOwnerOfADatabaseCanSetItUp(t *testing.T) {
	admin := newDatabase(t)
	dsn := mustParse(t, admin)
	owner := strings.TrimPrefix(dsn.Path, "/") + "_owner"
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{
		"CREATE ROLE " + owner + " LOGIN CREATEROLE PASSWORD 'test'",
		"ALTER DATABASE " + strings.TrimPrefix(dsn.Path, "/") + " OWNER TO " + owner,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	dsn.User = url.UserPassword(owner, "test")
	for range 2 {
		dsns, err := database.Setup(t.Context(), dsn.String(), []string{"orders"}, map[string]string{"orders": "secret"})
		if err != nil {
			t.Fatal(err)
		}
		openModule(t, "orders", dsns["orders"])
	}
}

func TestSettingUpAgainKeepsWhatIsThere(t *testing.T) {
	admin := newDatabase(t)
	passwords := map[string]string{"orders": "it's \\ secret"}
	dsns, err := database.Setup(t.Context(), admin, []string{"orders"}, passwords)
	if err != nil {
		t.Fatal(err)
	}
	db := openModule(t, "orders", dsns["orders"])
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("CREATE TABLE thing (id TEXT)")
		return err
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			again, err := database.Setup(t.Context(), admin, []string{"orders", "kitchen"}, passwords)
			if err != nil {
				t.Error(err)
				return
			}
			if again["orders"] != dsns["orders"] || again["kitchen"] == "" {
				t.Errorf("%v became %v", dsns, again)
			}
		})
	}
	wg.Wait()
	write(t, db, insert("a"))
	wantIDs(t, openModule(t, "orders", dsns["orders"]), "a")
	if text := database.SetupText(dsns); text != "orders "+dsns["orders"]+"\n" {
		t.Errorf("text: %q", text)
	}
}

func TestARoleKeepsItsPasswordUnlessOneIsGiven(t *testing.T) {
	admin := newDatabase(t)
	first := setUp(t, admin, nil, "kitchen", "orders")
	kitchen, orders := secretOf(t, admin, "kitchen"), secretOf(t, admin, "orders")

	again := setUp(t, admin, map[string]string{"orders": "given"}, "kitchen", "orders", "tracking")

	if secretOf(t, admin, "kitchen") != kitchen {
		t.Error("the kitchen's password is another, although none was given")
	}
	if secretOf(t, admin, "orders") == orders {
		t.Error("the password that was given is not set")
	}
	if secretOf(t, admin, "tracking") == "" {
		t.Error("a new role has no password")
	}
	kept := mustParse(t, first["kitchen"])
	kept.User = url.User(kept.User.Username())
	given := mustParse(t, first["orders"])
	given.User = url.UserPassword(given.User.Username(), "given")
	if again["kitchen"] != kept.String() || again["orders"] != given.String() {
		t.Errorf("%v became %v", first, again)
	}
	want := "kitchen " + kept.String() + " # role existed: its password was kept\norders " + given.String() + "\ntracking " + again["tracking"] + "\n"
	if got := database.SetupText(again); got != want {
		t.Errorf("text: %q, want %q", got, want)
	}
	for module, dsn := range map[string]string{"kitchen": first["kitchen"], "orders": again["orders"], "tracking": again["tracking"]} {
		if password, _ := mustParse(t, dsn).User.Password(); password == "" {
			t.Errorf("%s: no password in %s", module, dsn)
		}
		openModule(t, module, dsn)
	}
}

func setUp(t *testing.T, admin string, passwords map[string]string, modules ...string) map[string]string {
	t.Helper()
	dsns, err := database.Setup(t.Context(), admin, modules, passwords)
	if err != nil {
		t.Fatal(err)
	}
	return dsns
}

// secretOf is what the server keeps of the password of a module's role, which a server that trusts everybody does not ask for.
func secretOf(t *testing.T, admin, module string) (secret string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	role := strings.TrimPrefix(mustParse(t, admin).Path, "/") + "_" + module
	if err := conn.QueryRow(t.Context(), "SELECT coalesce(rolpassword, '') FROM pg_authid WHERE rolname = $1", role).Scan(&secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestASchemaThatWasNotSetUpIsSaidInOneLine(t *testing.T) {
	admin := newDatabase(t)
	dsns, err := database.Setup(t.Context(), admin, []string{"orders"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for dsn, want := range map[string]string{
		dsns["orders"]:                   "the schema kitchen is not there",
		"postgres://%zz":                 "the DSN cannot be read",
		"":                               "the DSN cannot be read",
		"postgres://nobody@127.0.0.1:1/": "not available",
	} {
		_, err := database.Open(t.Context(), "kitchen", database.Config{Driver: "postgres", DSN: dsn}, migrations.FS, slog.New(slog.DiscardHandler), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", dsn, err, want)
		}
	}
}

func TestProcessesThatStartAtTheSameTimeMigrateOnce(t *testing.T) {
	cfg := databasetest.Postgres(t, t.TempDir(), "orders")
	files := fstest.MapFS{
		"platform/postgres/00001_a.sql": migration("CREATE TABLE platform_thing (id TEXT)"),
		"orders/postgres/00001_a.sql":   migration("CREATE TABLE thing (id TEXT PRIMARY KEY); INSERT INTO thing VALUES ('first')"),
		"orders/postgres/00002_b.sql":   migration("SELECT pg_sleep(0.2); INSERT INTO thing VALUES ('second')"),
		"orders/sqlite/00003_c.sql":     migration("no SQL"),
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := database.Open(t.Context(), "orders", cfg, files, slog.New(slog.DiscardHandler), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			wantIDs(t, db, "first", "second")
		})
	}
	wg.Wait()
	delete(files, "orders/postgres/00002_b.sql")
	_, err := database.Open(t.Context(), "orders", cfg, files, slog.New(slog.DiscardHandler), nil)
	if err == nil || !strings.Contains(err.Error(), "version 2") || strings.Contains(err.Error(), "\n") {
		t.Errorf("an older build opened a newer schema: %v", err)
	}
}
