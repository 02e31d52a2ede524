package work_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/work"
)

func TestDueItemIsHandledRightAfterCommit(t *testing.T) {
	b := newBench(t, work.Config{})
	handled := make(chan work.Claim, 1)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- *c
		return nil
	})
	b.start()

	b.schedule("place", "o1", noon, "hello")

	got := receive(t, "the handler", handled) // the clock stands still: no polling can have found it
	if got.Kind != "place" || got.Key != "o1" || string(got.Payload) != "hello" || got.Attempts != 0 {
		t.Errorf("claim = %+v", got)
	}
	b.awaitEmpty()
}

func TestNothingIsHandledIfTheTransactionRollsBack(t *testing.T) {
	b := newBench(t, work.Config{})
	handled := make(chan string, 2)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- c.Key
		return nil
	})
	b.start()
	refused := errors.New("refused")

	err := b.db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
		if err := b.queue.Schedule(tx, "place", "lost", noon, nil); err != nil {
			return err
		}
		return refused
	})
	b.schedule("place", "kept", noon, "")

	if !errors.Is(err, refused) {
		t.Fatalf("Write = %v", err)
	}
	if got := receive(t, "the other item", handled); got != "kept" {
		t.Errorf("handled %s", got)
	}
	b.awaitEmpty()
	silent(t, "after the rollback", handled)
}

func TestHandlerContextHasADeadlineAndIsOutsideOfTransactions(t *testing.T) {
	b := newBench(t, work.Config{Timeout: time.Minute})
	contexts := make(chan context.Context, 1)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		contexts <- ctx
		return nil
	})
	b.start()

	b.schedule("place", "o1", noon, "")

	ctx := receive(t, "the handler", contexts)
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Minute {
		t.Errorf("deadline = %v, %v", deadline, ok)
	}
	if database.InTransaction(ctx) {
		t.Error("the context is marked as inside a transaction")
	}
}

func TestHandlerBelongsToTheTraceAndTheCauseOfWhoScheduled(t *testing.T) {
	b := newBench(t, work.Config{})
	contexts := make(chan context.Context, 1)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		contexts <- ctx
		return nil
	})
	b.start()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	request := bus.WithTraceParent(bus.WithCause(t.Context(), bus.Meta{ID: "e1", CorrelationID: "r1"}), trace)

	err := b.db.Write(request, func(_ context.Context, tx *database.Tx) error {
		return b.queue.Schedule(tx, "place", "o1", noon, nil)
	})
	if err != nil {
		t.Fatal(err)
	}

	ctx := receive(t, "the handler", contexts)
	if correlation, causation := bus.CauseOf(ctx); correlation != "r1" || causation != "e1" {
		t.Errorf("cause = %q, %q", correlation, causation)
	}
	if got := bus.TraceParentOf(ctx); got != trace {
		t.Errorf("traceparent = %q", got)
	}
	b.awaitEmpty()
}

func TestItemWaitsForItsInstant(t *testing.T) {
	for name, on := range map[string]work.Time{"wall": work.Wall, "domain": work.Domain} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, work.Config{Poll: 24 * time.Hour})
			handled := make(chan time.Time, 1)
			b.queue.Handle("expire", on, func(context.Context, *work.Claim) error {
				handled <- b.clock.Now()
				return nil
			})
			b.start()

			b.schedule("expire", "o1", noon.Add(10*time.Minute), "")
			b.awaitTimers(2)
			b.clock.Advance(10*time.Minute - time.Microsecond)
			b.await("one is waiting", func() bool { return b.depth() == work.Depth{Waiting: 1} })
			silent(t, "before it is due", handled)
			b.clock.Advance(time.Microsecond)

			if at := receive(t, "the handler", handled); !at.Equal(noon.Add(10 * time.Minute)) {
				t.Errorf("handled at %v", at)
			}
			b.awaitEmpty()
		})
	}
}

