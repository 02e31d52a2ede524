package experiments

import (
	"fmt"
	"slices"

	"kerf/benchmarks/lab"
)

// concludeLadder fits CPU per order, once to the number of processes and once to what crosses between them, and asks which fits better: by all CPU, and by
// CPU less what the processes use when nothing happens. Each process uses a little then, so at a low rate their number weighs on every order.
func concludeLadder(f *lab.Findings) lab.Conclusion {
	rungs := rungsOf(f)
	if len(rungs) < 3 {
		return undecided(f, fmt.Sprintf("%d rungs have runs that count, and a line takes three", len(rungs)))
	}
	var needed []string
	for _, arm := range f.Arms {
		needed = append(needed, arm.Name)
	}
	gross, net := explain(rungs, cpuOf), explain(rungs, netOf)
	c := lab.Conclusion{
		Outcome: together([]lab.Outcome{gross.outcome(), net.outcome()}),
		Tables:  []lab.Table{ladderTable(f)}, Figures: ladderFigures(f, gross, net), Remarks: ladderRemarks(f, len(rungs)),
	}
	switch {
	case lacking(f, needed...):
		c.Outcome = lab.Undecided
	case c.Outcome == lab.Supported && f.Setting.Profile.Name == lab.Quick.Name:
		c.Outcome = lab.Partly // for one order of cutting cannot do more
	}
	c.Verdict = fmt.Sprintf("%s%sOf the differences in the modules' CPU per order between %d rungs, %s; of what remains without the CPU of idle processes, %s. "+
		"By a line through %d points and no more, a crossing costs %s, without idle CPU %s. %s",
		foreword(f), soFar(f, needed...), len(rungs), gross.words(), net.words(), len(rungs), gross.Slope.µs(), net.Slope.µs(), countedRuns(f))
	return c
}

// words tell which explanation explains how much.
func (e explained) words() string {
	return fmt.Sprintf("calls and events that cross explain %s, the number of processes %s: %s (%s to %s)", percent(e.ByCrossings.R2), percent(e.ByProcesses.R2),
		points(e.Advantage.Value), points(e.Advantage.Low), points(e.Advantage.High))
}

// µs writes milliseconds as microseconds with their interval.
func (s spread) µs() string {
	return fmt.Sprintf("%s µs (%s–%s)", number(1000*s.Value), number(1000*s.Low), number(1000*s.High))
}

// points writes a difference of shares.
func points(difference float64) string { return fmt.Sprintf("%+.0f points", 100*difference) }

func ladderTable(f *lab.Findings) lab.Table {
	t := lab.Table{
		Title:   "The rungs",
		Columns: []string{"rung", "processes", "calls that cross", "calls within", "events to and from a broker", "CPU of modules per order", "ratio", "less idle CPU", "n"},
		Note: "Calls and events are those of an order's whole life, by the processes' own metrics; calls that cross hold the requests that the gateway passes on. " +
			"Less idle CPU: without what the same processes used when nothing happened.",
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
			amount(cpu), ratio, amount(resultOf(f, arm.Name, netPerOrder.Name)), fmt.Sprint(cpu.N)})
	}
	return t
}

func ladderFigures(f *lab.Findings, gross, net explained) []lab.Figure {
	figure := func(title, label, ylabel string, fitted line, metric lab.Metric, x func(arm string) (float64, bool)) lab.Figure {
		measured := lab.Curve{Label: "rungs", Scattered: true}
		model := lab.Curve{Label: fmt.Sprintf("line, R² = %.2f", fitted.R2), Dashed: true}
		for _, arm := range f.Arms {
			at, ok := x(arm.Name)
			cpu := resultOf(f, arm.Name, metric.Name)
			if !ok || cpu == nil {
				continue
			}
			measured.Points = append(measured.Points, lab.Interval{X: at, Y: cpu.Median, Low: cpu.CILow, High: cpu.CIHigh})
			y := fitted.Intercept + fitted.Slope*at
			model.Points = append(model.Points, lab.Interval{X: at, Y: y, Low: y, High: y})
		}
		slices.SortFunc(model.Points, func(a, b lab.Interval) int { return int(a.X*1000 - b.X*1000) })
		return lab.Figure{
			Title: title, XLabel: label, YLabel: ylabel, Curves: []lab.Curve{measured, model},
			Note: "Medians of each rung's runs with their 95 % intervals. " + countedRuns(f),
		}
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
	const all, rest = "CPU of modules per order, ms", "CPU of modules per order less idle, ms"
	const cross = "calls and events that cross, per order"
	return []lab.Figure{
		figure("CPU by what crosses", cross, all, gross.ByCrossings, modulesPerOrder, crossings),
		figure("CPU by processes", "processes", all, gross.ByProcesses, modulesPerOrder, value(processes.Name)),
		figure("CPU less idle by what crosses", cross, rest, net.ByCrossings, netPerOrder, crossings),
		figure("CPU less idle by processes", "processes", rest, net.ByProcesses, netPerOrder, value(processes.Name)),
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
		"The verdict rests on both: all CPU holds what each process uses whether there are orders or not, which weighs less on each the more there are.",
		"An interval holds what the runs vary, and not that other rungs might have been chosen.",
		"Between processes is mutual TLS, which is part of what a crossing costs as it is deployed.")
}
