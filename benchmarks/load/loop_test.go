package load

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file run on a clock of their own, on which only sleeping takes time: what they expect is exact, and they take none.

// stalling is a server that answers within a millisecond, except that it stands still in the first 100 ms of every second.
func stalling() func(context.Context, int) error {
	start := time.Now()
	return func(context.Context, int) error {
		if second := time.Since(start) % time.Second; second < 100*time.Millisecond {
			time.Sleep(100*time.Millisecond - second)
		}
		time.Sleep(time.Millisecond)
		return nil
	}
}

// asking is a journey of one request.
func asking(op string, f func(context.Context, int) error) Journey {
	return func(ctx context.Context, c *Caller, _ int, intended time.Time) error {
		_, err := c.Do(ctx, op, intended, f)
		return err
	}
}

func counting() *Recorder {
	r := NewRecorder()
	r.Begin()
	return r
}

type loop interface {
	Run(context.Context) (Outcome, error)
}

func run(t *testing.T, l loop) Outcome {
	t.Helper()
	outcome, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestAnOpenLoopReportsAStallThatAClosedOneHides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := counting()
		run(t, Open{Arrivals: For(20*time.Second, Poisson(100, 1)), Workers: 100, MaxJourneys: 100, Recorder: open, Journey: asking("get", stalling()), coarse: true})
		got := open.Snapshot().Ops["get"]
		var waited, total float64
		for _, bar := range got.Response.Distribution() {
			if bar.From > 2000 {
				waited += float64(bar.Count)
				total += float64(bar.Count) * float64(bar.To) / 1000
			}
		}
		if share := waited / float64(got.Count); share < 0.08 || share > 0.12 {
			t.Errorf("%.1f %% of the requests waited, want about 10 %%", 100*share)
		}
		if mean := total / waited; mean < 45 || mean > 57 {
			t.Errorf("those that waited took %.1f ms, want about 51 ms", mean)
		}
		if p99, ok := Percentile(got.Response, 99); !ok || p99 < 85 || p99 > 101.5 {
			t.Errorf("p99 is %.1f ms, want about 91 ms: nine tenths of the stall", p99)
		}

		closed := counting()
		run(t, Closed{Clients: 1, For: 10 * time.Second, Recorder: closed, Journey: asking("get", stalling())})
		hidden := closed.Snapshot().Ops["get"]
		if p99, ok := Percentile(hidden.Response, 99); !ok || p99 > 1.1 {
			t.Errorf("a closed loop tells a p99 of %.1f ms, want the 1 ms by which it hides the stall", p99)
		}
		if longest := float64(hidden.Response.Max()) / 1000; longest < 90 {
			t.Errorf("the longest request of the closed loop took %.1f ms; it met the stall too", longest)
		}
	})
}

func TestArrivalsThatFindNoRoomAreMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		slow := func(context.Context, int) error { time.Sleep(995 * time.Millisecond); return nil }
		var last atomic.Int64
		journey := func(ctx context.Context, c *Caller, n int, intended time.Time) error {
			last.Store(int64(n))
			return asking("get", slow)(ctx, c, n, intended)
		}
		outcome := run(t, Open{Arrivals: For(1995*time.Millisecond, Uniform(100)), Workers: 20, MaxJourneys: 10, Recorder: r, Journey: journey, coarse: true})
		// The first ten find room, and the ten that come when those have ended, a second later.
		if outcome.Arrivals != 199 || outcome.Missed != 179 || outcome.Completed != 20 {
			t.Errorf("%+v, want 199 arrivals, 179 of them missed, 20 completed", outcome)
		}
		if s := r.Snapshot(); s.Arrivals != 199 || s.Missed != 179 || s.Completed != 20 {
			t.Errorf("the recorder counts %d arrivals, %d missed, %d completed, unlike the outcome", s.Arrivals, s.Missed, s.Completed)
		}
		if last.Load() != 109 {
			t.Errorf("the last journey has the number %d, want 109: missed arrivals are numbered too", last.Load())
		}
	})
}

func TestTooFewWorkersShowAsLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		busy := func(context.Context, int) error { time.Sleep(10 * time.Millisecond); return nil }
		run(t, Open{Arrivals: First(400, Uniform(200)), Workers: 1, MaxJourneys: 400, Recorder: r, Journey: asking("get", busy), coarse: true})
		got := r.Snapshot().Ops["get"]
		service, _ := Percentile(got.Service, 99)
		response, _ := Percentile(got.Response, 99)
		lateness, _ := Percentile(got.Lateness, 99)
		// Each request takes 10 ms and they come 5 ms apart: the nth waits for n times 5 ms.
		if math.Abs(service-10) > 0.1 || math.Abs(lateness-1980) > 10 || math.Abs(response-1990) > 10 {
			t.Errorf("p99: service %.1f ms, lateness %.1f ms, response %.1f ms; want 10, 1980 and 1990", service, lateness, response)
		}
	})
}

