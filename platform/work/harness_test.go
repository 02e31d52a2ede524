package work_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/work"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a queue on a real database under a clock that the test moves.
type bench struct {
	*testing.T
	db    *database.DB
	clock *clock.Manual
	queue *work.Queue
	reg   *prometheus.Registry
}

func newBench(t *testing.T, cfg work.Config) *bench {
	t.Helper()
	db := databasetest.Open(t, "orders", `CREATE TABLE effect (key TEXT PRIMARY KEY, n INTEGER NOT NULL)`)
	b := &bench{T: t, db: db, clock: clock.NewManual(noon)}
	b.queue = b.newQueue(cfg)
	return b
}

func (b *bench) newQueue(cfg work.Config) *work.Queue {
	b.reg = prometheus.NewRegistry()
	return work.New(b.db, b.clock.Clock, cfg, slog.New(slog.DiscardHandler), b.reg)
}

// start runs the queue until the test ends, or stop is called.
func (b *bench) start() (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.queue.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Errorf("Run: %v", err)
		}
	})
	b.Cleanup(stop)
	b.awaitIdle()
	return stop
}

// awaitIdle returns once the dispatcher sleeps, so that what follows is not done
// by its first look at the table.
func (b *bench) awaitIdle() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := b.clock.AwaitTimers(ctx, 1); err != nil {
		b.Fatal("the dispatcher does not sleep")
	}
}

func (b *bench) write(f func(tx *database.Tx) error) {
	b.Helper()
	err := b.db.Write(b.Context(), func(_ context.Context, tx *database.Tx) error { return f(tx) })
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) schedule(kind, key string, due time.Time, payload string) {
	b.Helper()
	b.write(func(tx *database.Tx) error { return b.queue.Schedule(tx, kind, key, due, bytesOf(payload)) })
}

func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (b *bench) depth() work.Depth {
	b.Helper()
	d, err := b.queue.Depth(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return d
}

const patience = 20 * time.Second

func (b *bench) await(what string, ok func() bool) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func (b *bench) awaitEmpty() {
	b.Helper()
	b.await("no item is left", func() bool { return b.depth() == work.Depth{} })
}

func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

// silent fails if something has come already.
func silent[T any](t testing.TB, what string, from <-chan T) {
	t.Helper()
	select {
	case v := <-from:
		t.Fatalf("%s: unexpected %v", what, v)
	default:
	}
}

func (b *bench) awaitTimers(n int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := b.clock.AwaitTimers(ctx, n); err != nil {
		b.Fatalf("fewer than %d timers wait", n)
	}
}

// metric gives the value of a counter or gauge whose label has the value, 0 if there
// is none.
func (b *bench) metric(name, label, value string) float64 {
	b.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}
