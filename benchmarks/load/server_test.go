package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The tests of this file run against servers that listen, on the machine's own clock.

// serving starts a server and gives a journey of one request to it. The request says when it was intended and sent, in nanoseconds since 1970.
func serving(t *testing.T, handle http.HandlerFunc) Journey {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return func(ctx context.Context, c *Caller, _ int, intended time.Time) error {
		_, err := c.Do(ctx, "get", intended, func(ctx context.Context, _ int) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			if err != nil {
				return err
			}
			request.Header.Set("Intended", strconv.FormatInt(intended.UnixNano(), 10))
			request.Header.Set("Sent", strconv.FormatInt(time.Now().UnixNano(), 10))
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			_, err = io.Copy(io.Discard, response.Body)
			return err
		})
		return err
	}
}

func TestAgainstAServerWithAPlantedStallTheOpenLoopTellsItAndTheClosedLoopDoesNot(t *testing.T) {
	start := time.Now()
	journey := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		in := time.Since(start) % time.Second
		if from, until := 500*time.Millisecond, 600*time.Millisecond; in >= from && in < until {
			pass(r.Context(), until-in, nil)
		}
	})
	open := counting()
	run(t, Open{Arrivals: For(2*time.Second, Poisson(250, 4)), Workers: 60, MaxJourneys: 200, Recorder: open, Journey: journey})
	closed := counting()
	run(t, Closed{Clients: 1, For: 1300 * time.Millisecond, Recorder: closed, Journey: journey})

	told, hidden := open.Snapshot().Ops["get"], closed.Snapshot().Ops["get"]
	if told.Failed+hidden.Failed > 0 {
		t.Fatalf("%d and %d requests failed", told.Failed, hidden.Failed)
	}
	p99, ok := Percentile(told.Response, 99)
	flattered, enough := Percentile(hidden.Response, 99)
	if !ok || !enough {
		t.Fatalf("%d and %d requests are too few", told.Count, hidden.Count)
	}
	if p99 < 70 {
		t.Errorf("the open loop tells a p99 of %.1f ms, want about 90 ms", p99)
	}
	if flattered > p99/2 {
		t.Errorf("the closed loop tells a p99 of %.1f ms, the open one %.1f ms; it should hide most of it", flattered, p99)
	}
	// How many wait is told exactly on a clock of its own; what a busy machine adds here meets both loops.
	waited, hid := longer(told.Response, 20), longer(hidden.Response, 20)
	if waited < 0.05 {
		t.Errorf("%.1f %% waited for longer than 20 ms, want about 8 %%", 100*waited)
	}
	if hid > waited/3 {
		t.Errorf("%.1f %% of the closed loop waited for longer than 20 ms, %.1f %% of the open one; it should hide most of them", 100*hid, 100*waited)
	}
	if longest := hidden.Response.Max(); longest < 70_000 {
		t.Errorf("the closed loop waited for at most %d µs; it met the stall too", longest)
	}
}

// longer is the share of what took longer.
func longer(h *hdrhistogram.Histogram, ms int64) float64 {
	var n int64
	for _, bar := range h.Distribution() {
		if bar.From > 1000*ms {
			n += bar.Count
		}
	}
	return float64(n) / float64(h.TotalCount())
}

func TestAgainstAServerOfFixedDelayPercentilesAreRight(t *testing.T) {
	// The server measures what it does, so the machine's own hesitations are on both sides. The way of the answer is not, so a disturbed machine
	// gets another chance.
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := fixedDelay(t)
		if err == nil {
			return
		}
		if attempt == attempts {
			t.Fatalf("in each of %d attempts, the last: %v", attempts, err)
		}
	}
}

// fixedDelay compares what the generator tells of a server that takes 200 ms with what the server knows.
func fixedDelay(t *testing.T) error {
	var mutex sync.Mutex
	response, service := newHistogram(), newHistogram()
	journey := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		pass(r.Context(), 200*time.Millisecond, nil)
		mutex.Lock()
		defer mutex.Unlock()
		for header, h := range map[string]*hdrhistogram.Histogram{"Intended": response, "Sent": service} {
			from, err := strconv.ParseInt(r.Header.Get(header), 10, 64)
			if err != nil {
				t.Error(err)
			}
			_ = h.RecordValue(time.Since(time.Unix(0, from)).Microseconds())
		}
	})
	r := counting()
	run(t, Open{Arrivals: First(320, Poisson(400, 9)), Workers: 200, MaxJourneys: 200, Recorder: r, Journey: journey})
	got := r.Snapshot().Ops["get"]
	return errors.Join(right("response", got.Response, response), right("service", got.Service, service))
}

// right says which percentiles are off by more than 2 %.
func right(name string, got, want *hdrhistogram.Histogram) (wrong error) {
	for _, p := range []float64{50, 90, 99} {
		truth := float64(want.ValueAtPercentile(p)) / 1000
		if ms, ok := Percentile(got, p); !ok || ms < truth*0.999 || ms > truth*1.02 {
			wrong = errors.Join(wrong, fmt.Errorf("p%v of %s is told as %.2f ms, the server says %.2f ms", p, name, ms, truth))
		}
	}
	return wrong
}

func TestTheDispatcherIsNeverEarlyAndEndsWhenTold(t *testing.T) {
	r := counting()
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	early := make(chan time.Duration, 100)
	journey := func(_ context.Context, _ *Caller, n int, intended time.Time) error {
		if by := time.Until(intended); by > 0 {
			early <- by
		}
		if n == 50 {
			cancel()
		}
		return nil
	}
	arrivals := Replay(append(all(First(51, Poisson(1000, 1))), time.Hour), 1)
	if _, err := (Open{Arrivals: arrivals, Workers: 1, MaxJourneys: 100, Recorder: r, Journey: journey}).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want that of the context", err)
	}
	if len(early) > 0 {
		t.Errorf("%d journeys started early, the first by %v", len(early), <-early)
	}
	await(t, func() bool { return runtime.NumGoroutine() <= before })
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestSelfTellsTheCPUThatThisProcessUses(t *testing.T) {
	before, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		now, err := Self()
		return err == nil && now > before+20*time.Millisecond
	})
}