func TestDomainItemIsDueAtTheClocksSpeed(t *testing.T) {
	db := databasetest.Open(t, "orders")
	now := time.Now().UTC().Truncate(time.Microsecond)
	clk, err := clock.New(clock.List{{Wall: now, Domain: noon, Speed: 36_000}})
	if err != nil {
		t.Fatal(err)
	}
	queue := work.New(db, clk, work.Config{}, slog.New(slog.DiscardHandler), nil)
	handled := make(chan time.Time, 1)
	queue.Handle("expire", work.Domain, func(context.Context, *work.Claim) error {
		handled <- clk.Now()
		return nil
	})
	go queue.Run(t.Context())
	due := clk.Now().Add(time.Hour) // 0.1 s of the wall

	began := time.Now()
	err = db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
		return queue.Schedule(tx, "expire", "o1", due, nil)
	})
	if err != nil {
		t.Fatal(err)
	}

	if at := receive(t, "the handler", handled); at.Before(due) {
		t.Errorf("handled at %v, due at %v", at, due)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("an hour of the domain took %v", took)
	}
}

func TestEarlierDueAndLaterPayloadWin(t *testing.T) {
	b := newBench(t, work.Config{Poll: 24 * time.Hour})
	handled := make(chan string, 4)
	b.queue.Handle("remind", work.Domain, func(_ context.Context, c *work.Claim) error {
		handled <- string(c.Payload)
		return nil
	})
	b.start()

	b.schedule("remind", "o1", noon.Add(time.Hour), "first")
	b.schedule("remind", "o1", noon.Add(2*time.Hour), "second")
	b.schedule("remind", "o1", noon.Add(30*time.Minute), "")
	b.awaitTimers(2)
	b.clock.Advance(30 * time.Minute)

	if got := receive(t, "the handler", handled); got != "second" {
		t.Errorf("payload = %q", got)
	}
	b.awaitEmpty()
	b.clock.Advance(2 * time.Hour)
	silent(t, "one item, one run", handled)
}

func TestScheduleWhileHandledRunsOnceMore(t *testing.T) {
	b := newBench(t, work.Config{})
	begun, goOn := make(chan string), make(chan struct{})
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		begun <- string(c.Payload)
		<-goOn
		return nil
	})
	b.start()

	b.schedule("place", "o1", noon, "one")
	receive(t, "the first run", begun)
	b.schedule("place", "o1", noon, "two")
	b.schedule("place", "o1", noon, "three")
	goOn <- struct{}{}

	if got := receive(t, "the second run", begun); got != "three" {
		t.Errorf("payload = %q", got)
	}
	goOn <- struct{}{}
	b.awaitEmpty()
	silent(t, "two asked for while the first ran are one more", begun)
}

