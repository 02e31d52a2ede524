package placement_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/identity"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
)

type idle struct{ platformpb.PlatformService }

func (idle) ReadLog(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
	return response, nil
}

var response = &platformpb.ReadLogResponse{}

// callerContext is what a handler has: a deadline, a principal, a correlation id, and a trace that is not sampled.
func callerContext(b *testing.B) context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	b.Cleanup(cancel)
	ctx = identity.With(ctx, identity.Service("orders"))
	ctx = bus.WithCause(ctx, bus.Meta{ID: "event", CorrelationID: "request"})
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
}

// BenchmarkLocalCall makes the same call plainly through the interface, and through a local seam with metrics, in turns, and
// reports the difference: over-ns/call and over-allocs/call. The aim is 300 ns and 2 allocations.
func BenchmarkLocalCall(b *testing.B) {
	seams, err := placement.New(placement.Config{
		Mode: placement.Local, Log: quiet, Registry: prometheus.NewRegistry(), InTransaction: database.InTransaction,
	})
	if err != nil {
		b.Fatal(err)
	}
	var plain platformpb.PlatformService = idle{}
	local := platformpb.PlacePlatformService(seams.To("kitchen"), plain)
	ctx, req := callerContext(b), &platformpb.ReadLogRequest{Limit: 1}

	const turn = 1000
	measure := func(service platformpb.PlatformService) (elapsed time.Duration, allocs uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		for range turn {
			if _, err := service.ReadLog(ctx, req); err != nil {
				b.Fatal(err)
			}
		}
		elapsed = time.Since(start)
		runtime.ReadMemStats(&after)
		return elapsed, after.Mallocs - before.Mallocs
	}
	var plainTime, localTime time.Duration
	var plainAllocs, localAllocs uint64
	turns := 0
	for b.Loop() {
		turns++
		t, n := measure(plain)
		plainTime, plainAllocs = plainTime+t, plainAllocs+n
		t, n = measure(local)
		localTime, localAllocs = localTime+t, localAllocs+n
	}
	calls := float64(turns * turn)
	b.ReportMetric(float64(plainTime.Nanoseconds())/calls, "plain-ns/call")
	b.ReportMetric(float64((localTime-plainTime).Nanoseconds())/calls, "over-ns/call")
	b.ReportMetric(float64(localAllocs-min(localAllocs, plainAllocs))/calls, "over-allocs/call")
	b.ReportMetric(0, "ns/op") // of a turn, which says nothing
}

// BenchmarkPlacements tells what each placement costs one caller.
func BenchmarkPlacements(b *testing.B) {
	for _, mode := range []placement.Mode{placement.Local, placement.Checked, placement.Wire} {
		b.Run(string(mode), func(b *testing.B) {
			seams, err := placement.New(placement.Config{
				Mode: mode, Log: quiet, Registry: prometheus.NewRegistry(), InTransaction: database.InTransaction,
			})
			if err != nil {
				b.Fatal(err)
			}
			service := platformpb.PlacePlatformService(seams.To("kitchen"), idle{})
			ctx, req := callerContext(b), &platformpb.ReadLogRequest{Limit: 1}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := service.ReadLog(ctx, req); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := seams.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
