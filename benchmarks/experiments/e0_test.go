package experiments

import (
	"math"
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/usage"
)

func cpu(ms float64) map[string]float64 {
	return map[string]float64{totalPerOrder.Name: ms, modulesPerOrder.Name: ms, placeP50.Name: 2, approvedP50.Name: 8}
}

// burnt are the values of a run with a burn: the CPU per order as it is accounted, what of that was burned by the burner's count, and how much of that count is accounted.
func burnt(ms, counted, accounted float64) map[string]float64 {
	values := cpu(ms)
	values[countedPerOrder.Name], values[accountedShare.Name] = counted, accounted
	values[sizedShare.Name] = counted / (ms - counted*accounted)
	return values
}

// quickNull plants the runs of the quick profile.
func quickNull(a, again, burn map[string]float64) *lab.Findings {
	return plant(null(), everything).runs(nullArm, 6, a).runs(againArm, 6, again).runs(burnArm, 6, burn).findings()
}

func TestEqualsAreFoundEqualAndTheBurnIsFound(t *testing.T) {
	c := null().Conclude(quickNull(cpu(20), cpu(20), burnt(23, 3, 1.02)))

	if c.Outcome != lab.Supported {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	for _, want := range []string{
		"arm against arm: ", "no headline metric differs", "0 found a difference", "15 % of the CPU, planted as counted work, was found", "makes 1.15×", "n = 6", "not tested",
	} {
		if !strings.Contains(c.Verdict, want) {
			t.Errorf("%q is not in %s", want, c.Verdict)
		}
	}
	if rows := c.Tables[0].Rows; len(rows) != trials+1 || rows[trials][3] != "yes" {
		t.Errorf("the table is %v", rows)
	}
	if rows := c.Tables[1].Rows; len(rows) != 4 || rows[0][3] != "no" {
		t.Errorf("the arms' table is %v", rows)
	}
	if !strings.Contains(c.Figures[0].Note, "6 runs with the burn") {
		t.Errorf("the figure does not say how many runs it shows: %s", c.Figures[0].Note)
	}
}

// What differs between the two equal arms in every block, for instance because of their places in it, is shuffled away where the runs of both are pooled.
func TestASystematicDifferenceBetweenTheEqualArmsRefutesTheMethod(t *testing.T) {
	for _, factor := range []float64{0.8, 1.11, 1.5, 3} {
		c := null().Conclude(quickNull(cpu(20), cpu(20*factor), burnt(23, 3, 1)))

		if c.Outcome != lab.Refuted || !strings.Contains(c.Verdict, "these differ: CPU per order") {
			t.Errorf("%s: %s", c.Outcome, c.Verdict)
		}
		if c.Tables[1].Rows[0][3] != "yes" {
			t.Errorf("the arms' table is %v", c.Tables[1].Rows)
		}
	}
}

func TestADifferenceOfTheModulesAloneRefutesTheMethod(t *testing.T) {
	again := cpu(20)
	again[modulesPerOrder.Name] = 24

	if c := null().Conclude(quickNull(cpu(20), again, burnt(23, 3, 1))); c.Outcome != lab.Refuted || !strings.Contains(c.Verdict, "these differ: modules 1.2") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestADifferenceOfLatencyAloneLeavesThePartOfCPU(t *testing.T) {
	again := cpu(20)
	again[placeP50.Name] = 3

	if c := null().Conclude(quickNull(cpu(20), again, burnt(23, 3, 1))); c.Outcome != lab.Partly || !strings.Contains(c.Verdict, "these differ: "+placeP50.Label+" 1.") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestABurnThatIsMissedRefutesTheMethod(t *testing.T) {
	if c := null().Conclude(quickNull(cpu(20), cpu(20), burnt(20.4, 3, 1))); c.Outcome != lab.Refuted || !strings.Contains(c.Verdict, "was missed") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestABurnThatSeemsToSaveIsNotFound(t *testing.T) {
	if c := null().Conclude(quickNull(cpu(20), cpu(20), burnt(15, 3, 1))); c.Outcome != lab.Refuted {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

// Accounting that loses half of everything makes the same ratio, and one that loses half of the modules' CPU the one that is due. What the burner counted, and
// its share, betray them.
func TestAccountingThatLosesCPURefutesTheMethod(t *testing.T) {
	for name, f := range map[string]*lab.Findings{
		"half of everything":     quickNull(cpu(10), cpu(10), burnt(11.5, 3, 0.5)),
		"half of the modules":    quickNull(cpu(10), cpu(10), burnt(13, 3, 1)),
		"a burn of another size": quickNull(cpu(20), cpu(20), burnt(27, 3, 1)),
		"a fifth of the burner":  quickNull(cpu(20), cpu(20), burnt(22.4, 3, 0.8)),
		"the burner twice":       quickNull(cpu(20), cpu(20), burnt(26, 3, 2)),
	} {
		if c := null().Conclude(f); c.Outcome != lab.Refuted {
			t.Errorf("%s: %s: %s", name, c.Outcome, c.Verdict)
		}
	}
}

// fullNull plants the runs of the full profile, of which the first so many of the arm that is the same again are not the same.
func fullNull(unequal int) *lab.Findings {
	full := everything
	full.Profile = lab.Full
	values := map[string]float64{totalPerOrder.Name: 20}
	burn := burnt(22, 2, 1)
	p := plant(null(), full).runs(burnArm, 12, burn).runs(nullArm, trials*trialRuns, values).runs(againArm, trials*trialRuns, values)
	for i := range unequal {
		p.records[againArm][i].Values[totalPerOrder.Name] = 30
	}
	f := p.bare()
	// Results of so many runs take seconds to compute, and are not what is asked here: those of six equal ones do.
	f.Results = quickNull(values, values, burn).Results
	return f
}

// A method that finds differences between equals must be told so: here two groups of fresh runs truly differ.
func TestDifferencesBetweenEqualsRefuteTheMethod(t *testing.T) {
	if c := null().Conclude(fullNull(2 * trialRuns)); c.Outcome != lab.Refuted || !strings.Contains(c.Verdict, "2 found a difference") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestOneDifferenceBetweenEqualsIsAllowed(t *testing.T) {
	if c := null().Conclude(fullNull(trialRuns)); c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "1 found a difference") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestTheNullExperimentNeedsItsRuns(t *testing.T) {
	burn := burnt(23, 3, 1)
	for name, p := range map[string]*planted{
		"none":      plant(null(), everything),
		"no burn":   plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)),
		"few":       plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 5, cpu(20)).runs(burnArm, 6, burn),
		"one burn":  plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 1, burn),
		"no count":  plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 6, cpu(23)),
		"no second": plant(null(), everything).runs(nullArm, 12, cpu(20)).runs(burnArm, 6, burn),
	} {
		if c := null().Conclude(p.findings()); c.Outcome != lab.Undecided {
			t.Errorf("%s: %s: %s", name, c.Outcome, c.Verdict)
		}
	}
}

func TestTheSameRunsAreSplitInTheSameWay(t *testing.T) {
	f := quickNull(cpu(20), cpu(20), burnt(23, 3, 1))

	if first, second := null().Conclude(f), null().Conclude(f); first.Verdict != second.Verdict || first.Tables[0].Rows[7][1] != second.Tables[0].Rows[7][1] {
		t.Errorf("%s\n%s", first.Verdict, second.Verdict)
	}
}

func TestARunIsHeldAgainstWhatIsKnownOtherwise(t *testing.T) {
	record := func() *lab.Record {
		return &lab.Record{
			Values: map[string]float64{}, Samples: map[string]int64{totalPerOrder.Name: 60},
			Usage: usage.Window{CPU: map[usage.Role]float64{usage.Modules: 1.2, usage.Planted: 0.18, usage.Generator: 0.22, usage.Rest: 0.4}},
		}
	}
	burned, unburned := record(), record()

	account(burned, 150*time.Millisecond)
	account(unburned, 0)

	for metric, want := range map[string]float64{knownShare.Name: 0.8, accountedShare.Name: 1.2, sizedShare.Name: 0.125, countedPerOrder.Name: 2.5} {
		if got := burned.Values[metric]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if len(unburned.Values) != 1 || math.Abs(unburned.Values[knownShare.Name]-0.8) > 1e-9 {
		t.Errorf("without a burn: %v", unburned.Values)
	}
}
