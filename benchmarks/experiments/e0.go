package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// Of the null experiment: two arms that are the same, and one that is worse by a known share.
const (
	nullArm, againArm, burnArm = "monolith", "again", "burn"
	// trials are how often equal runs are compared with equal runs, and allowed how many of these may be found different.
	trials, allowed = 20, 1
	// trialRuns are the runs on either side of such a comparison.
	trialRuns = 6
)

// null asks whether the method finds differences where there are none, and one where there is.
func null() lab.Experiment {
	return lab.Experiment{
		ID: "E0", Title: "Null",
		Question:   "Does the method lie: does it find a difference between equals, or miss one that was planted?",
		Hypothesis: "Of 20 comparisons of the monolith with itself at most one finds a difference; a CPU burn of 15 % (full profile: 10 %) is found.",
		Metrics: []lab.Metric{
			totalPerOrder, modulesPerOrder, placeP50, approvedP50, pss, generatorPerOrder, restPerOrder, ordersPerSecond, latenessP99, errorsPer1000, missedShare,
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
		Seconds: func(lab.Profile, lab.Arm) float64 { return 19 },
		// Quick's lengths in both profiles: the full one needs 252 runs, and what holds for short runs holds for long ones.
		Run: func(ctx context.Context, t *lab.Trial) error {
			burn, _ := t.Arm.Parameters["burn"].(float64)
			return drive{Burn: burn, Warmup: lab.Quick.Warmup, Window: lab.Quick.Window}.run(ctx, t)
		},
		Conclude: concludeNull,
	}
}

func concludeNull(f *lab.Findings) lab.Conclusion {
	fresh := f.Setting.Profile.Name != lab.Quick.Name
	splits, kind := splitPool(f.Records, totalPerOrder.Name), "random splits of a pool of 12 runs of the monolith"
	if fresh {
		splits, kind = freshTrials(f.Records, totalPerOrder.Name), "fresh comparisons, 6 runs against 6, of the monolith with itself"
	}
	burned := stats.Compare(blocksOf(f.Records, totalPerOrder.Name, nullArm, burnArm), 1)
	share := plantedShare(f)
	runs := len(f.Records[burnArm])
	if len(splits) < trials || runs < trialRuns {
		return undecided(f, fmt.Sprintf("runs are missing: there are %d of %d comparisons, and %d of %d runs with a burn", len(splits), trials, runs, trialRuns))
	}
	lies := 0
	for _, split := range splits {
		if split.Different {
			lies++
		}
	}
	found := burned.Different && burned.Value > 1
	c := lab.Conclusion{Outcome: lab.Supported, Tables: []lab.Table{nullTable(splits, burned, share)}, Figures: []lab.Figure{nullFigure(splits, burned, share)}}
	if lies > allowed || !found {
		c.Outcome = lab.Refuted
	}
	verb := "was found"
	if !found {
		verb = "was missed"
	}
	c.Verdict = fmt.Sprintf("Of %d %s, %d found a difference (at most %d may). A planted burn of %s of the CPU %s: %s CPU per order, n = %d.",
		len(splits), kind, lies, allowed, percent(share), verb, times(burned), runs)
	c.Remarks = nullRemarks(f, splits, burned, share, fresh)
	return c
}

// plantedShare is the share that was burned, as the arm says.
func plantedShare(f *lab.Findings) float64 {
	for _, arm := range f.Arms {
		if share, ok := arm.Parameters["burn"].(float64); ok {
			return share
		}
	}
	return 0
}

// splitPool compares two halves of one pool of equal runs, drawn at random, as often as there are trials. A pool that is not whole gives none.
func splitPool(records map[string][]lab.Record, metric string) []stats.Ratio {
	runs := slices.Concat(records[nullArm], records[againArm])
	if len(runs) < 2*trialRuns {
		return nil
	}
	slices.SortFunc(runs, func(a, b lab.Record) int { return a.Started.Compare(b.Started) })
	random := rand.New(rand.NewPCG(0, 0x6e756c6c)) // the same splits for everybody who looks at the same runs
	var splits []stats.Ratio
	for trial := range trials {
		half := random.Perm(len(runs))[:len(runs)/2]
		var left, right []float64 // each in the order of time, so that pairs are near each other
		for i, run := range runs {
			if slices.Contains(half, i) {
				left = append(left, run.Values[metric])
			} else {
				right = append(right, run.Values[metric])
			}
		}
		splits = append(splits, stats.Compare(stats.Pair(left, right), uint64(trial)))
	}
	return splits
}

// freshTrials compares the two equal arms in groups of blocks, none of which is used twice.
func freshTrials(records map[string][]lab.Record, metric string) []stats.Ratio {
	blocks := blocksOf(records, metric, nullArm, againArm)
	var fresh []stats.Ratio
	for group := range slices.Chunk(blocks, trialRuns) {
		if len(group) == trialRuns {
			fresh = append(fresh, stats.Compare(group, uint64(len(fresh))))
		}
	}
	return fresh
}

// blocksOf puts the runs of two arms beside each other by their blocks; those of which one is missing are left out.
func blocksOf(records map[string][]lab.Record, metric, baseline, arm string) []stats.Block {
	var blocks []stats.Block
	for _, a := range records[baseline] {
		for _, b := range records[arm] {
			if a.Block == b.Block {
				blocks = append(blocks, stats.Block{Baseline: []float64{a.Values[metric]}, Arm: []float64{b.Values[metric]}})
			}
		}
	}
	return blocks
}

func nullTable(splits []stats.Ratio, burned stats.Ratio, share float64) lab.Table {
	t := lab.Table{
		Title: "Equals compared with equals, and the burn", Columns: []string{"comparison", "CPU per order, ratio", "95 % interval", "different"},
		Note: "Different: the interval excludes 1, and the ratio leaves 0.95 to 1.05.",
	}
	row := func(name string, r stats.Ratio) {
		different := "no"
		if r.Different {
			different = "yes"
		}
		t.Rows = append(t.Rows, []string{name, fmt.Sprintf("%.3f", r.Value), fmt.Sprintf("%.3f–%.3f", r.Low, r.High), different})
	}
	for i, split := range splits {
		row(fmt.Sprint(i+1), split)
	}
	row("burn of "+percent(share), burned)
	return t
}

func nullFigure(splits []stats.Ratio, burned stats.Ratio, share float64) lab.Figure {
	point := func(i int, r stats.Ratio) lab.Interval {
		return lab.Interval{X: float64(i), Y: r.Value, Low: r.Low, High: r.High}
	}
	equals := lab.Curve{Label: "equals", Scattered: true}
	for i, split := range splits {
		equals.Points = append(equals.Points, point(i+1, split))
	}
	return lab.Figure{
		Title: "Equals compared with equals, and the burn", XLabel: "comparison", YLabel: "ratio of CPU per order",
		Curves: []lab.Curve{equals, {Label: "burn of " + percent(share), Scattered: true, Points: []lab.Interval{point(len(splits)+1, burned)}}},
		Lines:  []lab.Line{{Label: "0.95", At: 0.95}, {Label: "1.05", At: 1.05}, {Label: "planted", At: 1 + share}},
	}
}

func nullRemarks(f *lab.Findings, splits []stats.Ratio, burned stats.Ratio, share float64, fresh bool) []string {
	remarks := []string{fmt.Sprintf("The burn should make %s×; the interval holds it: %s.", number(1+share), yesNo(burned.Low <= 1+share && 1+share <= burned.High))}
	widest := 0.0
	for _, split := range splits {
		widest = max(widest, split.High-split.Low)
	}
	remarks = append(remarks, fmt.Sprintf("The widest interval of a comparison of equals is %s wide: a true difference much smaller than that is not seen with %d runs.", number(widest), trialRuns))
	if !fresh {
		remarks = append(remarks, "Splits of one pool are not independent; the full profile compares fresh runs each time.")
		for _, metric := range []lab.Metric{placeP50, approvedP50} {
			lies := 0
			for _, split := range splitPool(f.Records, metric.Name) {
				if split.Different {
					lies++
				}
			}
			remarks = append(remarks, fmt.Sprintf("By %s, which the verdict does not judge, %d of the same splits are different.", metric.Label, lies))
		}
	}
	return remarks
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
