package internal

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"kerf/modules/accounting/internal/provider"
	"kerf/platform/clock"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// BenchmarkPayment is the money part of an order's life: authorised and captured, the simulator's own record included. It prints the CPU
// that one takes, beside its time, which is mostly fsync.
func BenchmarkPayment(b *testing.B) {
	db := databasetest.Open(b, "accounting")
	clk := clock.NewManual(noon)
	log := slog.New(slog.DiscardHandler)
	queue := work.New(db, clk.Clock, work.Config{}, log, nil)
	s := New(db, outbox.New(db, "accounting", clk), queue, clk, provider.NewSimulator(db, clk, provider.Config{}), log)
	bank := &bank{Service: s, ctx: identity.With(context.Background(), identity.Service("orders"))}
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		o := newOrder()
		must(b, bank.authorize(o, "tok_approve"))
		must(b, bank.capture(o))
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpu is what this process has used so far.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
