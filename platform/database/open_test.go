package database_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

func tryOpen(t *testing.T, dir string, files fstest.MapFS) (*database.DB, error) {
	t.Helper()
	db, err := database.Open(t.Context(), "orders", database.Config{Dir: dir}, files, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err == nil {
		t.Cleanup(func() { db.Close() })
	}
	return db, err
}

func migration(up string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + ";\n")}
}

func TestASecondOpenIsRefusedInOneLine(t *testing.T) {
	dir := t.TempDir()
	first, err := tryOpen(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tryOpen(t, dir, nil)
	if err == nil || !strings.Contains(err.Error(), "orders.db is in use by another process") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = tryOpen(t, dir, nil); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
}

func TestMigrationsRunOnceAndGoOn(t *testing.T) {
	dir := t.TempDir()
	files := fstest.MapFS{
		"platform/sqlite/00001_a.sql": migration("CREATE TABLE platform_thing (id TEXT)"),
		"orders/sqlite/00001_a.sql":   migration("CREATE TABLE thing (id TEXT PRIMARY KEY); INSERT INTO thing VALUES ('first')"),
		"kitchen/sqlite/00001_a.sql":  migration("CREATE TABLE thing (no TEXT)"),
	}
	for range 2 {
		db, err := tryOpen(t, dir, files)
		if err != nil {
			t.Fatal(err)
		}
		wantIDs(t, db, "first")
		db.Close()
	}
	files["orders/sqlite/00002_b.sql"] = migration("INSERT INTO thing VALUES ('second')")
	db, err := tryOpen(t, dir, files)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, db, "first", "second")
	db.Close()

	delete(files, "orders/sqlite/00002_b.sql")
	if _, err := tryOpen(t, dir, files); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("an older build opened a newer schema: %v", err)
	}
}

func TestAFailingMigrationLeavesTheDatabaseAsItWas(t *testing.T) {
	dir := t.TempDir()
	files := fstest.MapFS{"orders/sqlite/00001_a.sql": migration("CREATE TABLE thing (id TEXT); INSERT INTO nowhere VALUES (1)")}
	if _, err := tryOpen(t, dir, files); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Fatalf("got %v", err)
	}
	files["orders/sqlite/00001_a.sql"] = migration("CREATE TABLE thing (id TEXT)")
	db, err := tryOpen(t, dir, files)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, db)
}

func TestOpenReportsWhatItCannotUse(t *testing.T) {
	_, err := database.Open(t.Context(), "orders", database.Config{Driver: "oracle", Dir: t.TempDir()}, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err == nil || !strings.Contains(err.Error(), `"oracle"`) {
		t.Errorf("driver: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "orders.db"), []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = tryOpen(t, dir, nil)
	if err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("file: %v", err)
	}
}

func TestPlatformTablesAreInEveryModule(t *testing.T) {
	db := databasetest.Open(t, "nobody")
	var n int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM operation").Scan(&n); err != nil {
		t.Error(err)
	}
}

func TestTwoModulesLiveSideBySide(t *testing.T) {
	dir := t.TempDir()
	a := databasetest.OpenIn(t, dir, "orders", migrations.FS, things)
	b := databasetest.OpenIn(t, dir, "with space?", migrations.FS, things)
	write(t, a, insert("a"))
	write(t, b, insert("b"))
	wantIDs(t, a, "a")
	wantIDs(t, b, "b")
}

func TestReadsEndWithTheirContext(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	// Counts for minutes if nobody stops it.
	err := db.QueryRow(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 10000000000) SELECT count(*) FROM n").Scan(new(int))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	wantIDs(t, db)
}

func TestInstantsAreKeptToTheMicrosecond(t *testing.T) {
	db := databasetest.Open(t, "orders", "CREATE TABLE thing (id TEXT PRIMARY KEY, at INTEGER)")
	at := time.Date(2026, 11, 24, 18, 30, 0, 123456789, time.FixedZone("", 3600))
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO thing VALUES ('now', ?), ('never', ?)", database.NullMicros(at), database.NullMicros(time.Time{}))
		return err
	})
	for id, want := range map[string]time.Time{"now": at.Truncate(time.Microsecond).UTC(), "never": {}} {
		got := time.Now()
		if err := db.QueryRow(t.Context(), "SELECT at FROM thing WHERE id = ?", id).Scan(database.IntoTime(&got)); err != nil || got != want {
			t.Errorf("%s came back as %v, want %v: %v", id, got, want, err)
		}
	}
	if err := database.IntoTime(new(time.Time)).Scan("today"); err == nil {
		t.Error("a text was read as an instant")
	}
}
