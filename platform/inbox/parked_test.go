package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus/memory"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/inbox"
)

// blocked is a world in which a-1 is parked, and b-1 and a-2 wait behind it.
func blocked(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, memory.Config{}, quick)
	w.fail("a", errors.New("poison"))
	w.write("k", "a", known)
	w.write("k", "b", known)
	w.write("k", "a", known)
	w.awaitCounts(0, 3, 0)
	return w
}

func (w *world) replay(id, operation string) int {
	w.Helper()
	n, err := w.listener.Replay(w.Context(), id, operation)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func TestReplayRunsTheQueueInOrder(t *testing.T) {
	w := blocked(t)
	head := w.parked()[0].ID
	w.fail("a", nil)
	for range 2 { // a repeat changes nothing and has the same answer
		if n := w.replay(head, "op"); n != 3 {
			t.Errorf("%d messages were handled", n)
		}
	}
	w.awaitEffects("a-1", "b-1", "a-2")
	w.awaitCounts(3, 0, 0)
	w.write("k", "a", known)
	w.awaitEffects("a-1", "b-1", "a-2", "a-3")
}

func TestReplayThatFailsIsNotedOnceForEachOperation(t *testing.T) {
	w := blocked(t)
	head := w.parked()[0]
	w.fail("a", errors.New("still poison"))
	for range 2 {
		if n := w.replay(head.ID, "first"); n != 0 {
			t.Errorf("%d messages were handled", n)
		}
	}
	w.replay(head.ID, "second")
	got := w.parked()[0]
	want := head
	want.Attempts, want.Cause = head.Attempts+2, "still poison"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string(nil), w.effects()); diff != "" {
		t.Errorf("a failed replay had effects: %s", diff)
	}
}

func TestReplayStopsAtTheNextThatFails(t *testing.T) {
	w := blocked(t)
	w.fail("a", nil)
	w.fail("b", errors.New("poison too"))
	if n := w.replay(w.parked()[0].ID, "op"); n != 1 {
		t.Errorf("%d messages were handled", n)
	}
	w.awaitEffects("a-1")
	list := w.parked()
	if len(list) != 2 || list[0].Subject != "b" || list[0].Cause != "poison too" || list[0].Attempts != 1 || !list[0].Head {
		t.Errorf("parked %+v", list)
	}
}

func TestDropReleasesTheNext(t *testing.T) {
	w := blocked(t)
	id := w.parked()[0].ID
	w.fail("a", nil)
	for range 2 {
		n, err := w.listener.Drop(t.Context(), id, "op")
		if err != nil || n != 2 {
			t.Errorf("%d messages were handled, error %v", n, err)
		}
	}
	w.awaitEffects("b-1", "a-2")
	w.awaitCounts(2, 0, 1)
	w.write("k", "a", known)
	w.awaitEffects("b-1", "a-2", "a-3")
}

func TestWhatCannotBeDecodedCanBeDropped(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	garbage := event("a", 1)
	garbage.Payload = []byte("\xff\xff")
	w.publish(garbage)
	naked := event("b", 1)
	naked.Metadata = nil
	w.publish(naked)
	w.publish(event("a", 2))
	w.awaitCounts(0, 3, 0)
	for _, p := range w.parked() {
		if !p.Head {
			continue
		}
		if n := w.replay(p.ID, "replay"); n != 0 {
			t.Errorf("replay of garbage handled %d", n)
		}
		if _, err := w.listener.Drop(t.Context(), p.ID, "drop"); err != nil {
			t.Error(err)
		}
	}
	w.awaitEffects("a-2")
	w.awaitCounts(1, 0, 2)
	w.publish(garbage.Copy()) // as after a restart: neither handled nor parked again
	w.publish(naked.Copy())
	w.publish(event("c", 1))
	w.awaitEffects("a-2", "c-1")
	w.awaitCounts(2, 0, 2)
}

