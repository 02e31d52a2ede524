package experiments

import (
	"fmt"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// whatIsDifferent explains the last column of the null experiment's tables.
const whatIsDifferent = "Different: the interval excludes 1, and the ratio leaves 0.95 to 1.05."

// comparison is a row of these tables.
func comparison(name string, r stats.Ratio) []string {
	return []string{name, fmt.Sprintf("%.3f", r.Value), fmt.Sprintf("%.3f–%.3f", r.Low, r.High), yesNo(r.Different)}
}

func (n nullFindings) table() lab.Table {
	t := lab.Table{
		Title: "Equals compared with equals, and the burn", Columns: []string{"comparison", "CPU per order, ratio", "95 % interval", "different"}, Note: whatIsDifferent,
	}
	for i, ratio := range n.equals {
		t.Rows = append(t.Rows, comparison(fmt.Sprint(i+1), ratio))
	}
	t.Rows = append(t.Rows, comparison("burn of "+percent(n.share), n.burned))
	return t
}

// arms are the two equal arms against each other.
func (n nullFindings) arms() lab.Table {
	t := lab.Table{
		Title: "The two equal arms compared, as arms of other experiments are", Columns: []string{"metric", "ratio", "95 % interval", "different"}, Note: whatIsDifferent,
	}
	for _, metric := range n.headlines {
		if ratio, known := n.again[metric.Name]; known {
			t.Rows = append(t.Rows, comparison(metric.Label, ratio))
		}
	}
	return t
}

func (n nullFindings) figure() lab.Figure {
	point := func(i int, r stats.Ratio) []lab.Interval {
		return []lab.Interval{{X: float64(i), Y: r.Value, Low: r.Low, High: r.High}}
	}
	equals := lab.Curve{Label: "equals", Scattered: true}
	for i, ratio := range n.equals {
		equals.Points = append(equals.Points, point(i+1, ratio)...)
	}
	last := len(n.equals)
	return lab.Figure{
		Title: "Equals compared with equals, and the burn", XLabel: "comparison", YLabel: "ratio of CPU per order",
		Curves: []lab.Curve{
			equals,
			{Label: "arm against arm", Scattered: true, Points: point(last+1, n.again[totalPerOrder.Name])},
			{Label: "burn of " + percent(n.share), Scattered: true, Points: point(last+2, n.burned)},
		},
		Lines: []lab.Line{{Label: "0.95", At: 0.95}, {Label: "1.05", At: 1.05}, {Label: "planted", At: n.due}},
		Note: fmt.Sprintf("Ratios of medians with their 95 %% intervals: %d runs against %d for each comparison of equals, %d runs with the burn. "+
			"Planted: what the burner's count makes.", trialRuns, trialRuns, n.runs),
	}
}

func (n nullFindings) remarks(f *lab.Findings) []string {
	widest := 0.0
	for _, ratio := range n.equals {
		widest = max(widest, ratio.High-ratio.Low)
	}
	remarks := []string{
		fmt.Sprintf("The burner counts units of work that it has timed by the wall's clock. Its process is accounted for as a module's is: less than %s or more than %s of "+
			"its count refutes the method, whatever the comparison says. Somewhat over 1 is due, since interruptions, waking and looking are not counted.",
			number(leastAccounted), number(mostAccounted)),
		fmt.Sprintf("It burns %s of what the kernel's ticks say that the modules use; by its count that is %s times what is accounted for them. A share that is off by "+
			"more than %s refutes the method too.", percent(n.share), amount(n.sized), percent(missized)),
		fmt.Sprintf("Of all that the machine did by /proc/stat, the known processes account for %s: the rest is the kernel's own threads, other "+
			"programs, and what would be missing from the accounts. /proc/stat estimates, so a little over 1 is no fault.", amount(resultOf(f, nullArm, knownShare.Name))),
		fmt.Sprintf("The widest interval of a comparison of equals is %s wide: a true difference much smaller than that is not seen with %d runs.", number(widest), trialRuns),
	}
	if n.fresh {
		return remarks
	}
	remarks = append(remarks, "Splits of one pool are not independent, and shuffle away what differs between the arms by their place; "+
		"so arms are compared too. The full profile compares fresh runs each time.")
	for _, metric := range []lab.Metric{placeP50, approvedP50} {
		lies := 0
		for _, split := range splitPool(f.Records, metric.Name) {
			if split.Different {
				lies++
			}
		}
		remarks = append(remarks, fmt.Sprintf("By %s, %d of the same splits are different.", metric.Label, lies))
	}
	return remarks
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
