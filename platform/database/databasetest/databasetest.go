// Package databasetest opens real databases for tests.
package databasetest

import (
	"context"
	"io/fs"
	"log/slog"
	"testing"

	"kerf/migrations"
	"kerf/platform/database"
)

// Open opens a fresh database of the module in a folder of the test's own, with the platform's tables, the module's, and those
// that the statements of schema make. It is closed when the test ends.
func Open(t testing.TB, module string, schema ...string) *database.DB {
	t.Helper()
	return OpenIn(t, t.TempDir(), module, migrations.FS, schema...)
}

// OpenIn is Open in a given folder, where an earlier database may lie, and with given migrations.
func OpenIn(t testing.TB, dir, module string, migrations fs.FS, schema ...string) *database.DB {
	t.Helper()
	ctx := context.Background()
	db, err := database.Open(ctx, module, database.Config{Driver: "sqlite", Dir: dir}, migrations, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		for _, statement := range schema {
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