func TestOnlyTheHeadCanBeReplayedOrDropped(t *testing.T) {
	w := blocked(t)
	second := w.parked()[1].ID
	for name, act := range map[string]func(context.Context, string, string) (int, error){"replay": w.listener.Replay, "drop": w.listener.Drop} {
		if _, err := act(t.Context(), second, "op"); fault.As(err).Code != "not_head" {
			t.Errorf("%s of the second: %v", name, err)
		}
		if _, err := act(t.Context(), "999", "op"); fault.KindOf(err) != fault.KindNotFound {
			t.Errorf("%s of none: %v", name, err)
		}
		if _, err := act(t.Context(), "first", "op"); fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%s of nonsense: %v", name, err)
		}
	}
}

func TestParkedMessagesAreListedInPages(t *testing.T) {
	w := blocked(t)
	all := w.parked()
	var pages []inbox.Parked
	for after := ""; ; {
		page, err := w.listener.List(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page...)
		if len(page) < 2 {
			break
		}
		after = page[1].ID
	}
	if diff := cmp.Diff(all, pages); diff != "" {
		t.Error(diff)
	}
	if _, err := w.listener.List(t.Context(), "x", 2); fault.KindOf(err) != fault.KindInvalid {
		t.Errorf("a page after nonsense: %v", err)
	}
}

// interrupt ends the head of a queue, and releases nothing, as a process that ends in between.
func (w *world) interrupt() {
	w.Helper()
	w.fail("a", nil)
	err := w.books.Write(w.Context(), func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(`UPDATE parked SET ended = 'dropped' WHERE number = (SELECT min(number) FROM parked)`)
		if err == nil {
			_, err = tx.Exec(`INSERT INTO inbox (topic, subject, sequence, event_id, handled) SELECT topic, subject, sequence, event_id, 0
				FROM parked WHERE ended = 'dropped'`)
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

func TestAnInterruptedReleaseGoesOn(t *testing.T) {
	t.Run("when the listener starts again", func(t *testing.T) {
		w := blocked(t)
		w.interrupt()
		w.run("books", w.newListener(quick, slog.New(slog.DiscardHandler)))
		w.awaitEffects("b-1", "a-2")
		w.awaitCounts(2, 0, 1)
	})
	t.Run("when the database is back after that", func(t *testing.T) {
		t.Setenv("KERF_TEST_DATABASE", "") // only files are locked like this
		w := blocked(t)
		w.interrupt()
		lock := w.lockBooks()
		failed := make(lines, 100)
		w.run("books", w.newListener(quick, slog.New(slog.NewTextHandler(failed, nil))))
		for line := range failed {
			if strings.Contains(line, "cannot be released") {
				break
			}
		}
		if err := lock.Rollback(); err != nil {
			t.Fatal(err)
		}
		w.awaitEffects("b-1", "a-2")
	})
	t.Run("when it was another process that ended", func(t *testing.T) {
		w := blocked(t)
		if !w.books.Shared() {
			return
		}
		cfg := quick
		cfg.Release = time.Millisecond
		w.run("books", w.newListener(cfg, slog.New(slog.DiscardHandler)))
		w.interrupt()
		w.awaitEffects("b-1", "a-2")
	})
	t.Run("when the next message of the key comes", func(t *testing.T) {
		w := blocked(t)
		w.interrupt()
		w.write("k", "b", known)
		w.awaitEffects("b-1", "a-2", "b-2")
	})
	t.Run("when the operator repeats himself", func(t *testing.T) {
		w := blocked(t)
		id := w.parked()[0].ID
		w.interrupt()
		if _, err := w.listener.Drop(t.Context(), id, "op"); err != nil {
			t.Fatal(err)
		}
		w.awaitEffects("b-1", "a-2")
	})
}

// lines passes on each line of a log.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

// lockBooks locks the file of books for writing, as a copy or a shell does, and has those who meet the lock not wait for it.
func (w *world) lockBooks() *sql.Tx {
	w.Helper()
	err := w.books.Write(w.Context(), func(_ context.Context, tx *database.Tx) error {
		return tx.QueryRow("PRAGMA busy_timeout = 1").Scan(new(int))
	})
	if err != nil {
		w.Fatal(err)
	}
	other, err := sql.Open("sqlite3", filepath.Join(w.dir, "books.db")+"?_txlock=immediate")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { other.Close() })
	lock, err := other.Begin()
	if err != nil {
		w.Fatal(err)
	}
	return lock
}
