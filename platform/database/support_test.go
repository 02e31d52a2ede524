package database_test

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(child(role))
	}
	os.Exit(m.Run())
}

type work = func(ctx context.Context, tx *database.Tx) error

const things = "CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, data BLOB)"

func open(t testing.TB) *database.DB {
	t.Helper()
	return databasetest.Open(t, "orders", things)
}

// openFile opens a SQLite file, whatever the other tests run on.
func openFile(t testing.TB, dir string, schema ...string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), "orders", database.Config{Dir: dir}, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range schema {
		write(t, db, func(_ context.Context, tx *database.Tx) error { _, err := tx.Exec(statement); return err })
	}
	return db
}

func insert(id string) work {
	return func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO thing (id) VALUES (?)", id)
		return err
	}
}

func insertBytes(id string, size int) work {
	return func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO thing (id, data) VALUES (?, ?)", id, make([]byte, size))
		return err
	}
}

func write(t testing.TB, db *database.DB, f work) {
	t.Helper()
	if err := db.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// ids returns what is committed, in order.
func ids(t testing.TB, db *database.DB) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), "SELECT id FROM thing ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := []string{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		found = append(found, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// together has the writer run commands in one group, in their order, and returns their errors in the same order.
func together(t testing.TB, db *database.DB, commands ...work) []error {
	t.Helper()
	release := block(t, db)
	errs := make([]error, len(commands))
	var wg sync.WaitGroup
	for i, f := range commands {
		wg.Go(func() { errs[i] = db.Write(t.Context(), f) })
		await(t, "the command to wait", func() bool { return db.Waiting() == i+1 })
	}
	release()
	wg.Wait()
	return errs
}

// block keeps the writer busy, long enough that nothing else joins its group, until the function it returns is called.
func block(t testing.TB, db *database.DB) (release func()) {
	t.Helper()
	running, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Write(context.Background(), func(context.Context, *database.Tx) error {
			close(running)
			<-gate
			<-time.After(2 * database.MaxHold)
			return nil
		})
	}()
	<-running
	return sync.OnceFunc(func() {
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(100 * time.Microsecond)
	}
}
