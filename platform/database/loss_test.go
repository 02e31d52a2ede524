package database_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
)

// limitPages leaves the database room for so many more pages.
func limitPages(t *testing.T, db *database.DB, more int) {
	t.Helper()
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		var pages int
		if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages+more)).Scan(&pages)
	})
}

func TestAFullDatabaseFailsTheCommandAtFaultAndRunsTheOthersAgain(t *testing.T) {
	db := openFile(t, t.TempDir(), things)
	limitPages(t, db, 4)
	runs := map[string]int{}
	counted := func(name string, f work) work {
		return func(ctx context.Context, tx *database.Tx) error { runs[name]++; return f(ctx, tx) }
	}
	hooks := 0
	errs := together(t, db,
		counted("a", func(ctx context.Context, tx *database.Tx) error {
			tx.AfterCommit(func() { hooks++ })
			return insert("a")(ctx, tx)
		}),
		counted("refused", refuse(insert("no"))),
		counted("big", func(ctx context.Context, tx *database.Tx) error {
			_ = insertBytes("big", 1<<20)(ctx, tx) // Even a command that does not look cannot get away with it.
			return nil
		}),
		counted("z", insert("z")),
	)
	if errs[0] != nil || errs[3] != nil {
		t.Errorf("good commands failed: %v, %v", errs[0], errs[3])
	}
	if !errors.Is(errs[1], errNo) {
		t.Errorf("the refusal came back as %v", errs[1])
	}
	wantFault(t, errs[2], fault.KindUnavailable, "database_full")
	wantIDs(t, db, "a", "z")
	if runs["a"] != 2 || runs["refused"] != 2 || runs["big"] != 1 || hooks != 1 {
		t.Errorf("runs %v, hooks %d: the transaction was to be lost with the big command", runs, hooks)
	}

	limitPages(t, db, 1000)
	write(t, db, insertBytes("big", 1<<20))
	wantIDs(t, db, "a", "big", "z")
}

// A deferred constraint is found only by the commit, and nobody in the group can tell whose it is.
func TestAFailedCommitRunsItsCommandsAgainAlone(t *testing.T) {
	db := databasetest.Open(t, "orders", things,
		"CREATE TABLE part (id TEXT PRIMARY KEY, thing TEXT REFERENCES thing (id) DEFERRABLE INITIALLY DEFERRED)")
	orphan := func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO part VALUES ('p', 'nowhere')")
		return err
	}
	errs := together(t, db, insert("a"), orphan, insert("b"))
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("good commands failed: %v, %v", errs[0], errs[2])
	}
	for _, err := range []error{errs[1], db.Write(t.Context(), orphan)} {
		var file sqlite3.Error
		var server *pgconn.PgError
		violated := errors.As(err, &file) && file.Code == sqlite3.ErrConstraint || errors.As(err, &server) && server.Code == "23503"
		if !violated {
			t.Errorf("the orphan came back as %v", err)
		}
	}
	wantIDs(t, db, "a", "b")
}

func TestALockedFileIsAClearErrorForAllWhoWait(t *testing.T) {
	dir := t.TempDir()
	db := openFile(t, dir, things)
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		return tx.QueryRow("PRAGMA busy_timeout = 1").Scan(new(int))
	})
	other, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "orders.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	var lock *sql.Tx
	release := block(t, db)
	release()
	if lock, err = other.Begin(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			wantFault(t, db.Write(t.Context(), insert(fmt.Sprint(i))), fault.KindUnavailable, "database_unavailable")
		})
	}
	wg.Wait()
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	write(t, db, insert("after"))
	wantIDs(t, db, "after")
}

