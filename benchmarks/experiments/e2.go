package experiments

import (
	"context"
	"time"

	"kerf/benchmarks/lab"
)

// ladder asks whether the number of processes costs, or what passes between them.
func ladder() lab.Experiment {
	return lab.Experiment{
		ID: "E2", Title: "Ladder",
		Question:   "Cut by cut from one process to nine: does CPU per order grow with the number of processes, or with the calls and events that cross between them?",
		Hypothesis: "CPU grows with the calls and events that are cut, not with the number of processes.",
		Published: []lab.Finding{
			{Source: "Zhao et al., 2025", Found: "fine against coarse services: +13 % energy, +14 % response time"},
			{Source: "Mendonça et al., 2024", Found: "asks the same of the granularity of services; no figure of it is quoted here"},
		},
		Metrics: []lab.Metric{
			modulesPerOrder, netPerOrder, totalPerOrder, brokerPerOrder, idleCPU, cutCalls, cutEvents, localCalls, allEvents, processes, pss, generatorPerOrder, restPerOrder,
			ordersPerSecond, latenessP99, errorsPer1000, missedShare,
		},
		Arms:    ladderArms,
		Runs:    func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, _ lab.Arm) float64 { return 4 + (p.Warmup + p.Window).Seconds() },
		Run: func(ctx context.Context, t *lab.Trial) error {
			return drive{Count: true, Idle: 2 * time.Second}.run(ctx, t)
		},
		Conclude: concludeLadder,
	}
}

// ladderArms are the rungs. The quick profile has one order of cutting; the full one also cuts the talkative modules first, and last, so that the
// number of processes and the number of cut calls part company. The broker is kfake on all machines: the rungs are compared by the CPU of the modules,
// whose client does the same work for either broker, and a Java program that warms up beside them would disturb what is measured.
func ladderArms(s lab.Setting) ([]lab.Arm, []string, error) {
	rung := func(name, label, file string) lab.Arm { return lab.Arm{Name: name, Label: label, Topology: file} }
	rungs := []lab.Arm{
		rung("memory", "1 process, events in memory", deployed(s, "monolith.yaml")),
		rung("broker", "1 process, events through a broker", deployed(s, "monolith-kafka.yaml")),
		rung("four", "4 processes, cut by team", own(s, "four.yaml")),
		rung("nine", "9 processes", deployed(s, "split.yaml")),
	}
	if s.Profile.Name != lab.Quick.Name {
		rungs = append(rungs,
			rung("talkative-2", "2 processes, orders cut off", deployed(s, "orders-apart.yaml")),
			rung("talkative-4", "4 processes, the talkative cut off", own(s, "talkative-4.yaml")),
			rung("quiet-2", "2 processes, notifications cut off", own(s, "quiet-2.yaml")),
			rung("quiet-4", "4 processes, the quiet cut off", own(s, "quiet-4.yaml")))
	}
	return rungs, nil, nil
}