func TestItemsOfAKeyAreHandledOneAtATimeAcrossKinds(t *testing.T) {
	b := newBench(t, work.Config{Workers: 8})
	var (
		mu       sync.Mutex
		busy     = map[string]bool{}
		overlaps int
		ran      = map[string]int{}
	)
	handle := func(_ context.Context, c *work.Claim) error {
		mu.Lock()
		if busy[c.Key] {
			overlaps++
		}
		busy[c.Key] = true
		ran[c.Kind+c.Key]++
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		defer mu.Unlock()
		busy[c.Key] = false
		return nil
	}
	kinds := []string{"a", "b", "c", "d"}
	for _, kind := range kinds {
		b.queue.Handle(kind, work.Wall, handle)
	}
	b.start()

	var producers sync.WaitGroup
	for i := range 200 {
		producers.Go(func() {
			err := b.db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
				return b.queue.Schedule(tx, kinds[i%4], fmt.Sprint(i/4%5), noon, nil)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	producers.Wait()
	b.awaitEmpty()

	mu.Lock()
	defer mu.Unlock()
	if overlaps > 0 {
		t.Errorf("%d times two items of a key were handled at once", overlaps)
	}
	if len(ran) != 20 {
		t.Errorf("%d of 20 items ran", len(ran))
	}
}

func TestFailureIsTriedAgainWithBackOffAndShownAsStuck(t *testing.T) {
	b := newBench(t, work.Config{BackOff: time.Second, MaxBackOff: 10 * time.Second, StuckAfter: 3, Poll: 24 * time.Hour})
	attempts := make(chan int, 1)
	var healed atomic.Bool
	b.queue.Handle("place", work.Domain, func(_ context.Context, c *work.Claim) error {
		attempts <- c.Attempts
		if healed.Load() {
			return nil
		}
		return errors.New("kitchen is down")
	})
	b.start()

	b.schedule("place", "o1", noon, "")
	for failures := 1; failures <= 5; failures++ {
		if got := receive(t, "an attempt", attempts); got != failures-1 {
			t.Fatalf("attempt %d says %d failures before it", failures, got)
		}
		b.await("the failure is recorded", func() bool { return b.depth().Claimed == 0 })
		if stuck := b.depth().Stuck; (stuck == 1) != (failures >= 3) {
			t.Errorf("after %d failures stuck = %d", failures, stuck)
		}
		silent(t, "before the back-off is over", attempts)
		b.awaitTimers(2)
		if failures == 5 {
			break
		}
		b.clock.Advance(10 * time.Second)
	}
	stuck, err := b.queue.Stuck(t.Context(), 10)
	if err != nil || len(stuck) != 1 || stuck[0].Key != "o1" || stuck[0].Attempts != 5 || stuck[0].LastError != "kitchen is down" {
		t.Errorf("Stuck = %+v, %v", stuck, err)
	}
	if got := b.metric("kerf_work_items", "state", "stuck"); got != 1 {
		t.Errorf("metric of stuck items = %v", got)
	}

	healed.Store(true)
	b.clock.Advance(10 * time.Second)

	receive(t, "the last attempt", attempts)
	b.awaitEmpty()
}

func TestScheduleDuringBackOffKeepsTheBackOff(t *testing.T) {
	b := newBench(t, work.Config{BackOff: time.Hour, MaxBackOff: time.Hour, Poll: 24 * time.Hour})
	handled := make(chan string, 1)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- string(c.Payload)
		if c.Attempts == 0 {
			return errors.New("down")
		}
		return nil
	})
	b.start()
	b.schedule("place", "o1", noon, "old")
	receive(t, "the first attempt", handled)
	b.await("the failure is recorded", func() bool { return b.depth().Claimed == 0 })

	b.schedule("place", "o1", noon, "new")

	if d := b.depth(); d != (work.Depth{Waiting: 1}) {
		t.Fatalf("depth = %+v", d)
	}
	b.awaitTimers(2)
	b.clock.Advance(time.Hour)
	if got := receive(t, "the second attempt", handled); got != "new" {
		t.Errorf("payload = %q", got)
	}
	b.awaitEmpty()
}

func TestPanicIsAFailure(t *testing.T) {
	b := newBench(t, work.Config{Poll: 24 * time.Hour})
	handled := make(chan int, 1)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- c.Attempts
		if c.Attempts == 0 {
			panic("boom")
		}
		return nil
	})
	b.start()

	b.schedule("place", "o1", noon, "")

	receive(t, "the first attempt", handled)
	b.awaitTimers(2)
	b.clock.Advance(time.Second)
	receive(t, "the second attempt", handled)
	b.awaitEmpty()
}

func TestUnknownKindAndEmptyKeyAreRefused(t *testing.T) {
	b := newBench(t, work.Config{})
	b.queue.Handle("place", work.Wall, func(context.Context, *work.Claim) error { return nil })
	for _, c := range []struct{ kind, key string }{{"plaice", "o1"}, {"place", ""}} {
		err := b.db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
			return b.queue.Schedule(tx, c.kind, c.key, noon, nil)
		})
		if fault.KindOf(err) != fault.KindInternal {
			t.Errorf("Schedule(%q, %q) = %v", c.kind, c.key, err)
		}
	}
}
