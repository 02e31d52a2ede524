package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
)

var errNo = errors.New("no")

func refuse(first work) work {
	return func(ctx context.Context, tx *database.Tx) error { return errors.Join(errNo, first(ctx, tx)) }
}

func wantIDs(t *testing.T, db *database.DB, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), ids(t, db)); diff != "" {
		t.Errorf("committed rows differ (-want +got):\n%s", diff)
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.As(err); f == nil || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want %s (%s)", err, kind, code)
	}
}

func TestWriteIsDurableAndIsolated(t *testing.T) {
	db := open(t)
	write(t, db, func(ctx context.Context, tx *database.Tx) error {
		if err := insert("a")(ctx, tx); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM thing").Scan(&n); err != nil || n != 1 {
			t.Errorf("the transaction sees %d of its rows, %v", n, err)
		}
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM thing").Scan(&n); err != nil || n != 0 {
			t.Errorf("a reader sees %d uncommitted rows, %v", n, err)
		}
		return nil
	})
	wantIDs(t, db, "a")
}

func TestAFileIsWrittenDurablyAndItsForeignKeysHold(t *testing.T) {
	write(t, openFile(t, t.TempDir()), func(_ context.Context, tx *database.Tx) error {
		var synchronous, foreignKeys int
		if err := errors.Join(tx.QueryRow("PRAGMA synchronous").Scan(&synchronous), tx.QueryRow("PRAGMA foreign_keys").Scan(&foreignKeys)); err != nil {
			t.Error(err)
		}
		if synchronous != 2 || foreignKeys != 1 {
			t.Errorf("synchronous is %d, foreign_keys is %d", synchronous, foreignKeys)
		}
		return nil
	})
}

func TestCommandsThatWaitShareOneCommit(t *testing.T) {
	reg := prometheus.NewRegistry()
	db, err := database.Open(t.Context(), "orders", databasetest.Config(t, t.TempDir(), "orders"), migrations.FS, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	commands := slices.Repeat([]work{func(context.Context, *database.Tx) error { return nil }}, 50)
	for _, err := range together(t, db, commands...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "kerf_database_group_size" {
			h := family.GetMetric()[0].GetHistogram()
			if h.GetSampleCount() != 2 || h.GetSampleSum() != 51 {
				t.Errorf("%d commits of %v commands, want the gate alone and the 50 together", h.GetSampleCount(), h.GetSampleSum())
			}
			return
		}
	}
	t.Error("no group was measured")
}

func TestAFailingCommandDoesNotDisturbItsGroup(t *testing.T) {
	db := open(t)
	errs := together(t, db,
		insert("a"),
		refuse(insert("b")),
		insert("a"), // A duplicate.
		func(ctx context.Context, tx *database.Tx) error {
			_ = insert("c")(ctx, tx)
			panic("lost my head")
		},
		func(ctx context.Context, tx *database.Tx) error {
			_ = insert("d")(ctx, tx)
			runtime.Goexit()
			return nil
		},
		insert("e"),
	)
	if errs[0] != nil || errs[5] != nil {
		t.Errorf("good commands failed: %v, %v", errs[0], errs[5])
	}
	if !errors.Is(errs[1], errNo) {
		t.Errorf("the refusal came back as %v", errs[1])
	}
	if !database.IsDuplicate(errs[2]) {
		t.Errorf("the duplicate came back as %v", errs[2])
	}
	wantFault(t, errs[3], fault.KindInternal, "panic")
	wantFault(t, errs[4], fault.KindInternal, "goexit")
	wantIDs(t, db, "a", "e")
	write(t, db, insert("f"))
	wantIDs(t, db, "a", "e", "f")
}

func TestAnErrorOfTheCommandIsReturnedUnchanged(t *testing.T) {
	db := open(t)
	refusal := fault.Refused("closed", "the restaurant is closed")
	if err := db.Write(t.Context(), func(context.Context, *database.Tx) error { return refusal }); err != error(refusal) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyIsAnsweredBeforeTheCommit(t *testing.T) {
	db := open(t)
	release := block(t, db)
	answered := make(chan error, 1)
	go func() { answered <- db.Write(context.Background(), insert("first")) }()
	await(t, "the first command to wait", func() bool { return db.Waiting() == 1 })
	second := make(chan error, 1)
	go func() {
		second <- db.Write(context.Background(), func(context.Context, *database.Tx) error {
			select {
			case <-answered:
				t.Error("a command was answered while its group was still open")
			case <-time.After(30 * time.Millisecond):
			}
			if found := ids(t, db); len(found) != 0 {
				t.Errorf("uncommitted rows are seen: %v", found)
			}
			return nil
		})
	}()
	await(t, "the second command to wait", func() bool { return db.Waiting() == 2 })
	release()
	if err := errors.Join(<-second, <-answered); err != nil {
		t.Error(err)
	}
	wantIDs(t, db, "first")
}

func TestADeadlineCountsOnlyUntilTheCommandBegins(t *testing.T) {
	t.Run("passed while it waits", func(t *testing.T) {
		db := open(t)
		release := block(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- db.Write(ctx, insert("a")) }()
		await(t, "the command to wait", func() bool { return db.Waiting() == 1 })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) { // While the writer is still busy.
			t.Errorf("got %v", err)
		}
		release()
		wantIDs(t, db)
	})
	t.Run("passed already", func(t *testing.T) {
		db := open(t)
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		wantFault(t, db.Write(ctx, insert("a")), fault.KindDeadline, "deadline")
		wantIDs(t, db)
	})
	t.Run("passed while it runs", func(t *testing.T) {
		db := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(inner context.Context, tx *database.Tx) error {
			cancel()
			if _, ok := inner.Deadline(); ok || inner.Err() != nil || inner.Done() != nil {
				t.Error("the command's context can end")
			}
			return insert("a")(inner, tx)
		})
		if err != nil {
			t.Error(err)
		}
		wantIDs(t, db, "a")
	})
}

