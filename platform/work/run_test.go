package work_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/work"
)

func TestWhatACrashedProcessHeldIsTakenOverAtOnce(t *testing.T) {
	b := newBench(t, work.Config{})
	handled := make(chan string, 1)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- c.Key
		return nil
	})
	b.schedule("place", "o1", noon, "")
	b.write(func(tx *database.Tx) error { // as a process leaves it that dies while it handles
		_, err := tx.Exec(`UPDATE work SET lease = 4711, lease_until = ?`, noon.Add(time.Hour).UnixMicro())
		return err
	})

	b.start() // the clock stands: the lease does not expire

	receive(t, "the item", handled)
	b.awaitEmpty()
}

func TestARunAskedForWhileHandledSurvivesACrash(t *testing.T) {
	b := newBench(t, work.Config{Poll: 24 * time.Hour})
	handled := make(chan time.Time, 1)
	b.queue.Handle("remind", work.Domain, func(context.Context, *work.Claim) error {
		handled <- b.clock.Now()
		return nil
	})
	b.schedule("remind", "o1", noon, "")
	b.write(func(tx *database.Tx) error {
		_, err := tx.Exec(`UPDATE work SET lease = 4711, lease_until = ?`, noon.Add(time.Hour).UnixMicro())
		return err
	})
	b.schedule("remind", "o1", noon.Add(time.Hour), "")

	b.start()

	if at := receive(t, "the run that was held", handled); !at.Equal(noon) {
		t.Errorf("first run at %v", at)
	}
	b.awaitTimers(2)
	b.clock.Advance(time.Hour)
	if at := receive(t, "the run that was asked for", handled); !at.Equal(noon.Add(time.Hour)) {
		t.Errorf("second run at %v", at)
	}
	b.awaitEmpty()
}

func TestEndInterruptsHandlersAfterTheDrainAndLosesNothing(t *testing.T) {
	b := newBench(t, work.Config{Workers: 1, Drain: time.Millisecond})
	begun := make(chan struct{}, 1)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, _ *work.Claim) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	stop := b.start()
	b.schedule("place", "o1", noon, "")
	b.schedule("place", "o2", noon, "") // claimed, and waits for the only worker
	receive(t, "the first", begun)

	stop()

	if d := b.depth(); d != (work.Depth{Due: 2}) {
		t.Errorf("depth = %+v", d)
	}
	failures, handled := 0, make(chan int, 2)
	b.queue = b.newQueue(work.Config{})
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- c.Attempts
		return nil
	})
	b.start()
	for range 2 {
		failures += receive(t, "an item", handled)
	}
	b.awaitEmpty()
	if failures != 0 {
		t.Error("the end of the process counts as a failure")
	}
}

func TestHandlerInHandEndsItsWorkDuringTheDrain(t *testing.T) {
	b := newBench(t, work.Config{Drain: time.Minute})
	begun, goOn := make(chan struct{}), make(chan struct{})
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		close(begun)
		<-goOn
		return c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
			c.Finish(tx)
			return effect(tx, "placed")
		})
	})
	b.queue.Handle("probe", work.Wall, func(context.Context, *work.Claim) error { return nil })
	stop := b.start()
	b.schedule("place", "o1", noon, "")
	receive(t, "the handler", begun)

	go stop()
	probes := 0
	b.await("the queue takes nothing more", func() bool {
		probes++
		b.schedule("probe", fmt.Sprint(probes), noon, "")
		return b.depth().Due > 0
	})
	close(goOn)
	stop()

	if b.effects("placed") != 1 || b.depth().Claimed != 0 {
		t.Errorf("effects %d, depth %+v", b.effects("placed"), b.depth())
	}
}

