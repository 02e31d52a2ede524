package work_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/work"
)

// effect counts, in the transaction, that something was done for the key.
func effect(tx *database.Tx, key string) error {
	_, err := tx.Exec(`INSERT INTO effect VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET n = effect.n + 1`, key)
	return err
}

func (b *bench) effects(key string) (n int) {
	b.Helper()
	if err := b.db.QueryRow(b.Context(), `SELECT coalesce(sum(n), 0) FROM effect WHERE key = ?`, key).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func TestRecordEndsTheItemTogetherWithItsAnswer(t *testing.T) {
	b := newBench(t, work.Config{})
	results := make(chan error, 1)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		err := c.Record(ctx, func(_ context.Context, tx *database.Tx) error { return effect(tx, "step one") })
		if err == nil {
			err = c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
				c.Finish(tx)
				return effect(tx, "step two")
			})
		}
		results <- err
		return err
	})
	b.start()

	b.schedule("place", "o1", noon, "")

	if err := receive(t, "the handler", results); err != nil {
		t.Fatal(err)
	}
	if d := b.depth(); d != (work.Depth{}) {
		t.Errorf("depth = %+v", d)
	}
	if b.effects("step one") != 1 || b.effects("step two") != 1 {
		t.Errorf("effects: %d, %d", b.effects("step one"), b.effects("step two"))
	}
}

func TestRecordThatFailsRecordsNothingAndKeepsTheClaim(t *testing.T) {
	b := newBench(t, work.Config{})
	refused := errors.New("refused")
	results := make(chan error, 2)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		results <- c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
			c.Finish(tx)
			if err := effect(tx, "refused"); err != nil {
				return err
			}
			return refused
		})
		results <- c.Record(ctx, func(_ context.Context, tx *database.Tx) error { return effect(tx, "kept") })
		return nil
	})
	b.start()

	b.schedule("place", "o1", noon, "")

	if err := receive(t, "the first record", results); !errors.Is(err, refused) {
		t.Errorf("first Record = %v", err)
	}
	if err := receive(t, "the second record", results); err != nil {
		t.Errorf("second Record = %v", err)
	}
	b.awaitEmpty()
	if b.effects("refused") != 0 || b.effects("kept") != 1 {
		t.Errorf("effects: refused %d, kept %d", b.effects("refused"), b.effects("kept"))
	}
}

func TestAgainRunsAtOnceOrLaterWithTheNewPayload(t *testing.T) {
	b := newBench(t, work.Config{Poll: 24 * time.Hour})
	handled := make(chan string, 1)
	b.queue.Handle("saga", work.Domain, func(ctx context.Context, c *work.Claim) error {
		handled <- string(c.Payload)
		return c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
			switch string(c.Payload) {
			case "one":
				c.Again(tx, b.clock.Now(), []byte("two"))
			case "two":
				c.Again(tx, b.clock.Now().Add(time.Hour), []byte("three"))
			default:
				c.Finish(tx)
			}
			return nil
		})
	})
	b.start()

	b.schedule("saga", "o1", noon, "one")

	for _, want := range []string{"one", "two"} {
		if got := receive(t, "a step", handled); got != want {
			t.Fatalf("step %q, want %q", got, want)
		}
	}
	b.awaitTimers(2)
	silent(t, "before the hour is over", handled)
	b.clock.Advance(time.Hour)
	if got := receive(t, "the last step", handled); got != "three" {
		t.Errorf("step %q", got)
	}
	b.awaitEmpty()
}

func TestOneThatAlwaysRunsAgainDoesNotStarveTheOthersOfItsKey(t *testing.T) {
	b := newBench(t, work.Config{Workers: 1})
	stop := make(chan struct{})
	begun := make(chan struct{}, 1)
	b.queue.Handle("loop", work.Wall, func(ctx context.Context, c *work.Claim) error {
		select {
		case begun <- struct{}{}:
		default:
		}
		return c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
			select {
			case <-stop:
				c.Finish(tx)
			default:
				c.Again(tx, b.clock.Wall(), nil)
			}
			return nil
		})
	})
	b.queue.Handle("other", work.Wall, func(context.Context, *work.Claim) error {
		close(stop)
		return nil
	})
	b.start()

	b.schedule("loop", "o1", noon, "")
	receive(t, "the loop", begun)
	b.schedule("other", "o1", noon, "")

	receive(t, "the other item of the key", stop)
	b.awaitEmpty()
}

