package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kerf/benchmarks/lab"
)

// What the tax was expected to be.
var (
	taxOfCPU   = band{2, 5}
	taxOfPlace = band{2, 6}
)

// tax asks what it costs to cut everywhere.
func tax() lab.Experiment {
	return lab.Experiment{
		ID: "E1", Title: "Tax",
		Question:   "What does it cost to run each module as a process of its own, with gRPC calls between them and events over Kafka?",
		Hypothesis: "2–5× the CPU per order, and 2–6× the median time to place one.",
		Published: []lab.Finding{
			{Source: "T2-Project", Found: "134 → 781 ms and 4.6× the energy per order"},
			{Source: "Service Weaver, split against joined", Found: "7.0× median latency, 3.1× cores (paper); 7.3× and 10.6× in a measurement of its boutique on two cores"},
			{Source: "Ueda et al., 2016", Found: "70–79 % less throughput"},
		},
		Metrics: []lab.Metric{
			totalPerOrder, modulesPerOrder, brokerPerOrder, databasePerOrder, placeP50, placeP90, approvedP50, approvedP90, pss, processes, idleCPU,
			generatorPerOrder, restPerOrder, ordersPerSecond, latenessP99, errorsPer1000, missedShare,
		},
		Arms: taxArms,
		Runs: func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, arm lab.Arm) float64 {
			fixed := 13.0 // Apache Kafka takes its time to start and to stop
			if arm.Name == "monolith" {
				fixed = 5
			}
			return fixed + (p.Warmup + p.Window).Seconds()
		},
		Run: func(ctx context.Context, t *lab.Trial) error {
			return drive{Idle: 3 * time.Second}.run(ctx, t)
		},
		Conclude: concludeTax,
	}
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

func concludeTax(f *lab.Findings) lab.Conclusion {
	var told, missing []string
	var outcomes []lab.Outcome
	for _, arm := range f.Arms {
		if !slices.Contains([]string{"split-kafka", "split-kafka-postgres"}, arm.Name) {
			continue
		}
		total := resultOf(f, arm.Name, totalPerOrder.Name)
		cpu, okCPU := ratioOf(total)
		place, okPlace := ratioOf(resultOf(f, arm.Name, placeP50.Name))
		if !okCPU || !okPlace {
			missing = append(missing, arm.Label)
			continue
		}
		outcomes = append(outcomes, taxOfCPU.judge(cpu), taxOfPlace.judge(place))
		told = append(told, fmt.Sprintf("%s: %s the CPU per order and %s the median time to place one, n = %d", sentence(arm.Label), times(cpu), times(place), total.N))
	}
	if len(told) == 0 {
		return undecided(f, "no split has runs that count beside the monolith's")
	}
	c := lab.Conclusion{Outcome: together(outcomes), Verdict: foreword(f) + strings.Join(told, ". ") + ".", Remarks: taxRemarks(f)}
	for _, label := range missing {
		c.Verdict += " No run counts of: " + label + "."
		if c.Outcome == lab.Supported {
			c.Outcome = lab.Partly
		}
	}
	return c
}

func taxRemarks(f *lab.Findings) (remarks []string) {
	if base := resultOf(f, "monolith", totalPerOrder.Name); base != nil {
		remarks = append(remarks, fmt.Sprintf("The monolith takes %s of CPU for an order's whole life, and places one in %s.",
			amount(base), amount(resultOf(f, "monolith", placeP50.Name))))
	}
	for _, arm := range f.Arms {
		modules, ok := ratioOf(resultOf(f, arm.Name, modulesPerOrder.Name))
		approved, okApproved := ratioOf(resultOf(f, arm.Name, approvedP50.Name))
		if ok && okApproved {
			remarks = append(remarks, fmt.Sprintf("%s: %s by the modules alone; %s until approved.", sentence(arm.Label), times(modules), times(approved)))
		}
	}
	plain, certified := resultOf(f, "split-kafka-plain", modulesPerOrder.Name), resultOf(f, "split-kafka", modulesPerOrder.Name)
	if plain != nil && certified != nil {
		remarks = append(remarks, fmt.Sprintf("Without certificates the modules of the split take %s an order, with them %s.", amount(plain), amount(certified)))
	} else {
		remarks = append(remarks, "The splits speak mutual TLS between their processes, because that is how they are deployed; the full profile has an arm without.")
	}
	return append(remarks,
		"Apache Kafka is started for each run, so its CPU holds the warm-up of a Java program of some seconds of age; the CPU of the modules does not.",
		"Two cores favour the monolith: the processes of a split, its broker and its database take turns where on more cores they would run side by side.")
}
