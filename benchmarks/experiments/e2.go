package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
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
			modulesPerOrder, totalPerOrder, brokerPerOrder, cutCalls, cutEvents, localCalls, allEvents, processes, pss, generatorPerOrder, restPerOrder,
			ordersPerSecond, latenessP99, errorsPer1000, missedShare,
		},
		Arms:    ladderArms,
		Runs:    func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, _ lab.Arm) float64 { return 4 + (p.Warmup + p.Window).Seconds() },
		Run: func(ctx context.Context, t *lab.Trial) error {
			return drive{Count: true}.run(ctx, t)
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

// rungFigures are what explains, and what is to be explained, in one run.
type rungFigures struct{ Processes, Crossings, CPU float64 }

// concludeLadder fits CPU per order, once to the number of processes and once to what crosses between them, and asks which fits better.
func concludeLadder(f *lab.Findings) lab.Conclusion {
	var rungs [][]rungFigures
	for _, arm := range f.Arms {
		var runs []rungFigures
		for _, r := range f.Records[arm.Name] {
			runs = append(runs, rungFigures{r.Values[processes.Name], r.Values[cutCalls.Name] + r.Values[cutEvents.Name], r.Values[modulesPerOrder.Name]})
		}
		if len(runs) > 0 {
			rungs = append(rungs, runs)
		}
	}
	if len(rungs) < 3 {
		return undecided(f, fmt.Sprintf("%d rungs have runs that count, and a line takes three", len(rungs)))
	}
	byProcesses, byCrossings := fit(rungs)
	low, high := advantage(rungs)
	c := lab.Conclusion{Outcome: lab.Undecided, Tables: []lab.Table{ladderTable(f)}, Figures: ladderFigures(f, byProcesses, byCrossings)}
	switch {
	case low > 0 && f.Setting.Profile.Name == lab.Quick.Name:
		c.Outcome = lab.Partly // for one order of cutting cannot do more
	case low > 0:
		c.Outcome = lab.Supported
	case high < 0:
		c.Outcome = lab.Refuted
	}
	c.Verdict = fmt.Sprintf("%sCalls and events that cross explain %s of the differences in the modules' CPU per order between %d rungs, the number of processes %s; "+
		"the first less the second is %s (%s to %s). A crossing costs about %s µs.",
		foreword(f), percent(byCrossings.R2), len(rungs), percent(byProcesses.R2), points(byCrossings.R2-byProcesses.R2), points(low), points(high),
		number(1000*byCrossings.Slope))
	c.Remarks = ladderRemarks(f, len(rungs))
	return c
}

// line is a fitted one, and the share of the variance that it explains.
type line struct{ Intercept, Slope, R2 float64 }

// fit fits CPU per order to each explanation alone, by the medians of the rungs.
func fit(rungs [][]rungFigures) (byProcesses, byCrossings line) {
	var x1, x2, y []float64
	for _, runs := range rungs {
		x1 = append(x1, median(runs, func(r rungFigures) float64 { return r.Processes }))
		x2 = append(x2, median(runs, func(r rungFigures) float64 { return r.Crossings }))
		y = append(y, median(runs, func(r rungFigures) float64 { return r.CPU }))
	}
	of := func(x []float64) line {
		if slices.Min(x) == slices.Max(x) {
			return line{Intercept: stat.Mean(y, nil)} // what does not vary explains nothing
		}
		intercept, slope := stat.LinearRegression(x, y, nil, false)
		return line{intercept, slope, stat.RSquared(x, y, nil, intercept, slope)}
	}
	return of(x1), of(x2)
}

func median(runs []rungFigures, of func(rungFigures) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return stats.Median(values)
}

// advantage is the 95 % bootstrap interval, over the runs of each rung, of how much more of the variance crossings explain than processes.
func advantage(rungs [][]rungFigures) (low, high float64) {
	const draws = 2000
	random := rand.New(rand.NewPCG(0, 0x72756e67))
	differences := make([]float64, draws)
	for i := range differences {
		drawn := make([][]rungFigures, len(rungs))
		for j, runs := range rungs {
			for range runs {
				drawn[j] = append(drawn[j], runs[random.IntN(len(runs))])
			}
		}
		byProcesses, byCrossings := fit(drawn)
		differences[i] = byCrossings.R2 - byProcesses.R2
	}
	slices.Sort(differences)
	return stat.Quantile(0.025, stat.Empirical, differences, nil), stat.Quantile(0.975, stat.Empirical, differences, nil)
}

// points writes a difference of shares.
func points(difference float64) string { return fmt.Sprintf("%+.0f points", 100*difference) }

func ladderTable(f *lab.Findings) lab.Table {
	t := lab.Table{
		Title:   "The rungs",
		Columns: []string{"rung", "processes", "calls that cross", "calls within", "events to and from a broker", "CPU of modules per order", "ratio", "n"},
		Note:    "Calls and events are those of an order's whole life, by the processes' own metrics; calls that cross hold the requests that the gateway passes on.",
	}
	for _, arm := range f.Arms {
		cpu := resultOf(f, arm.Name, modulesPerOrder.Name)
		if cpu == nil {
			continue
		}
		ratio := "1"
		if r, ok := ratioOf(cpu); ok {
			ratio = times(r)
		}
		middle := func(metric string) string {
			if r := resultOf(f, arm.Name, metric); r != nil {
				return number(r.Median)
			}
			return "–"
		}
		t.Rows = append(t.Rows, []string{arm.Label, middle(processes.Name), middle(cutCalls.Name), middle(localCalls.Name), middle(cutEvents.Name),
			amount(cpu), ratio, fmt.Sprint(cpu.N)})
	}
	return t
}

func ladderFigures(f *lab.Findings, byProcesses, byCrossings line) []lab.Figure {
	figure := func(title, label string, fitted line, x func(arm string) (float64, bool)) lab.Figure {
		measured := lab.Curve{Label: "rungs", Scattered: true}
		model := lab.Curve{Label: fmt.Sprintf("line, R² = %.2f", fitted.R2), Dashed: true}
		for _, arm := range f.Arms {
			at, ok := x(arm.Name)
			cpu := resultOf(f, arm.Name, modulesPerOrder.Name)
			if !ok || cpu == nil {
				continue
			}
			measured.Points = append(measured.Points, lab.Interval{X: at, Y: cpu.Median, Low: cpu.CILow, High: cpu.CIHigh})
			y := fitted.Intercept + fitted.Slope*at
			model.Points = append(model.Points, lab.Interval{X: at, Y: y, Low: y, High: y})
		}
		slices.SortFunc(model.Points, func(a, b lab.Interval) int { return int(a.X*1000 - b.X*1000) })
		return lab.Figure{Title: title, XLabel: label, YLabel: "CPU of modules per order, ms", Curves: []lab.Curve{measured, model}}
	}
	value := func(metric string) func(string) (float64, bool) {
		return func(arm string) (float64, bool) {
			r := resultOf(f, arm, metric)
			if r == nil {
				return 0, false
			}
			return r.Median, true
		}
	}
	crossings := func(arm string) (float64, bool) {
		calls, ok := value(cutCalls.Name)(arm)
		events, okEvents := value(cutEvents.Name)(arm)
		return calls + events, ok && okEvents
	}
	return []lab.Figure{
		figure("CPU by what crosses", "calls and events that cross, per order", byCrossings, crossings),
		figure("CPU by processes", "processes", byProcesses, value(processes.Name)),
	}
}

func ladderRemarks(f *lab.Findings, rungs int) []string {
	var remarks []string
	if broker, ok := ratioOf(resultOf(f, "broker", modulesPerOrder.Name)); ok {
		remarks = append(remarks, fmt.Sprintf("Events alone, over a broker instead of in memory and still in one process: %s the modules' CPU.", times(broker)))
	}
	if total, ok := ratioOf(resultOf(f, "nine", totalPerOrder.Name)); ok {
		remarks = append(remarks, fmt.Sprintf("With the broker's CPU counted, nine processes take %s that of one with events in memory.", times(total)))
	}
	if f.Setting.Profile.Name == lab.Quick.Name {
		remarks = append(remarks, fmt.Sprintf("%d rungs in one order prove little: further up, more processes are always more crossings too. "+
			"The full profile cuts the talkative and the quiet modules first, so that the two part company.", rungs))
	}
	return append(remarks,
		"The broker is kfake, a small one in Go: what its client costs the modules is compared here, and not what a broker costs, which E1 tells of Apache Kafka.",
		"An interval of the difference holds what the runs vary, and not that other rungs might have been chosen.",
		"Between processes is mutual TLS, which is part of what a crossing costs as it is deployed.")
}