func TestTheLogIsCutThoughReadersOverlap(t *testing.T) {
	dir := t.TempDir()
	db := openFile(t, dir, things)
	write(t, db, insertBytes("a", 1<<18))
	stop, stopped := make(chan struct{}), make(chan error)
	go func() { // Always has a view of the database open: it takes the next before it closes the last.
		var last *sql.Rows
		for {
			next, err := db.Query(context.Background(), "SELECT id FROM thing UNION ALL SELECT id FROM thing")
			if last != nil {
				last.Close()
			}
			if last = next; err != nil {
				stopped <- err
				return
			}
			select {
			case <-stop:
				stopped <- next.Close()
				return
			case <-time.After(5 * time.Millisecond): // Longer than a commit.
			}
		}
	}()
	largest := int64(0)
	for range 8 * database.WALLimit >> 18 {
		write(t, db, func(_ context.Context, tx *database.Tx) error {
			_, err := tx.Exec("UPDATE thing SET data = randomblob(?)", 1<<18)
			return err
		})
		if info, err := os.Stat(filepath.Join(dir, "orders.db-wal")); err == nil {
			largest = max(largest, info.Size())
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	// On a busy machine a reader's view lasts longer, and the log grows until the next time that it is looked at; but it does not grow
	// with what is written.
	if largest > 4*database.WALLimit {
		t.Errorf("the log grew to %d bytes", largest)
	}
}

const (
	childRole = "KERF_TEST_CHILD"
	childDir  = "KERF_TEST_DIR"
	childRun  = "KERF_TEST_RUN"
)

// child is what the test binary does when a test runs it as a process of its own.
func child(role string) int {
	db, err := database.Open(context.Background(), "orders", database.Config{Dir: os.Getenv(childDir)}, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err == nil {
		err = db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
			_, err := tx.Exec("CREATE TABLE IF NOT EXISTS thing (id TEXT NOT NULL PRIMARY KEY, data BLOB)")
			return err
		})
	}
	if err == nil {
		switch role {
		case "write":
			err = writeForever(db)
		case "limited":
			err = writeOverLimit(db)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// writeForever writes with 16 callers, and tells each row that was acknowledged.
func writeForever(db *database.DB) error {
	lines := make(chan string)
	for caller := range 16 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%s-%d-%d", os.Getenv(childRun), caller, n)
				if err := db.Write(context.Background(), insertBytes(id, 300)); err != nil {
					panic(err)
				}
				lines <- id
			}
		}()
	}
	for {
		if _, err := fmt.Println(<-lines); err != nil {
			return err
		}
	}
}

func runChild(t *testing.T, role, dir string, run int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, fmt.Sprintf("%s=%d", childRun, run))
	return cmd
}

func TestEveryAcknowledgedWriteSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for run := range 5 {
		cmd := runChild(t, "write", dir, run)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		moment := 1 + rand.IntN(3000)
		for n := 0; lines.Scan(); n++ { // To the end of what it could still say.
			acknowledged[lines.Text()] = true
			if n == moment {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || complaints.Len() > 0 {
			t.Fatalf("run %d ended by itself: %v\n%s", run, err, complaints.String())
		}

		db := openFile(t, dir)
		there := map[string]bool{}
		for _, id := range ids(t, db) {
			there[id] = true
		}
		for id := range acknowledged {
			if !there[id] {
				t.Errorf("run %d: %s was acknowledged and is gone", run, id)
			}
		}
		var verdict string
		if err := db.QueryRow(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("integrity: %s, %v", verdict, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged writes in 5 killed processes", len(acknowledged))
}

// writeOverLimit lets the system refuse the file more room while a group commits, and then lets it go on.
func writeOverLimit(db *database.DB) error {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 256 << 10, Max: before.Max}); err != nil {
		return err
	}
	failed := 0
	for i := range 400 {
		err := db.Write(context.Background(), insertBytes(fmt.Sprintf("limited-%d", i), 2000))
		switch {
		case err == nil:
			fmt.Printf("limited-%d\n", i)
		case fault.KindOf(err) == fault.KindUnavailable:
			failed++
		default:
			return err
		}
	}
	if failed == 0 {
		return errors.New("nothing failed under the limit")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	if err := db.Write(context.Background(), insert("unlimited")); err != nil {
		return err
	}
	fmt.Println("unlimited")
	fmt.Println("done")
	os.Exit(0)
	return nil
}

func TestAnIOErrorInTheCommitIsNotAnswered(t *testing.T) {
	dir := t.TempDir()
	cmd := runChild(t, "limited", dir, 0)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	acknowledged := strings.Fields(string(out))
	if n := len(acknowledged); n == 0 || acknowledged[n-1] != "done" {
		t.Fatalf("the child did not end well: %v", acknowledged)
	}
	acknowledged = acknowledged[:len(acknowledged)-1]
	db := openFile(t, dir)
	if got := len(ids(t, db)); got != len(acknowledged) {
		t.Errorf("%d rows are there, %d were acknowledged", got, len(acknowledged))
	}
}
