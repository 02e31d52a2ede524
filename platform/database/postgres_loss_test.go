package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

const counter = "CREATE TABLE counter (n INTEGER NOT NULL)"

// count reads, decides and writes, as commands do that need to be alone; then it leaves a trace of itself.
func count(id string) work {
	return func(ctx context.Context, tx *database.Tx) error {
		var n int64
		if err := tx.QueryRow("SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE counter SET n = ?", n+1); err != nil {
			return err
		}
		return insert(id)(ctx, tx)
	}
}

func counted(t *testing.T, db *database.DB) (n int64) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// tally is what callers were told.
type tally struct {
	mu                    sync.Mutex
	done, failed, unknown []string
}

func (c *tally) note(t *testing.T, id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch fault.KindOf(err) {
	case fault.KindOK:
		c.done = append(c.done, id)
	case fault.KindUnavailable:
		c.failed = append(c.failed, id)
	case fault.KindUnknown:
		c.unknown = append(c.unknown, id)
	default:
		t.Errorf("%s: %v", id, err)
	}
}

// check compares what callers were told with what is there.
func (c *tally) check(t *testing.T, db *database.DB) {
	t.Helper()
	there := ids(t, db)
	for _, id := range c.done {
		if !slices.Contains(there, id) {
			t.Errorf("%s was acknowledged and is gone", id)
		}
	}
	for _, id := range c.failed {
		if slices.Contains(there, id) {
			t.Errorf("%s is there though it failed", id)
		}
	}
	if n := counted(t, db); n != int64(len(there)) {
		t.Errorf("the counter says %d, %d commands left a trace: some ran twice, or over each other", n, len(there))
	}
	if len(there) > len(c.done)+len(c.unknown) {
		t.Errorf("%d are there, %d were acknowledged, of %d nobody knew", len(there), len(c.done), len(c.unknown))
	}
}

// countWhile has callers count on two processes while something happens to them, and compares what they were told with what is there.
func countWhile(t *testing.T, s *server, cfg database.Config, happens func()) *tally {
	t.Helper()
	replicas := []*database.DB{s.open(cfg, things, counter), s.open(cfg)}
	write(t, replicas[0], func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO counter VALUES (0)")
		return err
	})
	told := &tally{}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				id := fmt.Sprintf("%d-%d", caller, n)
				told.note(t, id, replicas[caller%2].Write(context.Background(), count(id)))
			}
		})
	}
	happens()
	stop.Store(true)
	wg.Wait()
	write(t, replicas[1], func(context.Context, *database.Tx) error { return nil }) // It is there again.
	told.check(t, replicas[0])
	t.Logf("%d commands done, %d failed, %d unknown", len(told.done), len(told.failed), len(told.unknown))
	return told
}

func TestNoCommandIsLostOrDoubledWhenSessionsAreKilled(t *testing.T) {
	s := newServer(t)
	killed := 0
	told := countWhile(t, s, s.cfg, func() {
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); {
			killed += s.kill("writer")
			<-time.After(time.Duration(5+killed%40) * time.Millisecond)
		}
	})
	t.Logf("%d sessions killed", killed)
	if killed < 20 || len(told.done) < 100 {
		t.Errorf("only %d sessions were killed under %d commands", killed, len(told.done))
	}
}

// restartVariable names a command for the shell that kills the server as a crash does, and returns when it answers again.
const restartVariable = "KERF_TEST_POSTGRES_RESTART"

func TestNoCommandIsLostOrDoubledWhenTheServerCrashes(t *testing.T) {
	restart := os.Getenv(restartVariable)
	if restart == "" {
		t.Skip(restartVariable + " is not set; it is a shell command that crashes the PostgreSQL of KERF_TEST_POSTGRES, and starts it again")
	}
	s := newServer(t)
	cfg := s.cfg.WithPatience(30*time.Second, 30*time.Second, time.Second, 10*time.Second)
	told := countWhile(t, s, cfg, func() {
		for range 3 {
			<-time.After(300 * time.Millisecond)
			if out, err := exec.Command("sh", "-c", restart).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
				return
			}
		}
		<-time.After(300 * time.Millisecond)
	})
	if len(told.done) < 50 {
		t.Errorf("only %d commands were done", len(told.done))
	}
}

func TestACommitWhoseAnswerWasLostIsLookedUp(t *testing.T) {
	for name, test := range map[string]struct {
		cut  mode
		runs int
	}{
		"it had happened":     {cutAnswer, 1},
		"it had not happened": {cutRequest, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			g, cfg := s.gated()
			db := s.open(calm(cfg), things)
			runs, hooks := 0, 0
			err := db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
				tx.AfterCommit(func() { hooks++ })
				if err := insert("a")(ctx, tx); err != nil {
					return err
				}
				if runs++; runs == 1 {
					g.set(test.cut, pass) // The commit is next.
				}
				return nil
			})
			if err != nil || runs != test.runs || hooks != 1 {
				t.Errorf("%v after %d runs and %d hooks", err, runs, hooks)
			}
			wantIDs(t, db, "a")
		})
	}
}