func TestLatenessOfArrivalsIsNotHiddenByRequestsThatFollowThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		quick := func(context.Context, int) error { time.Sleep(time.Millisecond); return nil }
		journey := func(ctx context.Context, c *Caller, n int, intended time.Time) (err error) {
			if n%40 == 0 { // one in forty is not let run at its instant
				time.Sleep(40 * time.Millisecond)
			}
			done, err := c.Do(ctx, "look", intended, quick)
			for range 4 {
				if err == nil {
					done, err = c.Then(ctx, "go on", done, quick)
				}
			}
			if err == nil {
				_, err = c.Do(ctx, "buy", done.Add(time.Second), quick)
			}
			return err
		}
		run(t, Open{Arrivals: First(1000, Uniform(100)), Workers: 400, MaxJourneys: 400, Recorder: r, Journey: journey, coarse: true})
		s := r.Snapshot()
		all := s.All()
		if hidden, ok := Percentile(all.Lateness, 99); !ok || hidden > 0.1 {
			t.Errorf("p99 of all latenesses is %.1f ms; 1 in 240 should not show there", hidden)
		}
		if told, ok := Percentile(all.Scheduled, 99); !ok || math.Abs(told-40) > 0.1 {
			t.Errorf("p99 of the lateness of what was scheduled is %.1f ms, want 40: 1 in 80 was late", told)
		}
		for op, want := range map[string]int64{"look": 1000, "go on": 0, "buy": 1000} { // people who have thought come at an instant of their own, too
			if got := s.Ops[op].Scheduled.TotalCount(); got != want || s.Ops[op].Lateness.TotalCount() == 0 {
				t.Errorf("%d of %q were scheduled, want %d", got, op, want)
			}
		}
	})
}

func TestWorkersHaveNumbersAndDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := make([]bool, 3)
		journey := asking("get", func(_ context.Context, worker int) error {
			if busy[worker] {
				t.Errorf("worker %d has two requests", worker)
			}
			busy[worker] = true
			time.Sleep(7 * time.Millisecond)
			busy[worker] = false
			return nil
		})
		outcome := run(t, Open{Arrivals: First(200, Poisson(400, 3)), Workers: 3, MaxJourneys: 200, Recorder: counting(), Journey: journey, coarse: true})
		if outcome.Completed != 200 {
			t.Errorf("%+v, want 200 completed", outcome)
		}
	})
}

func TestALaterRequestIsIntendedWhenItsJourneySays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		journey := func(ctx context.Context, c *Caller, _ int, intended time.Time) error {
			quick := func(context.Context, int) error { time.Sleep(time.Millisecond); return nil }
			done, err := c.Do(ctx, "look", intended, quick)
			if err != nil {
				return err
			}
			if done, err = c.Do(ctx, "buy", done.Add(3*time.Second), quick); err != nil {
				return err
			}
			c.Observe("seen", intended, done, nil)
			return nil
		}
		run(t, Open{Arrivals: First(1, Uniform(1)), Workers: 1, MaxJourneys: 1, Recorder: r, Journey: journey, coarse: true})
		ops := r.Snapshot().Ops
		if late, took := ops["buy"].Lateness.Max(), ops["buy"].Response.Max(); late != 0 || took != 1000 {
			t.Errorf("after three seconds of thought: %d µs late, %d µs of response; want 0 and 1000", late, took)
		}
		if seen := ops["seen"]; !seen.Observed || seen.Count != 1 || seen.Response.Max() < 3_002_000 {
			t.Errorf("observed %+v after %d µs, want one after 3.002 s", seen, seen.Response.Max())
		}
	})
}

func TestNoAnswerBeforeTheDeadlineIsAnErrorAsOldAsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		never := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
		outcome := run(t, Open{
			Arrivals: First(2, Uniform(10)), Workers: 1, MaxJourneys: 2, Deadline: 2 * time.Second, Recorder: r, Journey: asking("get", never), coarse: true,
		})
		// The second request does not even get a worker before the first gives it back.
		s := r.Snapshot()
		if outcome.Failed != 2 || s.Errors["get: deadline"] != 2 || s.Ops["get"].Failed != 2 || !errors.Is(outcome.Failure, context.DeadlineExceeded) {
			t.Errorf("%+v, errors %v; want two that failed by the deadline", outcome, s.Errors)
		}
		if low, high := s.Ops["get"].Response.Min(), s.Ops["get"].Response.Max(); low < 1_999_000 || high > 2_001_000 {
			t.Errorf("they waited %d to %d µs, want 2 s", low, high)
		}
	})
}

