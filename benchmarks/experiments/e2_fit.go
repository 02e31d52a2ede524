package experiments

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// rungRun are what explains, and what is to be explained, in one run of a rung: CPU of the modules per order, and the same less what they use when idle.
type rungRun struct {
	Block                int
	Processes, Crossings float64
	CPU, Net             float64
}

func cpuOf(r rungRun) float64 { return r.CPU }
func netOf(r rungRun) float64 { return r.Net }

// rungsOf are the runs that count, by rung; rungs without any are left out.
func rungsOf(f *lab.Findings) (rungs [][]rungRun) {
	for _, arm := range f.Arms {
		var runs []rungRun
		for _, r := range f.Records[arm.Name] {
			runs = append(runs, rungRun{
				Block: r.Block, Processes: r.Values[processes.Name], Crossings: r.Values[cutCalls.Name] + r.Values[cutEvents.Name],
				CPU: r.Values[modulesPerOrder.Name], Net: r.Values[netPerOrder.Name],
			})
		}
		if len(runs) > 0 {
			rungs = append(rungs, runs)
		}
	}
	return rungs
}

// line is a fitted one, and the share of the variance that it explains.
type line struct{ Intercept, Slope, R2 float64 }

// explained is a cost that was fitted to each explanation alone.
type explained struct {
	ByProcesses, ByCrossings line
	// Advantage is how much more of the variance crossings explain than processes, and Slope what a crossing costs, in ms; with their 95 % intervals.
	Advantage, Slope spread
}

// spread is a value with its interval.
type spread struct{ Value, Low, High float64 }

// outcome says whether a cost follows crossings rather than processes.
func (e explained) outcome() lab.Outcome {
	switch {
	case e.Advantage.Low > 0:
		return lab.Supported
	case e.Advantage.High < 0:
		return lab.Refuted
	}
	return lab.Undecided
}

// explain fits a cost, and draws the blocks again for the intervals: the runs of a block stay together, as in all comparisons.
func explain(rungs [][]rungRun, cost func(rungRun) float64) explained {
	const draws = 2000
	e := explained{}
	e.ByProcesses, e.ByCrossings = fit(rungs, cost)
	e.Advantage.Value, e.Slope.Value = e.ByCrossings.R2-e.ByProcesses.R2, e.ByCrossings.Slope
	random := rand.New(rand.NewPCG(0, 0x72756e67))
	blocks := blocksIn(rungs)
	var advantages, slopes []float64
	for len(slopes) < draws {
		drawn := make([][]rungRun, len(rungs))
		for range blocks {
			block := blocks[random.IntN(len(blocks))]
			for i, runs := range rungs {
				for _, r := range runs {
					if r.Block == block {
						drawn[i] = append(drawn[i], r)
					}
				}
			}
		}
		if slices.ContainsFunc(drawn, func(runs []rungRun) bool { return len(runs) == 0 }) {
			continue // some rung lacks all the blocks that were drawn; those that it has come up sooner or later
		}
		byProcesses, byCrossings := fit(drawn, cost)
		advantages, slopes = append(advantages, byCrossings.R2-byProcesses.R2), append(slopes, byCrossings.Slope)
	}
	e.Advantage.Low, e.Advantage.High = ends(advantages)
	e.Slope.Low, e.Slope.High = ends(slopes)
	return e
}

func blocksIn(rungs [][]rungRun) (blocks []int) {
	for _, runs := range rungs {
		for _, r := range runs {
			if !slices.Contains(blocks, r.Block) {
				blocks = append(blocks, r.Block)
			}
		}
	}
	slices.Sort(blocks)
	return blocks
}

// ends cuts off 2.5 % on either side.
func ends(values []float64) (low, high float64) {
	slices.Sort(values)
	return stat.Quantile(0.025, stat.Empirical, values, nil), stat.Quantile(0.975, stat.Empirical, values, nil)
}

// fit fits a cost to each explanation alone, by the medians of the rungs.
func fit(rungs [][]rungRun, cost func(rungRun) float64) (byProcesses, byCrossings line) {
	var x1, x2, y []float64
	for _, runs := range rungs {
		x1 = append(x1, median(runs, func(r rungRun) float64 { return r.Processes }))
		x2 = append(x2, median(runs, func(r rungRun) float64 { return r.Crossings }))
		y = append(y, median(runs, cost))
	}
	of := func(x []float64) line {
		if slices.Min(x) == slices.Max(x) {
			return line{Intercept: stat.Mean(y, nil)} // what does not vary explains nothing
		}
		intercept, slope := stat.LinearRegression(x, y, nil, false)
		r2 := stat.RSquared(x, y, nil, intercept, slope)
		if math.IsNaN(r2) {
			r2 = 0 // nor is there anything to explain
		}
		return line{intercept, slope, r2}
	}
	return of(x1), of(x2)
}

func median(runs []rungRun, of func(rungRun) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return stats.Median(values)
}