func TestACommitThatCannotBeLookedUpIsUnknownAndResolvedBeforeTheNext(t *testing.T) {
	for name, test := range map[string]struct {
		cut   mode
		hooks int
		there []string
	}{
		"it had happened":     {cutAnswer, 2, []string{"a", "b", "later"}},
		"it had not happened": {cutRequest, 0, []string{"later"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			g, cfg := s.gated()
			db := s.open(cfg.WithPatience(300*time.Millisecond, 300*time.Millisecond, time.Hour, 2*time.Hour), things)
			hooks := 0
			hooked := func(f work) work {
				return func(ctx context.Context, tx *database.Tx) error {
					tx.AfterCommit(func() { hooks++ })
					return f(ctx, tx)
				}
			}
			errs := together(t, db, hooked(insert("a")), func(ctx context.Context, tx *database.Tx) error {
				err := hooked(insert("b"))(ctx, tx)
				g.set(test.cut, shut) // The commit is next.
				return err
			})
			for _, err := range errs {
				wantFault(t, err, fault.KindUnknown, "database_outcome_unknown")
			}
			if hooks != 0 {
				t.Errorf("%d hooks ran after a commit that nobody knows of", hooks)
			}
			wantFault(t, db.Write(t.Context(), insert("meanwhile")), fault.KindUnavailable, "database_unavailable")
			g.set(pass, pass)
			write(t, db, insert("later"))
			if hooks != test.hooks {
				t.Errorf("%d hooks ran once it was known, want %d", hooks, test.hooks)
			}
			wantIDs(t, db, test.there...)
		})
	}
}

func TestACommandGoesOnAfterItsSessionIsKilledInTheMiddle(t *testing.T) {
	s := newServer(t)
	db := s.open(s.cfg, things)
	runs := map[string]int{}
	step := func(id string, f func()) work {
		return func(ctx context.Context, tx *database.Tx) error {
			if runs[id]++; runs[id] == 1 && f != nil {
				f()
			}
			return insert(id)(ctx, tx)
		}
	}
	for _, err := range together(t, db, step("a", nil), step("b", func() { s.kill("writer") }), step("c", nil)) {
		if err != nil {
			t.Error(err)
		}
	}
	wantIDs(t, db, "a", "b", "c")
	if runs["a"] != 2 || runs["b"] != 2 || runs["c"] != 1 {
		t.Errorf("runs: %v", runs)
	}
}

func TestAServerThatIsAwayIsUnavailableForAllWhoWait(t *testing.T) {
	s := newServer(t)
	g, cfg := s.gated()
	db := s.open(cfg.WithPatience(200*time.Millisecond, time.Second, time.Hour, 2*time.Hour), things)
	release := block(t, db)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = db.Write(t.Context(), insert(fmt.Sprint(i))) })
	}
	await(t, "all to wait", func() bool { return db.Waiting() == len(errs) })
	release()
	wg.Wait()
	g.set(shut, shut)
	s.kill("writer")
	for i := range errs {
		wg.Go(func() { errs[i] = db.Write(t.Context(), insert(fmt.Sprint("away", i))) })
	}
	wg.Wait()
	for _, err := range errs {
		wantFault(t, err, fault.KindUnavailable, "database_unavailable")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := db.Write(ctx, insert("impatient")); !errors.Is(err, context.DeadlineExceeded) && fault.KindOf(err) != fault.KindUnavailable {
		t.Errorf("who does not wait as long got %v", err)
	}
	g.set(pass, pass)
	write(t, db, insert("back"))
}

// A process that is stopped in the middle of a transaction has the writer's lock; the server frees it.
func TestAWriterThatStandsStillInATransactionHoldsUpTheOthersOnlyBriefly(t *testing.T) {
	s := newServer(t)
	a, b := s.open(s.cfg, things), s.open(s.cfg)
	standing, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	runs := 0
	go func() {
		done <- a.Write(context.Background(), func(ctx context.Context, tx *database.Tx) error {
			if err := insert("a")(ctx, tx); err != nil {
				return err
			}
			if runs++; runs == 1 {
				close(standing)
				<-goOn
			}
			return insert("a2")(ctx, tx)
		})
	}()
	<-standing
	started := time.Now()
	write(t, b, insert("b"))
	if took := time.Since(started); took < time.Second || took > 6*time.Second {
		t.Errorf("the other process waited for %v", took)
	}
	wantIDs(t, b, "b")
	close(goOn)
	if err := <-done; err != nil || runs != 2 {
		t.Errorf("the one that stood still: %v after %d runs", err, runs)
	}
	wantIDs(t, b, "a", "a2", "b")
}
