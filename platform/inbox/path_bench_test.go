package inbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/outbox"
)

// BenchmarkWholePath takes events from being written, by 16 commands at a time, to being settled after two groups have handled
// them, each group and the publisher with a database file of its own, fsync on. cpu_us/event is user and system time of the whole process.
func BenchmarkWholePath(b *testing.B) {
	shop, o := openPath(b, nil)
	ctx := b.Context()

	b.ResetTimer()
	before := cpu(b)
	var commands sync.WaitGroup
	for c := range 16 {
		commands.Go(func() {
			for i := c; i < b.N; i += 16 {
				subject := fmt.Sprintf("%d-%d", c, i/160)
				err := shop.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
					return o.Append(ctx, tx, subject, subject, known)
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	commands.Wait()
	awaitSettled(b, o)
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu_us/event")
}

// openPath runs a publisher and two groups in files of their own. Unless handled is nil, it gets a token for each handled event.
func openPath(b *testing.B, handled chan<- struct{}) (*database.DB, *outbox.Outbox) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dir, clk := b.TempDir(), clock.NewManual(time.Now())
	shop := databasetest.OpenIn(b, dir, "shop", migrations.FS)
	m := memory.New(memory.Config{Groups: map[string][]string{bus.Topic("shop"): {"books", "views"}}})
	for _, group := range []string{"books", "views"} {
		db := databasetest.OpenIn(b, dir, group, migrations.FS)
		router, err := listen(m, "shop", group, db, clk, handled)
		if err != nil {
			b.Fatal(err)
		}
		go router.Run(ctx)
		<-router.Running()
	}
	o := outbox.New(shop, "shop", clk)
	var relay sync.WaitGroup
	relay.Go(func() {
		outbox.NewRelay(o, m.Publisher(), outbox.RelayConfig{}, slog.New(slog.DiscardHandler), nil).Run(ctx)
	})
	b.Cleanup(func() {
		cancel()
		relay.Wait()
		m.Close()
	})
	return shop, o
}

// BenchmarkOneEvent takes one event at a time from the beginning of the command that writes it to the commits of both groups.
func BenchmarkOneEvent(b *testing.B) {
	handled := make(chan struct{}, 2)
	shop, o := openPath(b, handled)
	for i := 0; b.Loop(); i++ {
		subject := fmt.Sprint(i)
		err := shop.Write(b.Context(), func(ctx context.Context, tx *database.Tx) error {
			return o.Append(ctx, tx, subject, subject, known)
		})
		if err != nil {
			b.Fatal(err)
		}
		<-handled
		<-handled
	}
}

// awaitSettled looks seldom, since looking is part of what is measured.
func awaitSettled(b *testing.B, o *outbox.Outbox) {
	b.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		counts, err := o.Counts(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if counts.Settled >= int64(b.N) {
			return
		}
	}
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