func TestEndingOutsideOfRecordIsAFailure(t *testing.T) {
	b := newBench(t, work.Config{Poll: 24 * time.Hour})
	handled := make(chan int, 1)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		handled <- c.Attempts
		if c.Attempts > 0 {
			return nil
		}
		return b.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
			c.Again(tx, noon.Add(time.Hour), nil)
			return nil
		})
	})
	b.start()

	b.schedule("place", "o1", noon, "")

	receive(t, "the first attempt", handled)
	b.awaitTimers(2)
	b.clock.Advance(time.Second)
	if got := receive(t, "the second attempt", handled); got != 1 {
		t.Errorf("%d failures counted", got)
	}
	b.awaitEmpty()
}

func TestCancelledItemDoesNotRun(t *testing.T) {
	b := newBench(t, work.Config{Poll: time.Hour})
	handled := make(chan string, 2)
	b.queue.Handle("expire", work.Domain, func(_ context.Context, c *work.Claim) error {
		handled <- c.Key
		return nil
	})
	b.start()
	b.schedule("expire", "cancelled", noon.Add(time.Hour), "")
	b.schedule("expire", "kept", noon.Add(time.Hour), "")

	b.write(func(tx *database.Tx) error { return b.queue.Cancel(tx, "expire", "cancelled") })
	b.awaitTimers(2)
	b.clock.Advance(time.Hour)

	if got := receive(t, "the kept item", handled); got != "kept" {
		t.Errorf("handled %s", got)
	}
	b.awaitEmpty()
	silent(t, "the cancelled item", handled)
}

func TestCancelWhileHandledLosesTheLeaseAndFreesTheKey(t *testing.T) {
	b := newBench(t, work.Config{})
	begun, goOn, results, others := make(chan struct{}), make(chan struct{}), make(chan error, 1), make(chan struct{})
	b.queue.Handle("expire", work.Wall, func(ctx context.Context, c *work.Claim) error {
		close(begun)
		<-goOn
		err := c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
			c.Finish(tx)
			return effect(tx, "expired")
		})
		results <- err
		return err
	})
	b.queue.Handle("other", work.Wall, func(context.Context, *work.Claim) error {
		close(others)
		return nil
	})
	b.start()
	b.schedule("expire", "o1", noon, "")
	receive(t, "the handler", begun)
	b.schedule("other", "o1", noon, "")

	b.write(func(tx *database.Tx) error { return b.queue.Cancel(tx, "expire", "o1") })
	close(goOn)

	if err := receive(t, "the record", results); !errors.Is(err, work.ErrLeaseLost) {
		t.Errorf("Record = %v", err)
	}
	receive(t, "the other item of the key", others)
	b.awaitEmpty()
	if n := b.effects("expired"); n != 0 {
		t.Errorf("%d effects recorded without the lease", n)
	}
}

func TestExpiredLeaseGoesToSomebodyElseAndOnlyHeRecords(t *testing.T) {
	b := newBench(t, work.Config{Timeout: time.Minute, Lease: 2 * time.Minute, Poll: time.Minute})
	begun, goOn, results := make(chan struct{}, 2), make(chan struct{}), make(chan error, 1)
	release := sync.OnceFunc(func() { close(goOn) })
	defer release()
	runs := 0 // the second run begins only after the first has been received
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		runs++
		first := runs == 1
		begun <- struct{}{}
		if first {
			<-goOn
		}
		err := c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
			c.Finish(tx)
			return effect(tx, "placed")
		})
		if first {
			results <- err
		}
		return err
	})
	b.start()
	b.schedule("place", "o1", noon, "")
	receive(t, "the first run", begun)
	b.awaitTimers(1)

	b.clock.Advance(2 * time.Minute)

	receive(t, "the second run", begun)
	b.awaitEmpty()
	release()
	if err := receive(t, "the late record", results); !errors.Is(err, work.ErrLeaseLost) {
		t.Errorf("late Record = %v", err)
	}
	if n := b.effects("placed"); n != 1 {
		t.Errorf("%d effects", n)
	}
}

func TestRecordProlongsTheLease(t *testing.T) {
	b := newBench(t, work.Config{Timeout: time.Minute, Lease: 2 * time.Minute, Poll: time.Hour})
	begun, goOn, results := make(chan struct{}, 1), make(chan struct{}), make(chan error, 3)
	b.queue.Handle("place", work.Wall, func(ctx context.Context, c *work.Claim) error {
		begun <- struct{}{}
		for range 3 {
			<-goOn
			results <- c.Record(ctx, func(_ context.Context, tx *database.Tx) error { return effect(tx, "step") })
		}
		return nil
	})
	b.start()
	b.schedule("place", "o1", noon, "")
	receive(t, "the handler", begun)

	for range 3 {
		b.clock.Advance(90 * time.Second) // less than the lease; all three are more
		goOn <- struct{}{}
		if err := receive(t, "a record", results); err != nil {
			t.Fatal(err)
		}
	}

	b.awaitEmpty()
	silent(t, "a second run", begun)
}
