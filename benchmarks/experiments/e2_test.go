package experiments

import (
	"strings"
	"testing"

	"kerf/benchmarks/lab"
)

// rung plants what a rung is like, with the CPU that a law makes of it.
func rung(count, calls, events float64, law func(processes, crossings float64) float64) map[string]float64 {
	cpu := law(count, calls+events)
	return map[string]float64{
		processes.Name: count, cutCalls.Name: calls, cutEvents.Name: events, modulesPerOrder.Name: cpu, totalPerOrder.Name: 1.2 * cpu, localCalls.Name: 40 - calls,
		netPerOrder.Name: cpu,
	}
}

// fullLadder is one in which processes and crossings part company.
func fullLadder(law func(processes, crossings float64) float64) *lab.Findings {
	full := everything
	full.Profile = lab.Full
	return plant(ladder(), full).
		runs("memory", 12, rung(1, 0.0001, 0.0001, law)).runs("broker", 12, rung(1, 0.0001, 60, law)).
		runs("four", 12, rung(4, 20, 60, law)).runs("nine", 12, rung(9, 40, 60, law)).
		runs("talkative-2", 12, rung(2, 30, 60, law)).runs("talkative-4", 12, rung(4, 38, 60, law)).
		runs("quiet-2", 12, rung(2, 2, 60, law)).runs("quiet-4", 12, rung(4, 5, 60, law)).findings()
}

func TestCPUThatFollowsCrossingsSupportsTheHypothesis(t *testing.T) {
	c := ladder().Conclude(fullLadder(func(_, crossings float64) float64 { return 10 + 0.3*crossings }))

	if c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "a crossing costs 30") && !strings.Contains(c.Verdict, "a crossing costs 29") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	if len(c.Tables[0].Rows) != 8 || len(c.Figures) != 4 || len(c.Figures[0].Curves[0].Points) != 8 {
		t.Errorf("%+v", c.Tables)
	}
	for _, figure := range c.Figures {
		if !strings.Contains(figure.Note, "memory 12") {
			t.Errorf("%s does not say of how many runs it is: %q", figure.Title, figure.Note)
		}
	}
}

// What processes use when nothing happens is no crossing, though the more processes the more they use.
func TestIdleProcessesAreToldFromCrossings(t *testing.T) {
	f := fullLadder(func(processes, crossings float64) float64 { return 10 + 0.05*crossings + 3*processes })
	for _, runs := range f.Records {
		for _, r := range runs {
			r.Values[netPerOrder.Name] = r.Values[modulesPerOrder.Name] - 3*r.Values[processes.Name]
		}
	}

	e := explain(rungsOf(f), cpuOf)
	net := explain(rungsOf(f), netOf)

	if e.outcome() != lab.Refuted || net.outcome() != lab.Supported {
		t.Errorf("all CPU: %s, %+v; less idle: %s, %+v", e.outcome(), e, net.outcome(), net)
	}
	if net.Slope.Low > 0.05 || net.Slope.High < 0.05 || net.Slope.Low < 0.03 || net.Slope.High > 0.07 {
		t.Errorf("a crossing that takes 50 µs takes %+v", net.Slope)
	}
	if c := ladder().Conclude(f); c.Outcome != lab.Partly {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

// A block in which all was slow is slow for all rungs, so it widens no interval of what crossings cost beside each other.
func TestRungsAreDrawnAgainByBlocks(t *testing.T) {
	var rungs [][]rungRun
	for i, crossings := range []float64{0, 50, 100, 150} {
		var runs []rungRun
		for block := range 6 {
			runs = append(runs, rungRun{Block: block + 1, Processes: float64(i*i + 1), Crossings: crossings, CPU: 10 + 0.3*crossings + 20*float64(block)})
		}
		rungs = append(rungs, runs)
	}

	if e := explain(rungs, cpuOf); e.Slope.Low < 0.299 || e.Slope.High > 0.301 {
		t.Errorf("%+v", e.Slope)
	}
}

func TestARungWithFewRunsLeavesTheLadderUndecided(t *testing.T) {
	law := func(_, crossings float64) float64 { return 10 + 0.3*crossings }
	f := plant(ladder(), everything).runs("memory", 6, rung(1, 0.0001, 0.0001, law)).runs("broker", 6, rung(1, 0.0001, 60, law)).
		runs("four", 2, rung(4, 20, 60, law)).runs("nine", 6, rung(9, 40, 60, law)).findings()

	if c := ladder().Conclude(f); c.Outcome != lab.Undecided || !strings.HasPrefix(c.Verdict, "Undecided, since fewer than 5 runs count (four: 2). ") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestCPUThatFollowsProcessesRefutesTheHypothesis(t *testing.T) {
	c := ladder().Conclude(fullLadder(func(processes, _ float64) float64 { return 10 + 3*processes }))

	if c.Outcome != lab.Refuted {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestTheQuickLadderSupportsAtMostInPart(t *testing.T) {
	law := func(_, crossings float64) float64 { return 10 + 0.3*crossings }
	f := plant(ladder(), everything).runs("memory", 6, rung(1, 0.0001, 0.0001, law)).runs("broker", 6, rung(1, 0.0001, 60, law)).
		runs("four", 6, rung(4, 20, 60, law)).runs("nine", 6, rung(9, 40, 60, law)).findings()

	c := ladder().Conclude(f)

	if c.Outcome != lab.Partly || !strings.Contains(c.Verdict, "By a line through 4 points and no more, a crossing costs") ||
		!strings.Contains(strings.Join(c.Remarks, "\n"), "prove little") {
		t.Errorf("%s: %s\n%s", c.Outcome, c.Verdict, c.Remarks)
	}
}

func TestALadderOfTwoRungsDecidesNothing(t *testing.T) {
	law := func(_, crossings float64) float64 { return 10 + 0.3*crossings }
	f := plant(ladder(), everything).runs("memory", 6, rung(1, 0.0001, 0.0001, law)).runs("broker", 6, rung(1, 0.0001, 60, law)).findings()

	if c := ladder().Conclude(f); c.Outcome != lab.Undecided {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	if c := ladder().Conclude(plant(ladder(), everything).findings()); c.Outcome != lab.Undecided {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}