func TestTheCommandsContextHasTheCallersValuesAndAMark(t *testing.T) {
	db := open(t)
	type key struct{}
	outer := context.WithValue(t.Context(), key{}, "trace")
	if database.InTransaction(outer) {
		t.Error("the caller's context is marked")
	}
	err := db.Write(outer, func(ctx context.Context, tx *database.Tx) error {
		if ctx.Value(key{}) != "trace" || !database.InTransaction(ctx) || tx.Module() != "orders" {
			t.Error("values, mark or module are missing")
		}
		wantFault(t, db.Write(ctx, insert("a")), fault.KindInternal, "write_in_transaction")
		wantFault(t, db.QueryRow(ctx, "SELECT 1").Scan(new(int)), fault.KindInternal, "read_in_transaction")
		wantFault(t, db.Read(ctx).Exec("SELECT 1").Error, fault.KindInternal, "read_in_transaction")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAfterCommit(t *testing.T) {
	db := open(t)
	var mu sync.Mutex
	var seen []string
	hook := func(tx *database.Tx, name string) {
		tx.AfterCommit(func() {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprintf("%s %d", name, len(ids(t, db))))
		})
	}
	with := func(name string, f work) work {
		return func(ctx context.Context, tx *database.Tx) error {
			hook(tx, name+"1")
			hook(tx, name+"2")
			return f(ctx, tx)
		}
	}
	together(t, db,
		with("a", insert("a")),
		with("b", refuse(insert("b"))),
		with("c", func(_ context.Context, tx *database.Tx) error {
			_ = tx.Savepoint(func() error { hook(tx, "undone"); return errNo })
			return tx.Savepoint(func() error { hook(tx, "kept"); tx.AfterCommit(func() { panic("hook") }); return nil })
		}),
		with("d", insert("d")),
	)
	want := []string{"a1 2", "a2 2", "c1 2", "c2 2", "kept 2", "d1 2", "d2 2"} // Both rows were committed before the first hook.
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("hooks differ (-want +got):\n%s", diff)
	}
}

func TestConcurrentCallersReadWhatTheyWrote(t *testing.T) {
	db := open(t)
	write(t, db, insert("total"))
	const callers, each = 16, 40
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for n := range each {
				id := fmt.Sprintf("%d-%d", caller, n)
				err := db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
					// A read-modify-write that would lose updates if commands overlapped.
					var data []byte
					if err := tx.QueryRow("SELECT coalesce(data, '') FROM thing WHERE id = 'total'").Scan(&data); err != nil {
						return err
					}
					if _, err := tx.Exec("UPDATE thing SET data = ? WHERE id = 'total'", append(data, '.')); err != nil {
						return err
					}
					if n%5 == 4 {
						return refuse(insert(id))(ctx, tx)
					}
					return insert(id)(ctx, tx)
				})
				refused := n%5 == 4
				if errors.Is(err, errNo) != refused || (err != nil) != refused {
					t.Errorf("%s: %v", id, err)
				}
				var found int
				if err := db.QueryRow(t.Context(), "SELECT count(*) FROM thing WHERE id = ?", id).Scan(&found); err != nil || (found == 1) == refused {
					t.Errorf("%s: found %d, %v", id, found, err)
				}
			}
		})
	}
	wg.Wait()
	var data []byte
	if err := db.QueryRow(t.Context(), "SELECT data FROM thing WHERE id = 'total'").Scan(&data); err != nil {
		t.Fatal(err)
	}
	if want := bytes.Repeat([]byte("."), callers*each*4/5); !bytes.Equal(data, want) {
		t.Errorf("%d updates of %d are there", len(data), len(want))
	}
}

func TestCloseAnswersWhoWaitsAndRefusesWhoComes(t *testing.T) {
	dir := t.TempDir()
	cfg := databasetest.Config(t, dir, "orders")
	db, err := database.Open(t.Context(), "orders", cfg, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(databasetest.Dialect(cfg, []string{things})[0])
		return err
	})
	release := block(t, db)
	waiting := make(chan error, 1)
	go func() { waiting <- db.Write(context.Background(), insert("a")) }()
	await(t, "the command to wait", func() bool { return db.Waiting() == 1 })
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	release()
	if err := errors.Join(<-waiting, <-closed); err != nil {
		t.Error(err)
	}
	wantFault(t, db.Write(t.Context(), insert("b")), fault.KindUnavailable, "database_unavailable")
	if err := db.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*-wal")); len(left) != 0 {
		t.Errorf("left after closing: %v", left)
	}
	db, err = database.Open(t.Context(), "orders", databasetest.Config(t, dir, "orders"), migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantIDs(t, db, "a")
}
