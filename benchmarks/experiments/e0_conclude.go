package experiments

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// The burner's CPU, as it is accounted, has to lie between these parts of its own count. It may come out somewhat larger: a clock of CPU time runs on where the
// kernel interrupts a process, and while that wakes and looks at its victims. Nothing makes it smaller but an error.
const leastAccounted, mostAccounted = 0.9, 1.2

// missized is how far from what was asked for the burner's count may be as a share of the modules' CPU as it is accounted. The burner knows that CPU by other
// means, with a lag of half a second.
const missized = 0.25

// nullFindings are what the verdict rests on.
type nullFindings struct {
	headlines []lab.Metric  // by which the two equal arms are compared
	fresh     bool          // the comparisons are of fresh runs, not of random halves of one pool
	equals    []stats.Ratio // CPU per order, equals against equals
	lies      int           // how many of them are different
	// again are the two equal arms against each other, by headline metric.
	again map[string]stats.Ratio
	// burned is the burn's arm against the baseline, due the ratio that the burner's own count makes, found that it is different and as large as due.
	burned    stats.Ratio
	due       float64
	found     bool
	share     float64     // that was asked for
	accounted *lab.Result // the burner's CPU over its count
	sized     *lab.Result // its count over the modules' CPU
	runs      int         // with a burn
}

// concludeNull refutes the method if it finds differences of CPU between equals: in more than the allowed number of comparisons, or between
// the two arms, whose difference would be one of their places in the blocks, which a pool of both does not show; or if it misses the burn, its size, or what the
// burner or the modules used. Where only another headline metric differs between the arms, the method is trusted partly.
func concludeNull(f *lab.Findings) lab.Conclusion {
	n := findNull(f)
	total, known := n.again[totalPerOrder.Name]
	if len(n.equals) < trials || n.runs < trialRuns || !known || n.accounted == nil || n.sized == nil || math.IsNaN(n.due) {
		return undecided(f, fmt.Sprintf("runs are missing: there are %d of %d comparisons, and %d of %d runs with a burn", len(n.equals), trials, n.runs, trialRuns))
	}
	c := lab.Conclusion{Outcome: lab.Supported, Tables: []lab.Table{n.table(), n.arms()}, Figures: []lab.Figure{n.figure()}, Remarks: n.remarks(f)}
	switch {
	case n.lies > allowed, n.again[totalPerOrder.Name].Different, n.again[modulesPerOrder.Name].Different, !n.found, !n.whole():
		c.Outcome = lab.Refuted
	case len(n.differing()) > 0:
		c.Outcome = lab.Partly
	}
	c.Verdict = n.verdict(total)
	return c
}

// verdict says how equals compare by CPU, and what was found of the burn.
func (n nullFindings) verdict(arms stats.Ratio) string {
	others := "no headline metric differs"
	if differing := n.differing(); len(differing) > 0 {
		others = "these differ: " + strings.Join(differing, ", ")
	}
	kind := "random splits of a pool of 12 runs of the monolith"
	if n.fresh {
		kind = "fresh comparisons, 6 runs against 6, of the monolith with itself"
	}
	accounted := stats.Ratio{Value: n.accounted.Median, Low: n.accounted.CILow, High: n.accounted.CIHigh}
	return fmt.Sprintf("The monolith against itself, arm against arm: %s CPU per order; %s. Of %d %s, %d found a difference (at most %d may). "+
		"A burn of %s of the CPU, planted as counted work, %s: %s CPU per order, where its count makes %s×. Its process is accounted for with %s of that count, "+
		"and the modules so that it burned %s of theirs; n = %d. "+
		"That tests the accounting of CPU and the comparison; whether a delay of known size is found in latencies is not tested here.",
		times(arms), others, len(n.equals), kind, n.lies, allowed,
		percent(n.share), n.said(), times(n.burned), number(n.due), times(accounted), percent(n.sized.Median), n.runs)
}

func findNull(f *lab.Findings) nullFindings {
	n := nullFindings{
		headlines: slices.DeleteFunc(slices.Clone(f.Experiment.Metrics), func(m lab.Metric) bool { return !m.Headline }),
		fresh:     f.Setting.Profile.Name != lab.Quick.Name, again: map[string]stats.Ratio{}, share: plantedShare(f), due: math.NaN(),
		accounted: resultOf(f, burnArm, accountedShare.Name), sized: resultOf(f, burnArm, sizedShare.Name),
		runs: len(f.Records[burnArm]),
	}
	compare := splitPool
	if n.fresh {
		compare = freshTrials
	}
	n.equals = compare(f.Records, totalPerOrder.Name)
	for _, ratio := range n.equals {
		if ratio.Different {
			n.lies++
		}
	}
	for _, metric := range n.headlines {
		if ratio, known := ratioOf(resultOf(f, againArm, metric.Name)); known {
			n.again[metric.Name] = ratio
		}
	}
	blocks := blocksOf(f.Records, totalPerOrder.Name, nullArm, burnArm)
	n.burned = stats.Compare(blocks, 1)
	if counted := resultOf(f, burnArm, countedPerOrder.Name); counted != nil {
		var unburned []float64
		for _, b := range blocks {
			unburned = append(unburned, b.Baseline...)
		}
		n.due = 1 + counted.Median/stats.Median(unburned)
	}
	n.found = n.burned.Different && n.burned.Value > 1 && n.asDue()
	return n
}

// asDue tells whether the burn is found as large as it was: the interval holds what is due, or the ratio is off by no more than what counts as nothing.
func (n nullFindings) asDue() bool {
	return n.burned.Low <= n.due && n.due <= n.burned.High || math.Abs(n.burned.Value/n.due-1) <= stats.Margin
}

// whole tells whether CPU is accounted as it is known otherwise: the burner's by its count, and the modules' by the burner's.
func (n nullFindings) whole() bool {
	return n.accounted.Median >= leastAccounted && n.accounted.Median <= mostAccounted && math.Abs(n.sized.Median/n.share-1) <= missized
}

func (n nullFindings) said() string {
	switch {
	case n.found:
		return "was found"
	case n.burned.Different && n.burned.Value > 1:
		return "was found, but not at its size"
	}
	return "was missed"
}

// differing are the headline metrics in which the equal arms differ.
func (n nullFindings) differing() (told []string) {
	for _, metric := range n.headlines {
		if ratio, known := n.again[metric.Name]; known && ratio.Different {
			told = append(told, strings.TrimPrefix(metric.Label, "of that, ")+" "+times(ratio))
		}
	}
	return told
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
