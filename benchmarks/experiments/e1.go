package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kerf/benchmarks/lab"
)

// What the tax was expected to be. The first is about modules, broker and database server together, at busyRate.
var (
	taxOfCPU   = band{2, 5}
	taxOfPlace = band{2, 6}
)

// The rates of E1, in orders per second. What CPU comes with time, and not with orders, weighs twice as much on an order at the second.
const (
	busyRate  = 8 // which takes about half of two cores where every module is a process on PostgreSQL
	quietRate = 4
)

// tax asks what it costs to cut everywhere.
func tax() lab.Experiment {
	return lab.Experiment{
		ID: "E1", Title: "Tax",
		Question: "What does it cost to run each module as a process of its own, with gRPC calls between them and events over Kafka?",
		Hypothesis: fmt.Sprintf("2–5× the CPU per order, broker and database server counted, and 2–6× the median time to place one, at %d orders per second.",
			busyRate),
		Published: []lab.Finding{
			{Source: "T2-Project", Found: "134 → 781 ms and 4.6× the energy per order"},
			{Source: "Service Weaver, split against joined", Found: "7.0× median latency, 3.1× cores (paper); 7.3× and 10.6× in a measurement of its boutique on two cores"},
			{Source: "Ueda et al., 2016", Found: "70–79 % less throughput"},
		},
		Metrics: []lab.Metric{
			totalPerOrder, modulesPerOrder, brokerPerOrder, databasePerOrder, idlePerOrder, placeP50, placeP90, approvedP50, approvedP90, pss, processes, idleCPU,
			marginalTotal, marginalModules, quietTotal, quietModules, coldMessage, warmMessage,
			generatorPerOrder, restPerOrder, ordersPerSecond, latenessP99, errorsPer1000, missedShare,
		},
		Arms:     taxArms,
		Runs:     func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds:  taxSeconds,
		Run:      taxRun,
		Conclude: concludeTax,
	}
}

// taxRun measures two windows of one run, one after the other, and then what is used when nothing happens.
func taxRun(ctx context.Context, t *lab.Trial) error {
	window := taxWindow(t.Setting.Profile)
	return twoRates{
		Busy:  drive{Rate: busyRate, Window: window, Idle: 2 * time.Second, Pour: 9 * time.Second},
		Quiet: drive{Rate: quietRate, Window: window, Warmup: span},
	}.run(ctx, t)
}

// taxWindow is shorter than that of other experiments, since there are two in a run.
func taxWindow(p lab.Profile) time.Duration { return p.Window * 3 / 4 }

func taxSeconds(p lab.Profile, arm lab.Arm) float64 {
	fixed := 5.0
	if arm.Name != "monolith" {
		fixed = 18 // Apache Kafka takes its time to start, to be warm and to stop
	}
	return fixed + (p.Warmup + span + 2*taxWindow(p)).Seconds()
}

func taxArms(s lab.Setting) ([]lab.Arm, []string, error) {
	split := []lab.Arm{splitKafka(s)}
	var notes []string
	switch {
	case s.Postgres:
		split = append(split, splitPostgres(s))
	case s.Strict:
		return nil, nil, errors.New("PostgreSQL is not installed here: deploy/servers install brings it; without -strict its arm is left out")
	default:
		notes = append(notes, noPostgres)
	}
	if s.Profile.Name != lab.Quick.Name {
		split = append(split, lab.Arm{
			Name: "split-kafka-plain", Label: "a process per module, Apache Kafka, SQLite, no certificates", Topology: own(s, "split-kafka-plain.yaml"),
		})
	}
	split, more, err := onKafka(s, split...)
	if err != nil {
		return nil, nil, err
	}
	return slices.Concat([]lab.Arm{monolith(s)}, split, usersArms(s)), append(more, notes...), nil
}
