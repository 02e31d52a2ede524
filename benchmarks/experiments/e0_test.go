package experiments

import (
	"strings"
	"testing"

	"kerf/benchmarks/lab"
)

func cpu(ms float64) map[string]float64 {
	return map[string]float64{totalPerOrder.Name: ms, placeP50.Name: 2, approvedP50.Name: 8}
}

func TestEqualsAreFoundEqualAndTheBurnIsFound(t *testing.T) {
	f := plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 6, cpu(23)).bare()

	c := null().Conclude(f)

	if c.Outcome != lab.Supported {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	if !strings.Contains(c.Verdict, "0 found a difference") || !strings.Contains(c.Verdict, "15 % of the CPU was found") {
		t.Error(c.Verdict)
	}
	if rows := c.Tables[0].Rows; len(rows) != trials+1 || rows[trials][3] != "yes" {
		t.Errorf("the table is %v", rows)
	}
}

func TestABurnThatIsMissedRefutesTheMethod(t *testing.T) {
	f := plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 6, cpu(20.4)).bare()

	if c := null().Conclude(f); c.Outcome != lab.Refuted || !strings.Contains(c.Verdict, "was missed") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestABurnThatSeemsToSaveIsNotFound(t *testing.T) {
	f := plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 6, cpu(15)).bare()

	if c := null().Conclude(f); c.Outcome != lab.Refuted {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

// A method that finds differences between equals must be told so: here two groups of fresh runs truly differ.
func TestDifferencesBetweenEqualsRefuteTheMethod(t *testing.T) {
	full := everything
	full.Profile = lab.Full
	p := plant(null(), full).runs(burnArm, 12, cpu(23)).runs(nullArm, trials*trialRuns, cpu(20)).runs(againArm, trials*trialRuns, cpu(20))
	for i := range 2 * trialRuns {
		p.records[againArm][i].Values[totalPerOrder.Name] = 30
	}

	c := null().Conclude(p.bare())

	if c.Outcome != lab.Refuted || !strings.Contains(c.Verdict, "2 found a difference") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestOneDifferenceBetweenEqualsIsAllowed(t *testing.T) {
	full := everything
	full.Profile = lab.Full
	p := plant(null(), full).runs(burnArm, 12, cpu(23)).runs(nullArm, trials*trialRuns, cpu(20)).runs(againArm, trials*trialRuns, cpu(20))
	for i := range trialRuns {
		p.records[againArm][i].Values[totalPerOrder.Name] = 30
	}

	if c := null().Conclude(p.bare()); c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "1 found a difference") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestTheNullExperimentNeedsItsRuns(t *testing.T) {
	for name, f := range map[string]*lab.Findings{
		"none":     plant(null(), everything).bare(),
		"no burn":  plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).bare(),
		"few":      plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 5, cpu(20)).runs(burnArm, 6, cpu(23)).bare(),
		"one burn": plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 1, cpu(23)).bare(),
	} {
		if c := null().Conclude(f); c.Outcome != lab.Undecided {
			t.Errorf("%s: %s: %s", name, c.Outcome, c.Verdict)
		}
	}
}

func TestTheSameRunsAreSplitInTheSameWay(t *testing.T) {
	f := plant(null(), everything).runs(nullArm, 6, cpu(20)).runs(againArm, 6, cpu(20)).runs(burnArm, 6, cpu(23)).bare()

	if first, second := null().Conclude(f), null().Conclude(f); first.Verdict != second.Verdict || first.Tables[0].Rows[7][1] != second.Tables[0].Rows[7][1] {
		t.Errorf("%s\n%s", first.Verdict, second.Verdict)
	}
}
