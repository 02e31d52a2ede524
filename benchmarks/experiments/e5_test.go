package experiments

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
)

func window(read, told, stale float64) map[string]float64 {
	return map[string]float64{readP50.Name: read, toldP50.Name: told, staleRead.Name: stale}
}

func TestWindowsAsExpectedSupportTheHypothesis(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 6, window(0.5, 1.2, 0.3)).runs("split-kafka", 6, window(25, 30, 1)).findings()
	if c := visibility().Conclude(f); c.Outcome != lab.Supported {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestAWindowOfSomeMillisecondsThroughTheBrokerSupportsItPartly(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 6, window(0.5, 1.2, 0.3)).runs("split-kafka", 6, window(5, 30, 1)).findings()
	if c := visibility().Conclude(f); c.Outcome != lab.Partly {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestWindowsThatAreWideInOneProcessAndNarrowThroughTheBrokerRefuteIt(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 6, window(5, 6, 1)).runs("split-kafka", 6, window(3, 4, 1)).findings()
	if c := visibility().Conclude(f); c.Outcome != lab.Refuted {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestTheWindowThroughRabbitMQIsToldWhereItIsInstalled(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 6, window(0.5, 1.2, 0.3)).runs("split-kafka", 6, window(25, 30, 1)).
		runs("split-amqp", 6, window(8, 9, 1)).findings()
	if c := visibility().Conclude(f); c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "Through RabbitMQ it is read 8.0") && !strings.Contains(c.Verdict, "Through RabbitMQ it is read 7.9") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	bare := everything
	bare.RabbitMQ, bare.Kafka = false, false
	arms, notes, err := visibility().Arms(bare)
	if err != nil || len(arms) != 2 || !arms[1].Kfake || len(notes) != 2 {
		t.Errorf("on a bare machine: %+v, %q, %v", arms, notes, err)
	}
	c := visibility().Conclude(plant(visibility(), bare).runs("monolith", 6, window(0.5, 1.2, 0.3)).runs("split-kafka", 6, window(25, 30, 1)).findings())
	if !strings.Contains(c.Verdict, "later through kfake") || !strings.HasPrefix(c.Verdict, "Kfake stands in") {
		t.Error(c.Verdict)
	}
	bare.Strict, bare.Kafka = true, true
	if _, _, err := visibility().Arms(bare); err == nil {
		t.Error("without RabbitMQ a strict machine has no window")
	}
}

func TestWithoutRunsNoWindowIsJudged(t *testing.T) {
	for _, f := range []*lab.Findings{{}, plant(visibility(), everything).runs("monolith", 6, window(1, 1, 1)).findings()} {
		if c := visibility().Conclude(f); c.Outcome != lab.Undecided || c.Verdict == "" {
			t.Errorf("%s: %s", c.Outcome, c.Verdict)
		}
	}
}

func TestWindowsOfAllRunsAreToldTogether(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 3, window(1, 1, 1)).findings()
	for i := range f.Records["monolith"] {
		h := hdrhistogram.New(1, 60_000_000, 3)
		for ms := range 120 {
			_ = h.RecordValue(int64(ms+1) * 1000)
		}
		keep(&f.Records["monolith"][i], seenRead+"/response", h)
	}
	c := visibility().Conclude(f)
	if row := c.Tables[0].Rows[0]; len(c.Tables[0].Rows) != 1 || row[2] != "360" || row[5] == "–" {
		t.Errorf("%v", c.Tables[0].Rows)
	}
	curve := c.Figures[0].Curves[0].Points
	if last := curve[len(curve)-1]; len(c.Figures) != 1 || last.Y != 1 || last.X < 120 || curve[0].Y != 0 {
		t.Errorf("from %+v to %+v", curve[0], last)
	}
}

