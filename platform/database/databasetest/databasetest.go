// Package databasetest opens real databases for tests: SQLite files in folders of the test's own, or, with KERF_TEST_DATABASE=postgres,
// schemas of the PostgreSQL server that KERF_TEST_POSTGRES names with an administrator's DSN. Those lie in a database called kerf_test, each
// with a role of its own, and are dropped when the test ends.
package databasetest

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"testing"

	"kerf/migrations"
	"kerf/platform/database"
)

// Open opens a fresh database of the module, with the platform's tables, the module's, and those that the statements of schema make. They
// are written for SQLite; on PostgreSQL, types that are called otherwise there are exchanged. It is closed when the test ends.
func Open(t testing.TB, module string, schema ...string) *database.DB {
	t.Helper()
	return OpenIn(t, t.TempDir(), module, migrations.FS, schema...)
}

// OpenIn is Open in a given folder, where an earlier database may lie, and with given migrations. On PostgreSQL the folder stands for a
// schema.
func OpenIn(t testing.TB, dir, module string, migrations fs.FS, schema ...string) *database.DB {
	t.Helper()
	return open(t, Config(t, dir, module), module, migrations, schema)
}

// OpenTwo opens the same fresh schema twice, as two processes do. It needs PostgreSQL, and uses it whatever KERF_TEST_DATABASE says; without
// KERF_TEST_POSTGRES the test is skipped.
func OpenTwo(t testing.TB, module string, schema ...string) (a, b *database.DB) {
	t.Helper()
	cfg := Postgres(t, t.TempDir(), module)
	return open(t, cfg, module, migrations.FS, schema), open(t, cfg, module, migrations.FS, nil)
}

// OnPostgres tells whether Open opens schemas of PostgreSQL.
func OnPostgres() bool { return os.Getenv("KERF_TEST_DATABASE") == "postgres" }

// Config is where Open and OpenIn open a module's database: the folder, or the schema that stands for it, which is dropped when the test
// ends that made it.
func Config(t testing.TB, dir, module string) database.Config {
	t.Helper()
	if OnPostgres() {
		return Postgres(t, dir, module)
	}
	return database.Config{Driver: "sqlite", Dir: dir}
}

func open(t testing.TB, cfg database.Config, module string, migrations fs.FS, schema []string) *database.DB {
	t.Helper()
	ctx := context.Background()
	db, err := database.Open(ctx, module, cfg, migrations, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		for _, statement := range Dialect(cfg, schema) {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
