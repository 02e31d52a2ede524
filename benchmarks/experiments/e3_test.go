package experiments

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/usage"
)

func kneeAt(rate float64) map[string]float64 {
	return map[string]float64{kneeRate.Name: rate, peakRate.Name: 1.3 * rate, generatorShare.Name: 0.12}
}

func TestAKneeLoweredAsExpectedSupportsTheHypothesis(t *testing.T) {
	c := knee().Conclude(plant(knee(), everything).runs("monolith", 6, kneeAt(100)).runs("split-kafka", 6, kneeAt(50)).findings())
	if c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "n = 6") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	if !strings.Contains(strings.Join(c.Remarks, "\n"), "% of the CPU just below the knee") {
		t.Error(c.Remarks)
	}
}

func TestAKneeThatIsBarelyLoweredOrToAFractionRefutesIt(t *testing.T) {
	for _, rate := range []float64{90, 10} {
		c := knee().Conclude(plant(knee(), everything).runs("monolith", 6, kneeAt(100)).runs("split-kafka", 6, kneeAt(rate)).findings())
		if c.Outcome != lab.Refuted {
			t.Errorf("lowered to %.0f %%: %s: %s", rate, c.Outcome, c.Verdict)
		}
	}
}

func TestAKneeThatIsSurelyLoweredByAnUnsureShareSupportsItPartly(t *testing.T) {
	c := knee().Conclude(plant(knee(), everything).runs("monolith", 6, kneeAt(100)).runs("split-kafka", 6, kneeAt(70)).findings())
	if c.Outcome != lab.Partly {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestKneesOfFewRunsDecideNothing(t *testing.T) {
	for _, rate := range []float64{50, 90} {
		c := knee().Conclude(plant(knee(), everything).runs("monolith", 6, kneeAt(100)).runs("split-kafka", 3, kneeAt(rate)).findings())
		if c.Outcome != lab.Undecided || !strings.Contains(c.Verdict, "split-kafka: 3") {
			t.Errorf("%s: %s", c.Outcome, c.Verdict)
		}
	}
}

func TestWithoutOneOfTheKneesNothingIsDecidedAndWhatIsKnownIsShown(t *testing.T) {
	for _, f := range []*lab.Findings{
		{}, plant(knee(), everything).findings(), plant(knee(), everything).runs("monolith", 6, kneeAt(100)).findings(),
		plant(knee(), everything).runs("split-kafka", 6, kneeAt(100)).findings(),
	} {
		c := knee().Conclude(f)
		if c.Outcome != lab.Undecided || c.Verdict == "" || len(c.Tables) != 1 || len(c.Figures) != 3 {
			t.Errorf("%s: %s", c.Outcome, c.Verdict)
		}
	}
}

func TestTheFiguresHoldTheRunsPointsAndTheLaw(t *testing.T) {
	f := plant(knee(), everything).runs("monolith", 2, kneeAt(100)).findings()
	law := usl{Lambda: 40, Sigma: 0.1, Kappa: 0.002}
	for i := range f.Records["monolith"] {
		f.Records["monolith"][i].Curves = map[string][]lab.Point{"clients": pointsOf(law, 0, nil), "place_p95": {{X: 70, Y: 30}, {X: 110, Y: 300}}}
	}
	c := knee().Conclude(f)
	latency, throughput := c.Figures[0], c.Figures[2]
	if n := len(latency.Curves[0].Points); n != 4 || len(latency.Lines) != 2 || !latency.Lines[1].Vertical {
		t.Errorf("%d points of latency, lines %+v", n, latency.Lines)
	}
	if n := len(throughput.Curves[0].Points); n != 6 {
		t.Errorf("%d numbers of clients", n)
	}
	if fitted := throughput.Curves[1]; !fitted.Dashed || math.Abs(fitted.Points[0].Y-40) > 1 {
		t.Errorf("the law: %+v", fitted)
	}
	if row := c.Tables[0].Rows[0]; !strings.Contains(row[6], "at 21 clients") {
		t.Errorf("row %q", row)
	}
}

func TestLateIsWhatTookTooLongOrFailed(t *testing.T) {
	h := hdrhistogram.New(1, 60_000_000, 3)
	for _, ms := range []int64{1, 50, 99, 120, 400} {
		_ = h.RecordValue(ms * 1000)
	}
	if n := above(h, 100*time.Millisecond); n != 2 {
		t.Errorf("%d above", n)
	}
	// Three failed without a time.
	if n := late(load.Op{Count: 8, Failed: 3, Response: h}, 100*time.Millisecond); n != 5 {
		t.Errorf("%d late", n)
	}
	if n := late(load.Op{}, time.Second); n != 0 {
		t.Errorf("%d of nothing late", n)
	}
}

// aStep is what a step of orders told, of which each took so long, with a generator that was so late.
func aStep(orders int64, took, lateness time.Duration) measured {
	filled := func(d time.Duration) *hdrhistogram.Histogram {
		h := hdrhistogram.New(1, 60_000_000, 3)
		_ = h.RecordValues(d.Microseconds(), orders)
		return h
	}
	op := load.Op{Count: orders, Response: filled(took), Service: filled(took), Lateness: filled(lateness), Scheduled: filled(lateness)}
	began := time.Unix(1000, 0)
	return measured{
		Load:  load.Snapshot{Begin: began, End: began.Add(4 * time.Second), Arrivals: orders, Completed: orders, Ops: map[string]load.Op{"place": op, "approved": op}},
		Usage: usage.Window{Seconds: 4, Cores: 2, CPU: map[usage.Role]float64{usage.Modules: 3, usage.Rest: 0.2}},
	}
}

func TestAStepBelowTheKneeInWhichTheGeneratorWasLateIsWorthless(t *testing.T) {
	onTime, late := aStep(400, 10*time.Millisecond, time.Millisecond), aStep(400, 10*time.Millisecond, 5*time.Millisecond)
	if why := worthless(onTime, true); why != "" {
		t.Error(why)
	}
	if why := worthless(late, true); !strings.Contains(why, "late") {
		t.Errorf("5 ms late where orders take 10 ms: %q", why)
	}
	if why := worthless(late, false); why != "" {
		t.Errorf("beyond the knee: %q", why)
	}
	missed := onTime
	missed.Load.Missed = 1
	if why := worthless(missed, true); !strings.Contains(why, "missed") {
		t.Errorf("one of 400 was never sent: %q", why)
	}
}

func TestAStepWithFewOrdersOrBesideOthersIsWorthlessWhateverItFound(t *testing.T) {
	few, beside := aStep(fewestOrders-1, 10*time.Millisecond, 0), aStep(400, 10*time.Millisecond, 0)
	beside.Usage.CPU = map[usage.Role]float64{usage.Modules: 3, usage.Rest: 2}
	for _, borne := range []bool{true, false} {
		if why := worthless(few, borne); !strings.Contains(why, "299 orders") {
			t.Errorf("borne %t: %q", borne, why)
		}
		if why := worthless(beside, borne); !strings.Contains(why, "others") {
			t.Errorf("borne %t: %q", borne, why)
		}
	}
}

func TestAStepIsBorneIfNoMoreThanOneInAHundredOrdersAreLate(t *testing.T) {
	for _, c := range []struct {
		orders, late int64
		borne        bool
	}{{400, 4, true}, {400, 5, false}, {4000, 40, true}, {4000, 41, false}} {
		m := aStep(c.orders-c.late, 10*time.Millisecond, 0)
		slow := m.Load.Ops["approved"]
		slow.Count, slow.Failed = c.orders, c.late
		m.Load.Ops["approved"] = slow
		k := &kneeRun{record: &lab.Record{Curves: map[string][]lab.Point{}}}
		borne, err := k.judge(80, m)
		if err != nil || borne != c.borne {
			t.Errorf("%d of %d late: borne %t, %v", c.late, c.orders, borne, err)
		}
	}
}

func TestStepsAreLongEnoughForAP99AtAnyRateAboveTheBound(t *testing.T) {
	for _, rate := range []float64{11, 30, 80, 300, 1000} {
		window := stepWindow(lab.Quick, rate)
		if rate*window.Seconds() < fewestOrders || window < lab.Quick.Window*35/100 || window > 3*lab.Quick.Window {
			t.Errorf("at %.0f orders/s a step takes %s", rate, window)
		}
	}
}

func TestUsersTopologiesHaveTheirKneesFound(t *testing.T) {
	mine := everything
	mine.Topologies = []string{"/somewhere/three.yaml"}
	arms, _, err := knee().Arms(mine)
	if err != nil || len(arms) != 3 || arms[0].Name != "monolith" || arms[2].Topology != "/somewhere/three.yaml" {
		t.Errorf("%+v, %v", arms, err)
	}
}
