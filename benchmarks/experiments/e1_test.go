package experiments

import (
	"strings"
	"testing"

	"kerf/benchmarks/lab"
)

func costs(total, place float64) map[string]float64 {
	return map[string]float64{
		totalPerOrder.Name: total, modulesPerOrder.Name: total * 0.8, placeP50.Name: place, approvedP50.Name: place * 4, pss.Name: 100,
		databasePerOrder.Name: 5, marginalTotal.Name: total / 2, marginalModules.Name: total / 4, quietTotal.Name: 2 * total, idleCPU.Name: total,
	}
}

func TestATaxWithinItsBandsIsSupported(t *testing.T) {
	f := plant(tax(), everything).runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(60, 6)).runs("split-kafka-postgres", 6, costs(80, 8)).findings()

	c := tax().Conclude(f)

	if c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "SQLite: 3.0") && !strings.Contains(c.Verdict, "SQLite: 2.9") ||
		!strings.Contains(c.Verdict, "At 8 orders a second") || !strings.Contains(c.Verdict, "by the modules alone") || strings.Count(c.Verdict, "as expected") != 4 {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestATaxOutsideItsBandsIsRefuted(t *testing.T) {
	f := plant(tax(), everything).runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(160, 20)).runs("split-kafka-postgres", 6, costs(180, 22)).findings()

	if c := tax().Conclude(f); c.Outcome != lab.Refuted || strings.Count(c.Verdict, "more than expected") != 4 {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestATaxOnTheBoundOfItsBandIsUndecided(t *testing.T) {
	planted := plant(tax(), everything)
	planted.noise = 0.05
	f := planted.runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(100, 12)).runs("split-kafka-postgres", 6, costs(100, 12)).findings()

	if c := tax().Conclude(f); c.Outcome != lab.Undecided {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestASplitWithFewRunsLeavesTheTaxUndecided(t *testing.T) {
	for name, f := range map[string]*planted{
		"none": plant(tax(), everything).runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(60, 6)),
		"few": plant(tax(), everything).runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(60, 6)).
			runs("split-kafka-postgres", 4, costs(60, 6)),
		"few of the monolith": plant(tax(), everything).runs("monolith", 4, costs(20, 2)).runs("split-kafka", 6, costs(60, 6)).
			runs("split-kafka-postgres", 6, costs(60, 6)),
	} {
		c := tax().Conclude(f.findings())

		if c.Outcome != lab.Undecided || !strings.HasPrefix(c.Verdict, "Undecided, since fewer than 5 runs count (") || !strings.Contains(c.Verdict, "SQLite: ") {
			t.Errorf("%s: %s: %s", name, c.Outcome, c.Verdict)
		}
	}
	if c := tax().Conclude(plant(tax(), everything).findings()); c.Outcome != lab.Undecided || strings.Contains(c.Verdict, "n = ") {
		t.Errorf("without any run: %s: %s", c.Outcome, c.Verdict)
	}
}

func TestABareMachineIsTaxedOnKfakeAndTheVerdictBeginsWithThat(t *testing.T) {
	bare := lab.Setting{Profile: lab.Quick, Source: "../.."}
	arms, _, err := tax().Arms(bare)
	if err != nil || len(arms) != 2 || arms[0].Kfake || !arms[1].Kfake || arms[1].Label != "a process per module, kfake, SQLite" {
		t.Fatalf("%+v, %v", arms, err)
	}

	c := tax().Conclude(plant(tax(), bare).runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(60, 6)).findings())

	if !strings.HasPrefix(c.Verdict, "Kfake stands in for Apache Kafka, which is not installed here; PostgreSQL is not installed here: its arm is left out. ") {
		t.Error(c.Verdict)
	}
}

func TestAStrictMachineTaxesOnAllServersOrNotAtAll(t *testing.T) {
	for _, s := range []lab.Setting{
		{Profile: lab.Quick, Strict: true, Postgres: true}, {Profile: lab.Quick, Strict: true, Kafka: true},
	} {
		if _, _, err := tax().Arms(s); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestAUsersTopologyIsAnArm(t *testing.T) {
	mine := everything
	mine.Topologies = []string{"/somewhere/three.yaml"}

	arms, _, err := tax().Arms(mine)

	if last := arms[len(arms)-1]; err != nil || last.Name != "user-three" || last.Topology != "/somewhere/three.yaml" || last.Kfake {
		t.Errorf("%+v, %v", arms, err)
	}
}

func TestTheFullProfileHasAnArmWithoutCertificates(t *testing.T) {
	full := everything
	full.Profile = lab.Full
	f := plant(tax(), full).runs("monolith", 6, costs(20, 2)).runs("split-kafka", 6, costs(60, 6)).runs("split-kafka-postgres", 6, costs(80, 8)).
		runs("split-kafka-plain", 6, costs(50, 5)).findings()

	c := tax().Conclude(f)

	if !strings.Contains(strings.Join(c.Remarks, "\n"), "Without certificates") {
		t.Error(c.Remarks)
	}
}
