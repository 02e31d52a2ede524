package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

func nothing(context.Context, int) error { return nil }

// BenchmarkRequest is what the generator adds to a request: waiting for a worker, a deadline, recording.
func BenchmarkRequest(b *testing.B) {
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			caller := NewCaller(counting(), 64, time.Second)
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := caller.Do(context.Background(), "get", time.Now(), nothing); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkOpenLoop is the CPU time of the whole generator for a journey of one request that does nothing, at a rate that a small machine can take:
// most of it is to sleep and wake.
func BenchmarkOpenLoop(b *testing.B) {
	for _, rate := range []float64{100, 1000} {
		b.Run(fmt.Sprintf("rate=%v", rate), func(b *testing.B) {
			var done atomic.Int64
			r := counting()
			journey := asking("get", func(context.Context, int) error { done.Add(1); return nil })
			before, err := Self()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := (Open{Arrivals: First(b.N, Poisson(rate, 1)), Workers: 64, MaxJourneys: 1000, Recorder: r, Journey: journey}).Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			after, err := Self()
			if err != nil || int(done.Load()) != b.N {
				b.Fatalf("%d of %d requests, error %v", done.Load(), b.N, err)
			}
			late := r.Snapshot().Ops["get"].Lateness
			b.ReportMetric(float64((after-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(late.ValueAtPercentile(50)), "late-p50-µs")
			b.ReportMetric(float64(late.ValueAtPercentile(99)), "late-p99-µs")
		})
	}
}
