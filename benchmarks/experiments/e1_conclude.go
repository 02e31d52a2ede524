package experiments

import (
	"fmt"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// taxed are the arms that the hypothesis is about; others are told of beside.
var taxed = []string{"split-kafka", "split-kafka-postgres"}

func concludeTax(f *lab.Findings) lab.Conclusion {
	needed := []string{"monolith"}
	var told []string
	var outcomes []lab.Outcome
	for _, arm := range f.Arms {
		if !slices.Contains(taxed, arm.Name) {
			continue
		}
		needed = append(needed, arm.Name)
		total := resultOf(f, arm.Name, totalPerOrder.Name)
		cpu, okCPU := ratioOf(total)
		place, okPlace := ratioOf(resultOf(f, arm.Name, placeP50.Name))
		modules, okModules := ratioOf(resultOf(f, arm.Name, modulesPerOrder.Name))
		if !okCPU || !okPlace || !okModules {
			continue
		}
		outcomes = append(outcomes, taxOfCPU.judge(cpu), taxOfPlace.judge(place))
		told = append(told, fmt.Sprintf("%s: %s the CPU per order with the broker%s counted (%s), %s by the modules alone; %s the median time to place one (%s), n = %d",
			arm.Label, times(cpu), databaseToo(f, arm.Name), taxOfCPU.against(cpu), times(modules), times(place), taxOfPlace.against(place), total.N))
	}
	if len(told) == 0 {
		return undecided(f, "no split has runs that count beside the monolith's")
	}
	c := lab.Conclusion{Outcome: together(outcomes), Remarks: taxRemarks(f), Tables: []lab.Table{taxTable(f)}, Figures: []lab.Figure{taxFigure(f)}}
	if lacking(f, needed...) {
		c.Outcome = lab.Undecided
	}
	c.Verdict = foreword(f) + soFar(f, needed...) + fmt.Sprintf("At %d orders a second, beside the monolith, %s.", busyRate, strings.Join(told, ". "+sentence("beside it, ")))
	return c
}

// databaseToo names the database server where there is one.
func databaseToo(f *lab.Findings, arm string) string {
	if r := resultOf(f, arm, databasePerOrder.Name); r != nil && r.Median > 0 {
		return " and the database server"
	}
	return ""
}

func taxRemarks(f *lab.Findings) (remarks []string) {
	if base := resultOf(f, "monolith", totalPerOrder.Name); base != nil {
		remarks = append(remarks, fmt.Sprintf("The monolith takes %s of CPU for an order's whole life, and places one in %s.",
			amount(base), amount(resultOf(f, "monolith", placeP50.Name))))
	}
	for _, arm := range f.Arms {
		if told := taxOf(f, arm); told != "" {
			remarks = append(remarks, told)
		}
	}
	plain, certified := resultOf(f, "split-kafka-plain", modulesPerOrder.Name), resultOf(f, "split-kafka", modulesPerOrder.Name)
	if plain != nil && certified != nil {
		remarks = append(remarks, fmt.Sprintf("Without certificates the modules of the split take %s an order, with them %s.", amount(plain), amount(certified)))
	} else {
		remarks = append(remarks, "The splits speak mutual TLS between their processes, because that is how they are deployed; the full profile has an arm without.")
	}
	return append(remarks,
		"The hypothesis is judged by modules, broker and database server together, at the higher of two rates: what comes with time and not with orders is "+
			"booked on fewer orders at a lower one, and the ratio is another there. The CPU of one order more is what remains of that at high rates.",
		"Apache Kafka is fresh in each run, and carries messages of nobody's before the warm-up, for some seconds until one costs hardly less than those before: "+
			"how young a Java program is, is not the split's doing. A broker that has run for days may still take less.",
		"Two cores favour the monolith: the processes of a split, its broker and its database take turns where on more cores they would run side by side.")
}

// taxOf tells of an arm what the verdict does not.
func taxOf(f *lab.Findings, arm lab.Arm) string {
	approved, okApproved := ratioOf(resultOf(f, arm.Name, approvedP50.Name))
	marginal, okMarginal := ratioOf(resultOf(f, arm.Name, marginalTotal.Name))
	if !okApproved || !okMarginal {
		return ""
	}
	told := fmt.Sprintf("%s: %s until approved; %s by the CPU of one order more", sentence(arm.Label), times(approved), times(marginal))
	if modules, ok := ratioOf(resultOf(f, arm.Name, marginalModules.Name)); ok {
		told += fmt.Sprintf(", of the modules alone %s", times(modules))
	}
	if quiet, ok := ratioOf(resultOf(f, arm.Name, quietTotal.Name)); ok {
		told += fmt.Sprintf("; at %d orders a second %s the CPU per order", quietRate, times(quiet))
	}
	return told + "."
}

// taxTable tells apart what comes with orders and what comes with time.
func taxTable(f *lab.Findings) lab.Table {
	t := lab.Table{
		Title: "What comes with orders, and what with time",
		Columns: []string{
			"arm", fmt.Sprintf("CPU per order at %d/s", quietRate), fmt.Sprintf("at %d/s", busyRate), "of one order more", "of that, modules", "CPU per second when idle", "n",
		},
		Note: "CPU of modules, broker and database server: medians with their 95 % intervals. An order more: the difference of both windows of a run in CPU per second, " +
			"over their difference in orders per second; what else comes with time holds the couriers, who ask for offers whether there are orders or not. Idle: without them.",
	}
	for _, arm := range f.Arms {
		total := resultOf(f, arm.Name, totalPerOrder.Name)
		if total == nil {
			continue
		}
		of := func(m lab.Metric) string { return amount(resultOf(f, arm.Name, m.Name)) }
		t.Rows = append(t.Rows, []string{arm.Label, of(quietTotal), of(totalPerOrder), of(marginalTotal), of(marginalModules), of(idleCPU), fmt.Sprint(total.N)})
	}
	return t
}

// taxFigure is the CPU of each arm at no orders, at few and at more.
func taxFigure(f *lab.Findings) lab.Figure {
	figure := lab.Figure{
		Title: "CPU by rate", XLabel: "orders per second", YLabel: "CPU of modules, broker and database server, ms per second",
		Note: "Medians of the runs with their 95 % intervals. " + countedRuns(f),
	}
	for _, arm := range f.Arms {
		curve := lab.Curve{Label: arm.Label}
		for i := range 3 { // nothing, quiet, busy
			var x, y []float64
			for _, r := range f.Records[arm.Name] {
				if points := r.Curves[curveOfRates]; i < len(points) {
					x, y = append(x, points[i].X), append(y, points[i].Y)
				}
			}
			if len(y) > 0 {
				low, high := stats.Interval(y, seedOfRatios)
				curve.Points = append(curve.Points, lab.Interval{X: stats.Median(x), Y: stats.Median(y), Low: low, High: high})
			}
		}
		if len(curve.Points) > 0 {
			figure.Curves = append(figure.Curves, curve)
		}
	}
	return figure
}
