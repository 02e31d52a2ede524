package experiments

import (
	"context"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/usage"
)

// Of the null experiment: two arms that are the same, and one that is worse by a known amount.
const (
	nullArm, againArm, burnArm = "monolith", "again", "burn"
	// trials are how often equal runs are compared with equal runs, and allowed how many of these may be found different.
	trials, allowed = 20, 1
	// trialRuns are the runs on either side of such a comparison.
	trialRuns = 6
)

// What only the null experiment measures.
var (
	countedPerOrder = lab.Metric{Name: "counted_ms_per_order", Label: "burned per order, by the burner's count of its work", Unit: "ms", Neutral: true}
	accountedShare  = lab.Metric{Name: "accounted_share", Label: "burner's CPU as it is accounted, over its count", Neutral: true}
	sizedShare      = lab.Metric{Name: "burned_share", Label: "burner's count over the modules' CPU as it is accounted", Neutral: true}
	knownShare      = lab.Metric{Name: "known_share", Label: "CPU of all known processes, over what the machine did by /proc/stat", Neutral: true}
)

// null asks whether the method finds differences where there are none, and one where there is.
func null() lab.Experiment {
	return lab.Experiment{
		ID: "E0", Title: "Null",
		Question: "Does the method lie: does it find a difference between equals, or miss one that was planted?",
		Hypothesis: "The monolith does not differ from itself, neither arm from arm nor in more than one of 20 comparisons; a CPU burn of 15 % " +
			"(full profile: 10 %), counted as work and not by a clock of CPU time, is found at its size.",
		Metrics: []lab.Metric{
			totalPerOrder, modulesPerOrder, placeP50, approvedP50, pss, countedPerOrder, accountedShare, sizedShare, knownShare,
			generatorPerOrder, restPerOrder, ordersPerSecond, latenessP99, errorsPer1000, missedShare,
		},
		Arms: func(s lab.Setting) ([]lab.Arm, []string, error) {
			a, again, burn := monolith(s), monolith(s), monolith(s)
			share := 0.1
			if s.Profile.Name == lab.Quick.Name {
				share = 0.15
			}
			again.Name, again.Label = againArm, "the same again"
			burn.Name, burn.Label = burnArm, "the same with "+percent(share)+" CPU burned"
			burn.Parameters = map[string]any{"burn": share}
			return []lab.Arm{a, again, burn}, nil, nil
		},
		Runs: func(p lab.Profile, arm lab.Arm) int {
			switch {
			case p.Name == lab.Quick.Name:
				return trialRuns
			case arm.Name == burnArm:
				return p.Runs
			}
			return trials * trialRuns // fresh ones for each comparison
		},
		Seconds:  func(lab.Profile, lab.Arm) float64 { return 19 },
		Run:      runNull,
		Conclude: concludeNull,
	}
}

// runNull makes a run of quick's lengths in both profiles: the full one needs 252 runs, and what holds for short runs holds for long ones.
func runNull(ctx context.Context, t *lab.Trial) error {
	share, _ := t.Arm.Parameters["burn"].(float64)
	var burned time.Duration
	count := func(within context.Context, s *site) error {
		before := s.stand.Burned()
		<-within.Done()
		burned = s.stand.Burned() - before
		return nil
	}
	if err := (drive{Burn: share, Warmup: lab.Quick.Warmup, Window: lab.Quick.Window, Beside: count}).run(ctx, t); err != nil {
		return err
	}
	account(t.Record, burned)
	return nil
}

// account holds what was accounted in a run against what is known from elsewhere: what was burned by the burner's count, and what the machine did.
func account(record *lab.Record, burned time.Duration) {
	cpu := record.Usage.CPU
	known := 0.0
	for role, seconds := range cpu {
		if role != usage.Rest {
			known += seconds
		}
	}
	if busy := known + cpu[usage.Rest]; busy > 0 {
		record.Values[knownShare.Name] = known / busy
	}
	if burned <= 0 {
		return
	}
	record.Values[accountedShare.Name] = cpu[usage.Planted] / burned.Seconds()
	if modules := cpu[usage.Modules]; modules > 0 {
		record.Values[sizedShare.Name] = burned.Seconds() / modules
	}
	if orders := float64(record.Samples[totalPerOrder.Name]); orders > 0 {
		record.Values[countedPerOrder.Name] = 1000 * burned.Seconds() / orders
	}
}