func TestAClosedLoopKeepsItsClientsBusyAndStartsThemOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		var mutex sync.Mutex
		first := map[int]time.Duration{} // request of each worker
		start := time.Now()
		journey := asking("get", func(_ context.Context, worker int) error {
			mutex.Lock()
			if _, met := first[worker]; !met {
				first[worker] = time.Since(start)
			}
			mutex.Unlock()
			time.Sleep(10 * time.Millisecond)
			return nil
		})
		outcome := run(t, Closed{Clients: 4, Ramp: 400 * time.Millisecond, For: 995 * time.Millisecond, Recorder: r, Journey: journey})
		if len(first) != 4 || slices.Min(slices.Collect(maps.Values(first))) != 0 {
			t.Errorf("the workers began after %v, want four, the first at once", first)
		}
		if outcome.Completed != 100+90+80+70 || outcome.Missed != 0 { // 10 ms each from the client's start
			t.Errorf("%+v, want 340 completed", outcome)
		}
		if late := r.Snapshot().Ops["get"].Lateness.Max(); late != 0 {
			t.Errorf("a closed loop was %d µs late", late)
		}
	})
}

func TestAClosedLoopDoesNotRaceAgainstAServerThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := func(context.Context, int) error { return errors.New("no") }
		outcome := run(t, Closed{Clients: 1, For: 995 * time.Millisecond, Recorder: counting(), Journey: asking("get", refuse)})
		if outcome.Failed != 100 {
			t.Errorf("%d journeys failed in a second, want 100", outcome.Failed)
		}
	})
}

func TestCancellingEndsAllAtOnce(t *testing.T) {
	hang := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	cause := errors.New("enough")
	loops := map[string]func(*Recorder) loop{
		"open": func(r *Recorder) loop {
			return Open{Arrivals: Poisson(50, 1), Workers: 2, MaxJourneys: 20, Deadline: time.Hour, Recorder: r, Journey: asking("get", hang), coarse: true}
		},
		"closed": func(r *Recorder) loop {
			return Closed{Clients: 3, Deadline: time.Hour, Recorder: r, Journey: asking("get", hang)}
		},
	}
	for name, with := range loops {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which also fails if a goroutine is left
				ctx, cancel := context.WithCancelCause(t.Context())
				start := time.Now()
				time.AfterFunc(time.Minute, func() { cancel(cause) })
				r := counting()
				outcome, err := with(r).Run(ctx)
				if !errors.Is(err, cause) {
					t.Errorf("the error is %v, want the cause", err)
				}
				if took := time.Since(start); took != time.Minute {
					t.Errorf("it ended %v after the start, want a minute", took)
				}
				if s := r.Snapshot(); outcome.Failed == 0 || s.Errors["get: cut"] != outcome.Failed {
					t.Errorf("%+v, errors %v; want those that were on their way counted as cut", outcome, s.Errors)
				}
			})
		})
	}
}

func TestStoppingLetsJourneysEndUntilTheyAreDrained(t *testing.T) {
	for name, want := range map[string]struct {
		drain     time.Duration
		completed int64
		took      time.Duration
	}{
		"all":   {0, 5, 15 * time.Second},
		"a bit": {8 * time.Second, 3, 13500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				time.AfterFunc(5500*time.Millisecond, func() { close(stop) })
				journey := func(ctx context.Context, _ *Caller, _ int, _ time.Time) error {
					if !pass(ctx, 10*time.Second, nil) {
						return ctx.Err()
					}
					return nil
				}
				start := time.Now()
				outcome := run(t, Open{Arrivals: Uniform(1), Workers: 1, MaxJourneys: 9, Drain: want.drain, Recorder: counting(), Journey: journey, Stop: stop, coarse: true})
				if outcome.Arrivals != 5 || outcome.Completed != want.completed || time.Since(start) != want.took {
					t.Errorf("%+v after %v, want %d of 5 completed after %v", outcome, time.Since(start), want.completed, want.took)
				}
			})
		})
	}
}

func TestALoopThatLacksSomethingIsRefused(t *testing.T) {
	if _, err := (Open{}).Run(t.Context()); err == nil {
		t.Error("an empty open loop ran")
	}
	if _, err := (Closed{}).Run(t.Context()); err == nil {
		t.Error("an empty closed loop ran")
	}
}
