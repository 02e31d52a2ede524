package work_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/work"
)

func newBenchmark(b *testing.B) (*database.DB, *clock.Clock, *work.Queue) {
	db := databasetest.Open(b, "orders", `CREATE TABLE effect (key TEXT PRIMARY KEY, n INTEGER NOT NULL)`)
	now := time.Now()
	clk, err := clock.New(clock.List{{Wall: now, Domain: now, Speed: 1}})
	if err != nil {
		b.Fatal(err)
	}
	return db, clk, work.New(db, clk, work.Config{}, slog.New(slog.DiscardHandler), nil)
}

func run(b *testing.B, queue *work.Queue) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkThroughput measures items through Schedule, handler and a Record that
// writes a row, at 64 producers, each of which waits for its commit, not for its
// item. The floor is the same with the work left out: two plain transactions.
func BenchmarkThroughput(b *testing.B) {
	b.Run("work", func(b *testing.B) {
		db, clk, queue := newBenchmark(b)
		var done sync.WaitGroup
		done.Add(b.N)
		queue.Handle("place", work.Domain, func(ctx context.Context, c *work.Claim) error {
			defer done.Done()
			return c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
				c.Finish(tx)
				return effect(tx, c.Key)
			})
		})
		run(b, queue)
		produce(b, func(key string) error {
			return db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
				return queue.Schedule(tx, "place", key, clk.Now(), nil)
			})
		}, done.Wait)
	})
	b.Run("floor", func(b *testing.B) {
		db, _, _ := newBenchmark(b)
		produce(b, func(key string) error {
			for range 2 {
				err := db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error { return effect(tx, key) })
				if err != nil {
					return err
				}
			}
			return nil
		}, func() {})
	})
}

func produce(b *testing.B, one func(key string) error, wait func()) {
	b.ReportAllocs()
	b.ResetTimer()
	var (
		next      atomic.Int64
		producers sync.WaitGroup
	)
	for range 64 {
		producers.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := one(fmt.Sprintf("order-%d", n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	producers.Wait()
	wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkIdleLatency measures, with nothing else to do, from before the
// transaction that schedules until the handler begins, and the same until that
// transaction's caller is answered: the difference is what due work adds.
func BenchmarkIdleLatency(b *testing.B) {
	db, clk, queue := newBenchmark(b)
	begun := make(chan time.Time, 1)
	queue.Handle("place", work.Wall, func(context.Context, *work.Claim) error {
		begun <- time.Now()
		return nil
	})
	run(b, queue)
	var commits, starts time.Duration
	b.ResetTimer()
	for n := range b.N {
		asked := time.Now()
		err := db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
			return queue.Schedule(tx, "place", fmt.Sprint(n), clk.Wall(), nil)
		})
		if err != nil {
			b.Fatal(err)
		}
		commits += time.Since(asked)
		starts += (<-begun).Sub(asked)
		for {
			if d, err := queue.Depth(context.Background()); err != nil || d.Claimed == 0 {
				break
			}
		}
	}
	b.ReportMetric(float64(commits.Microseconds())/float64(b.N), "µs-to-commit")
	b.ReportMetric(float64(starts.Microseconds())/float64(b.N), "µs-to-handler")
}
