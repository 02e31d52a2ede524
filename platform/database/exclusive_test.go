package database_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
)

func TestAJobIsDoneByOneAtATime(t *testing.T) {
	db := open(t)
	var inside, done atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := db.Exclusive(t.Context(), "sweep", func(context.Context, *database.Fence) error {
				if inside.Add(1) != 1 {
					t.Error("two did the job")
				}
				done.Add(1)
				inside.Add(-1)
				return errNo
			})
			if !errors.Is(err, errNo) {
				t.Errorf("the job's error came back as %v", err)
			}
		})
	}
	wg.Wait()
	if done.Load() != 8 {
		t.Errorf("%d did the job", done.Load())
	}
}

func TestAnotherJobIsNotWaitedFor(t *testing.T) {
	db := open(t)
	err := db.Exclusive(t.Context(), "relay", func(ctx context.Context, _ *database.Fence) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		defer cancel()
		err := db.Exclusive(ctx, "relay", func(context.Context, *database.Fence) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the same job, inside: %v", err)
		}
		return db.Exclusive(t.Context(), "sweep", func(context.Context, *database.Fence) error { return nil })
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNobodyWaitsForAJobOfAClosedDatabase(t *testing.T) {
	db := open(t)
	running := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.Exclusive(context.Background(), "relay", func(ctx context.Context, _ *database.Fence) error {
			close(running)
			if db.Shared() { // Else nobody can take it away.
				<-ctx.Done()
			}
			return ctx.Err()
		})
	}()
	<-running
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; db.Shared() {
		wantFault(t, err, fault.KindUnavailable, "database_unavailable")
	}
	wantFault(t, db.Exclusive(t.Context(), "relay", nil), fault.KindUnavailable, "database_unavailable")
}

func TestAFenceHoldsUntilTheJobIsTakenAgain(t *testing.T) {
	db := open(t)
	var old *database.Fence
	check := func(fence *database.Fence) error {
		return db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error { return errors.Join(fence.Check(tx), fence.Check(tx)) })
	}
	for range 2 {
		err := db.Exclusive(t.Context(), "relay", func(_ context.Context, fence *database.Fence) error {
			if old != nil {
				if err := check(old); !errors.Is(err, database.ErrFenced) {
					t.Errorf("the old one: %v", err)
				}
			}
			old = fence
			return check(fence)
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := check(old); err != nil {
		t.Errorf("nobody took it since: %v", err)
	}
}

func TestListenersHearOfWhatWasCommitted(t *testing.T) {
	db := open(t)
	heard := map[string]int{}
	db.Listen("outbox", func() { heard["outbox"]++ })
	db.Listen("work", func() { heard["work"]++ })
	db.ListenOthers("outbox", func() { heard["others"]++ })
	stop := db.Listen("outbox", func() { heard["stopped"]++ })
	stop()
	notify := func(f work) work {
		return func(ctx context.Context, tx *database.Tx) error { tx.Notify("outbox"); return f(ctx, tx) }
	}
	errs := together(t, db, notify(insert("a")), notify(refuse(insert("b"))), func(_ context.Context, tx *database.Tx) error {
		_ = tx.Savepoint(func() error { tx.Notify("work"); return errNo })
		return nil
	})
	if errs[0] != nil || errs[2] != nil || len(heard) != 1 || heard["outbox"] != 1 {
		t.Errorf("%v; heard %v", errs, heard)
	}
}

func TestOwnersThatAreOpenAreAlive(t *testing.T) {
	db := open(t)
	gone := db.Owner()%100 + 7
	alive, err := db.Alive(t.Context(), []int64{db.Owner(), gone})
	if err != nil || !alive[db.Owner()] || alive[gone] || db.Owner() <= 0 || db.Owner() >= 1<<31 {
		t.Errorf("%v of %d, %v", alive, db.Owner(), err)
	}
	if other := open(t); other.Owner() == db.Owner() {
		t.Error("two have the same number")
	}
}

func TestProcessesThatShareASchema(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "orders", things, counter)
	write(t, a, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO counter VALUES (0)")
		return err
	})

	t.Run("are told apart", func(t *testing.T) {
		if !a.Shared() || openFile(t, t.TempDir()).Shared() {
			t.Error("shared is not what it should be")
		}
		alive, err := a.Alive(t.Context(), []int64{a.Owner(), b.Owner(), 1})
		if err != nil || !alive[a.Owner()] || !alive[b.Owner()] || alive[1] || a.Owner() == b.Owner() {
			t.Errorf("%v, %v", alive, err)
		}
	})
	t.Run("read, decide and write one after another", func(t *testing.T) {
		const each = 100
		var wg sync.WaitGroup
		for i, db := range []*database.DB{a, b} {
			for caller := range 4 {
				wg.Go(func() {
					for n := range each / 4 {
						if err := db.Write(t.Context(), count(string(rune('a'+i))+string(rune('0'+caller))+string(rune('A'+n)))); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		if n := counted(t, b); n != 2*each {
			t.Errorf("%d of %d increments are there", n, 2*each)
		}
	})
	t.Run("wake each other", func(t *testing.T) {
		var heard, others, own atomic.Int32
		b.Listen("outbox", func() { heard.Add(1) })
		b.ListenOthers("outbox", func() { others.Add(1) })
		a.ListenOthers("outbox", func() { own.Add(1) })
		write(t, a, func(_ context.Context, tx *database.Tx) error { tx.Notify("outbox"); return nil })
		await(t, "the other process to hear", func() bool { return heard.Load() == 1 && others.Load() == 1 })
		write(t, b, func(_ context.Context, tx *database.Tx) error { tx.Notify("outbox"); return nil })
		await(t, "the first one to hear", func() bool { return own.Load() == 1 })
		if heard.Load() != 2 || others.Load() != 1 {
			t.Errorf("heard %d, of others %d", heard.Load(), others.Load())
		}
	})
	t.Run("hand a job over", func(t *testing.T) {
		order := make(chan string, 2)
		holding, let := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = a.Exclusive(t.Context(), "relay", func(context.Context, *database.Fence) error {
				close(holding)
				<-let
				order <- "a"
				return nil
			})
		})
		<-holding
		wg.Go(func() {
			_ = b.Exclusive(t.Context(), "relay", func(context.Context, *database.Fence) error { order <- "b"; return nil })
		})
		wg.Go(func() { // It does not keep its place.
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := b.Exclusive(ctx, "relay", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who did not wait got %v", err)
			}
			close(let)
		})
		wg.Wait()
		if first, second := <-order, <-order; first != "a" || second != "b" {
			t.Errorf("%s came before %s", first, second)
		}
	})
}

// takeOver has a do a job, takes it away, has b do the job, and brings a back.
func takeOver(t *testing.T, a, b *database.DB, away, back func()) {
	t.Helper()
	holding, lost := make(chan *database.Fence, 2), make(chan struct{}, 2)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		_ = a.Exclusive(ctx, "relay", func(ctx context.Context, fence *database.Fence) error {
			holding <- fence
			<-ctx.Done()
			lost <- struct{}{}
			return ctx.Err()
		})
	})
	old := <-holding
	check := func(db *database.DB, fence *database.Fence) error {
		return db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error { return fence.Check(tx) })
	}
	if err := check(a, old); err != nil {
		t.Errorf("while it has the job: %v", err)
	}
	taken, leave := make(chan *database.Fence), make(chan struct{})
	wg.Go(func() {
		_ = b.Exclusive(ctx, "relay", func(_ context.Context, fence *database.Fence) error { taken <- fence; <-leave; return nil })
	})
	away()
	<-lost
	fence := <-taken
	if err := check(a, old); !errors.Is(err, database.ErrFenced) {
		t.Errorf("who lost the job: %v", err)
	}
	if err := check(b, fence); err != nil {
		t.Errorf("who took it: %v", err)
	}
	back()
	close(leave)
	if again := <-holding; again == old { // It never stopped wanting the job.
		t.Error("the old claim came back")
	}
}

func TestAJobIsTakenOverFromWhoLosesItsSession(t *testing.T) {
	s := newServer(t)
	g, cfg := s.gated()
	a, b := s.open(cfg), s.open(s.cfg)
	var missed atomic.Int32
	a.ListenOthers("outbox", func() { missed.Add(1) })
	takeOver(t, a, b, func() {
		g.set(shut, shut) // Else it might be back before the other one asks.
		s.killPresence(a)
	}, func() { g.set(pass, pass) })
	await(t, "the one that lost its session to look for what it missed", func() bool { return missed.Load() > 0 })
	await(t, "it to be alive again", func() bool {
		alive, err := b.Alive(t.Context(), []int64{a.Owner()})
		return err == nil && alive[a.Owner()]
	})
}

// A process that is stopped does not beat, and keeps its connection.
func TestAJobIsTakenOverFromWhoIsSilent(t *testing.T) {
	s := newServer(t)
	g, cfg := s.gated()
	a := s.open(cfg.WithPatience(time.Second, time.Second, time.Hour, 500*time.Millisecond))
	takeOver(t, a, s.open(s.cfg), func() { g.set(shut, shut) }, func() { g.set(pass, pass) })
}
