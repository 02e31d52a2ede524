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

	if c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "about 30") && !strings.Contains(c.Verdict, "about 29") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	if len(c.Tables[0].Rows) != 8 || len(c.Figures) != 2 || len(c.Figures[0].Curves[0].Points) != 8 {
		t.Errorf("%+v", c.Tables)
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

	if c.Outcome != lab.Partly || !strings.Contains(strings.Join(c.Remarks, "\n"), "prove little") {
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
