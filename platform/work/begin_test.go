package work_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"kerf/migrations"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/work"
)

// lines passes on each line of a log.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

func TestAFileThatIsLockedAtTheStartIsWaitedFor(t *testing.T) {
	t.Setenv("KERF_TEST_DATABASE", "") // only files are locked like this
	dir := t.TempDir()
	db := databasetest.OpenIn(t, dir, "orders", migrations.FS)
	log := make(lines, 100)
	b := &bench{T: t, db: db, clock: clock.NewManual(noon)}
	b.queue = work.New(db, b.clock.Clock, work.Config{}, slog.New(slog.NewTextHandler(log, nil)), nil)
	handled := make(chan string, 1)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- c.Key
		return nil
	})
	b.schedule("place", "o1", noon, "")
	b.write(func(tx *database.Tx) error { return tx.QueryRow("PRAGMA busy_timeout = 1").Scan(new(int)) })
	lock := lockFile(t, filepath.Join(dir, "orders.db"))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- b.queue.Run(ctx) }()
	for range 2 {
		if line := receive(t, "a line about the lock", log); !strings.Contains(line, "the database fails") {
			t.Errorf("the log says %s", line)
		}
	}
	silent(t, "Run while the file is locked", ended)
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}

	receive(t, "the item", handled)
	stop()
	if err := receive(t, "the end", ended); err != nil {
		t.Error(err)
	}
}

func TestAQueueThatWaitsForItsFileEndsWhenItIsToldTo(t *testing.T) {
	t.Setenv("KERF_TEST_DATABASE", "") // only files are locked like this
	dir := t.TempDir()
	db := databasetest.OpenIn(t, dir, "orders", migrations.FS)
	log := make(lines, 100)
	queue := work.New(db, clock.NewManual(noon).Clock, work.Config{}, slog.New(slog.NewTextHandler(log, nil)), nil)
	b := &bench{T: t, db: db}
	b.write(func(tx *database.Tx) error { return tx.QueryRow("PRAGMA busy_timeout = 1").Scan(new(int)) })
	lock := lockFile(t, filepath.Join(dir, "orders.db"))
	defer lock.Rollback()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(ctx) }()
	receive(t, "a line about the lock", log)

	stop()

	if err := receive(t, "the end", ended); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// lockFile locks a database for writing, as a copy or a shell does.
func lockFile(t *testing.T, path string) *sql.Tx {
	t.Helper()
	other, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return lock
}
