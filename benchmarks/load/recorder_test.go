package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tell records a request that was sent at once and took so long.
func tell(r *Recorder, worker int, op string, intended time.Time, took time.Duration, err error) {
	r.request(worker, op, intended, intended, intended.Add(took), true, err)
}

func TestTheWindowIsByTheIntendedInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder()
		r.grow(1)
		early := time.Now()
		tell(r, 0, "get", early, 0, nil)
		time.Sleep(time.Second)
		r.Begin()
		begin := time.Now()
		tell(r, 0, "get", early, 1500*time.Millisecond, nil) // intended before the window, ended in it
		tell(r, 0, "get", begin, 0, nil)
		time.Sleep(2500 * time.Millisecond)
		tell(r, 0, "get", begin.Add(1700*time.Millisecond), 700*time.Millisecond, errors.New("no"))
		r.End()
		end := time.Now()
		tell(r, 0, "get", end, time.Second, nil)                     // intended after the window
		tell(r, 0, "get", end.Add(-time.Second), 9*time.Second, nil) // ended long after it
		tell(r, 0, "get", end.Add(-time.Millisecond), time.Millisecond, nil)

		s := r.Snapshot()
		got := s.Ops["get"]
		if s.Seconds() != 2.5 || got.Count != 4 || got.Failed != 1 || s.Errors["get: other"] != 1 {
			t.Errorf("in %.1f s %d requests, %d failed, errors %v; want 4 in 2.5 s, 1 failed", s.Seconds(), got.Count, got.Failed, s.Errors)
		}
		if got.Response.TotalCount() != 3 || got.Lateness.TotalCount() != 4 {
			t.Errorf("%d response times and %d latenesses, want 3 without the error, and 4", got.Response.TotalCount(), got.Lateness.TotalCount())
		}
		if len(got.Bins) != 2 {
			t.Fatalf("%d bins, want the two whole seconds", len(got.Bins))
		}
		one, two := got.Bins[0], got.Bins[1]
		if one.Count != 1 || one.Ended != 1 || two.Count != 2 || two.Failed != 1 || two.Ended != 0 || two.Response.TotalCount() != 1 {
			t.Errorf("bins %+v and %+v; want one request that ended, and two of which one failed and none ended", one, two)
		}
	})
}

func TestBeginForgetsWhatWasBefore(t *testing.T) {
	r := counting()
	r.grow(1)
	tell(r, 0, "get", time.Now(), time.Second, nil)
	r.journey(time.Now(), &r.arrived)
	r.End()
	if s := r.Snapshot(); s.Ops["get"].Count != 1 || s.Arrivals != 1 {
		t.Fatalf("%+v, want one", s)
	}
	r.Begin()
	if s := r.Snapshot(); len(s.Ops) != 0 || s.Arrivals != 0 {
		t.Errorf("after another beginning there is still %+v", s)
	}
	tell(r, 0, "get", time.Now(), time.Second, nil)
	if s := r.Snapshot(); s.Ops["get"].Count != 1 {
		t.Errorf("%+v, want one of the new window", s)
	}
}

func TestMergedShardsEqualOneHistogram(t *testing.T) {
	const workers, each = 8, 500
	r := counting()
	r.grow(workers)
	want := newHistogram()
	var one sync.Mutex
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for range each {
				took := time.Duration(random.ExpFloat64() * float64(20*time.Millisecond))
				tell(r, worker, "get", time.Now(), took, nil)
				one.Lock()
				_ = want.RecordValue(took.Microseconds())
				one.Unlock()
			}
		})
	}
	all.Wait()
	s := r.Snapshot()
	got := s.Ops["get"]
	if got.Count != workers*each || !got.Response.Equals(want) {
		t.Errorf("merged: %d requests, p99 %d µs; one histogram: p99 %d µs", got.Count, got.Response.ValueAtPercentile(99), want.ValueAtPercentile(99))
	}
	encoded, err := Encode(got.Response)
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err := hdrhistogram.Decode([]byte(encoded)); err != nil || !decoded.Equals(want) {
		t.Errorf("decoded: %v, error %v", decoded, err)
	}
}

func TestAllAreTheRequestsWithoutObservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := counting()
		r.grow(2)
		now := time.Now()
		tell(r, 0, "get", now, 10*time.Millisecond, nil)
		tell(r, 1, "put", now, 30*time.Millisecond, nil)
		tell(r, 1, "put", now, 50*time.Millisecond, kind("503"))
		r.observation("seen", now, now.Add(time.Second), nil)
		r.observation("seen", now, now.Add(time.Second), kind("lost"))
		time.Sleep(time.Second)
		s := r.Snapshot()
		all := s.All()
		if all.Count != 3 || all.Failed != 1 || all.Response.TotalCount() != 2 || all.Response.Max() > 30_050 {
			t.Errorf("all are %+v, max %d µs; want 3, 1 failed, at most 30 ms", all, all.Response.Max())
		}
		if b := all.Bins; len(b) != 1 || b[0].Count != 3 || b[0].Failed != 1 || b[0].Ended != 3 || b[0].Response.TotalCount() != 2 {
			t.Errorf("bins of all are %+v", b)
		}
		if seen := s.Ops["seen"]; seen.Count != 2 || seen.Failed != 1 || s.Errors["seen: lost"] != 1 || s.Errors["put: 503"] != 1 {
			t.Errorf("seen %+v, errors %v", seen, s.Errors)
		}
	})
}

func TestPercentilesNeedEnoughSamples(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{
		{0, "map[]"},
		{29, "map[max:10]"},
		{30, "map[50:10 90:10 max:10]"},
		{299, "map[50:10 90:10 max:10]"},
		{300, "map[50:10 90:10 99:10 max:10]"},
		{2999, "map[50:10 90:10 99:10 max:10]"},
		{3000, "map[50:10 90:10 99:10 99.9:10 max:10]"},
	} {
		h := hdrhistogram.New(1, highest, 5) // so precise that 10 ms are exactly that
		_ = h.RecordValues(10_000, int64(c.n))
		if got := fmt.Sprint(Percentiles(h)); got != c.want {
			t.Errorf("of %d samples %s is told, want %s", c.n, got, c.want)
		}
	}
}

func TestWhatIsOutOfBoundsIsRecordedAtThem(t *testing.T) {
	h := newPacked()
	record(h, -time.Second) // a clock that steps
	record(h, time.Hour)
	if h.TotalCount() != 2 || h.Min() != 0 || h.Max() < highest {
		t.Errorf("%d recorded from %d to %d µs", h.TotalCount(), h.Min(), h.Max())
	}
}

func TestSteadinessTellsATrendFromNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	series := func(n int, f func(i int) float64) (values []float64) {
		for i := range n {
			values = append(values, f(i))
		}
		return values
	}
	for name, c := range map[string]struct {
		values []float64
		want   string
	}{
		"constant":          {series(10, func(int) float64 { return 7 }), "steady"},
		"a little noise":    {series(30, func(int) float64 { return 100 + 3*random.NormFloat64() }), "steady"},
		"noise":             {series(30, func(int) float64 { return 100 + 20*random.NormFloat64() }), "noisy"}, // it may rise by 5 % and hide that
		"a step up":         {series(30, func(i int) float64 { return []float64{100, 150}[i/20] + random.NormFloat64() }), "not steady"},
		"growing":           {series(30, func(i int) float64 { return 100 + 5*float64(i) + random.NormFloat64() }), "not steady"},
		"growing in noise":  {series(30, func(i int) float64 { return 100 + 5*float64(i) + 20*random.NormFloat64() }), "not steady"},
		"a fall of 2 %":     {series(30, func(i int) float64 { return []float64{100, 98}[i/20] }), "steady"},
		"one second stalls": {series(12, func(i int) float64 { return []float64{5, 500}[i/11] }), "noisy"},
	} {
		got, ok := Steady(c.values)
		if !ok || state(got) != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
	if _, ok := Steady(series(5, func(int) float64 { return 1 })); ok {
		t.Error("five seconds were enough")
	}
	if _, ok := Steady(make([]float64, 10)); ok {
		t.Error("nothing at all was judged")
	}
}

func state(s Steadiness) string {
	switch {
	case s.Steady && s.Noisy:
		return "both"
	case s.Steady:
		return "steady"
	case s.Noisy:
		return "noisy"
	}
	return "not steady"
}

func TestNoiseIsRarelyTakenForATrend(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	denied := 0
	for range 1000 {
		values := make([]float64, 10)
		for i := range values {
			values[i] = 100 + 30*random.NormFloat64()
		}
		if s, ok := Steady(values); !ok || state(s) == "not steady" {
			denied++
		}
	}
	if denied > 100 { // two standard errors leave out 5 %, and more with so few values
		t.Errorf("%d of 1000 series of pure noise were called unsteady", denied)
	}
}