func TestOutcomeThatTheDatabaseRefusedIsRecordedLater(t *testing.T) {
	b := newBench(t, work.Config{})
	runs := make(chan struct{}, 2)
	b.queue.Handle("place", work.Wall, func(context.Context, *work.Claim) error {
		runs <- struct{}{}
		return nil
	})
	b.start()
	b.write(func(tx *database.Tx) error {
		if _, err := tx.Exec(`CREATE TABLE holds (key TEXT, kind TEXT, FOREIGN KEY (key, kind) REFERENCES work)`); err != nil {
			return err
		}
		if err := b.queue.Schedule(tx, "place", "o1", noon, nil); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO holds VALUES ('o1', 'place')`)
		return err
	})
	receive(t, "the run whose end is refused", runs)
	b.await("the end is refused", func() bool { return b.metric("kerf_work_handled_total", "outcome", "unrecorded") == 1 })

	b.write(func(tx *database.Tx) error {
		_, err := tx.Exec(`DELETE FROM holds`)
		return err
	})

	receive(t, "the run after that", runs)
	b.awaitEmpty() // though the lease, by the clock that stands, has not expired
}

func TestABacklogLargerThanMemoryHoldsIsWorkedOff(t *testing.T) {
	b := newBench(t, work.Config{Workers: 2})
	const items = 1000 // a queue of two workers holds 32 in memory
	var (
		mu    sync.Mutex
		order []string
	)
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, c.Key)
		return nil
	})
	b.write(func(tx *database.Tx) error {
		for i := range items {
			due := noon.Add(time.Duration(i-items) * time.Second)
			if err := b.queue.Schedule(tx, "place", fmt.Sprintf("%04d", i), due, nil); err != nil {
				return err
			}
		}
		return nil
	})

	b.start()

	b.awaitEmpty()
	mu.Lock()
	defer mu.Unlock()
	if len(order) != items {
		t.Fatalf("%d of %d handled", len(order), items)
	}
	for i, key := range order {
		if n, err := strconv.Atoi(key); err != nil || n < i-100 || n > i+100 { // two workers, whom the machine may hold up
			t.Fatalf("%s was handled as number %d", key, i)
		}
	}
}

// Whatever happens, in whatever order: the last thing that was asked for a key has
// been seen by a run that began after it was asked.
func TestNothingThatWasScheduledIsLost(t *testing.T) {
	b := newBench(t, work.Config{Workers: 4, BackOff: time.Microsecond, MaxBackOff: time.Microsecond})
	var (
		mu   sync.Mutex
		seen = map[string]string{}
	)
	handle := func(ctx context.Context, c *work.Claim) error {
		mu.Lock()
		seen[c.Kind+c.Key] = string(c.Payload)
		mu.Unlock()
		switch rand.IntN(4) {
		case 0:
			return fmt.Errorf("by chance")
		case 1:
			return c.Record(ctx, func(_ context.Context, tx *database.Tx) error { return effect(tx, c.Key) })
		case 2:
			return c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
				c.Again(tx, b.clock.Now().Add(time.Duration(rand.IntN(3))*time.Second), nil)
				return nil
			})
		}
		return nil
	}
	b.queue.Handle("wall", work.Wall, handle)
	b.queue.Handle("domain", work.Domain, handle)
	stop := b.start()

	const producers, rounds, keys = 8, 60, 2 // each producer has keys of its own
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			for i := range rounds {
				kind, key := []string{"wall", "domain"}[rand.IntN(2)], fmt.Sprint(p%4, "-", rand.IntN(keys))
				due := b.clock.Now().Add(time.Duration(rand.IntN(5)-2) * time.Second)
				err := b.db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
					return b.queue.Schedule(tx, kind, key, due, fmt.Append(nil, p, ".", i))
				})
				if err != nil {
					t.Error(err)
				}
				b.clock.Advance(100 * time.Millisecond)
			}
		})
	}
	all.Wait()
	last := map[string]string{}
	for _, kind := range []string{"wall", "domain"} {
		for p := range 4 {
			for k := range keys {
				key := fmt.Sprint(p, "-", k)
				payload := fmt.Sprint("last of ", kind, key)
				last[kind+key] = payload
				b.schedule(kind, key, b.clock.Now(), payload)
			}
		}
	}
	b.await("everything has ended", func() bool {
		b.clock.Advance(time.Second)
		return b.depth() == work.Depth{}
	})
	stop()

	for key, want := range last {
		if seen[key] != want {
			t.Errorf("%s: the last run saw %q, not %q", key, seen[key], want)
		}
	}
}