func TestSharesOfLooksAreOfThoseMade(t *testing.T) {
	recorder := load.NewRecorder()
	recorder.Begin()
	caller := load.NewCaller(recorder, 1, time.Second)
	now := time.Now()
	for i := range 40 {
		observeLook(caller, now, i%4 != 0, freshOrder, staleOrder)
		caller.Observe(seenRead, now, now.Add(time.Duration(i)*time.Millisecond), nil)
	}
	_, _ = caller.Do(t.Context(), "look", now, func(context.Context, int) error { return nil })
	recorder.End()
	record := &lab.Record{Values: map[string]float64{}, Samples: map[string]int64{}}
	windows(record, recorder.Snapshot())
	if record.Values[staleRead.Name] != 0.25 || record.Samples[staleRead.Name] != 40 {
		t.Errorf("%v of %v", record.Values, record.Samples)
	}
	if p50 := record.Values[readP50.Name]; math.Abs(p50-20) > 1.1 {
		t.Errorf("p50 %.2f", p50)
	}
	if _, told := record.Values[lookP50.Name]; told {
		t.Error("a percentile of one look")
	}
	if _, told := record.Values[staleView.Name]; told {
		t.Error("a share of no looks")
	}
}

func TestWhatWasNotSeenIsObservedToo(t *testing.T) {
	recorder := load.NewRecorder()
	recorder.Begin()
	caller := load.NewCaller(recorder, 1, time.Second)
	written := time.Now()
	shows := map[string]error{"seen": nil, "given up": context.DeadlineExceeded, "cut": context.Canceled, "failed": errors.New("503")}
	for name, failure := range shows {
		at, err := observe(t.Context(), caller, name, written, func(ctx context.Context) (time.Time, error) {
			if until, ok := ctx.Deadline(); !ok || until != written.Add(givenUp) {
				t.Errorf("it is waited for until %s after the write", until.Sub(written))
			}
			return written.Add(-time.Millisecond), failure
		})
		if !errors.Is(err, failure) {
			t.Errorf("%s: %v", name, err)
		}
		if failure == nil && at != written {
			t.Error("what was told before the answer came is known with it")
		}
	}
	recorder.End()
	for name, want := range map[string][3]int64{"seen": {1, 0, 1}, "given up": {1, 1, 1}, "cut": {1, 1, 0}, "failed": {1, 1, 0}} {
		op := recorder.Snapshot().Ops[name]
		if got := [3]int64{op.Count, op.Failed, op.Response.TotalCount()}; got != want {
			t.Errorf("%s: count, failed and times are %v, want %v", name, got, want)
		}
	}
}

func TestOrdersThatAreNotSeenToTheEndAreToldOf(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 6, window(0.5, 1.2, 0.3)).runs("split-kafka", 6, window(25, 30, 1)).findings()
	for i := range f.Records["split-kafka"] {
		r := &f.Records["split-kafka"][i]
		r.Samples, r.Errors = map[string]int64{}, map[string]int64{seenRead + ": deadline": 3, "look: 503": 1}
		countUnseen(r, load.Snapshot{Arrivals: 100, Completed: 96, Failed: 3, Missed: 1})
	}
	c := visibility().Conclude(f)
	if !strings.Contains(c.Verdict, "4 % of the orders of split-kafka") || strings.Contains(c.Verdict, "of monolith") {
		t.Error(c.Verdict)
	}
	if all := strings.Join(c.Remarks, "\n"); !strings.Contains(all, "of 600 orders in 6 runs, 24 were not seen") {
		t.Error(all)
	}
	if rows := c.Tables[0].Rows; len(rows) != 1 || rows[0][2] != "0" || rows[0][7] != "18" {
		t.Errorf("what nobody saw is no row: %q", rows)
	}
}

func TestAWindowOfFewRunsDecidesNothing(t *testing.T) {
	f := plant(visibility(), everything).runs("monolith", 2, window(0.5, 1.2, 0.3)).runs("split-kafka", 2, window(25, 30, 1)).findings()
	if c := visibility().Conclude(f); c.Outcome != lab.Undecided {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestWilsonsIntervalHoldsTheShareAndStaysInItsBounds(t *testing.T) {
	for _, c := range []struct{ k, n float64 }{{0, 10}, {10, 10}, {3, 10}, {500, 1000}} {
		low, high := wilson(c.k, c.n)
		if low < 0 || high > 1 || low > c.k/c.n+1e-9 || high < c.k/c.n-1e-9 {
			t.Errorf("%v: %.3f to %.3f", c, low, high)
		}
	}
	if low, high := wilson(500, 1000); math.Abs(low-0.469) > 0.001 || math.Abs(high-0.531) > 0.001 {
		t.Errorf("of 1,000: %.4f to %.4f", low, high)
	}
}
