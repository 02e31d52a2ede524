package report

import (
	"fmt"

	"kerf/benchmarks/lab"
)

// step is a line of the method, with where it comes from.
type step struct{ Text, Source string }

// method tells in a dozen lines how the figures were made.
func method(all []*lab.Findings) []step {
	effort := ""
	if len(all) > 0 {
		p := all[0].Setting.Profile
		effort = fmt.Sprintf(" The %s profile asks for %s of each arm, with a window of %s after %s of warm-up, unless an experiment’s facts on the fairness sheet say otherwise.",
			p.Name, plural(p.Runs, "run"), lasted(p.Window), lasted(p.Warmup))
	}
	return []step{
		{"Every arm is the same build with other settings: nothing but the cut differs. What else differs is on the fairness sheet.", ""},
		{"The run is the unit: fresh processes, fresh data, one number for each metric." + effort, "Kalibera and Jones, Rigorous benchmarking in reasonable time, 2013"},
		{"Runs are made in blocks of one of each arm, in random order, each second block reversed (ABBA): a machine that slows down harms all alike.", "Mytkowicz et al., Producing wrong data without doing anything obviously wrong!, 2009"},
		{"Latency is measured in an open loop with Poisson or replayed arrivals: who comes does not wait for who came before. A closed loop only finds capacity.", "Schroeder, Wierman and Harchol-Balter, Open versus closed, 2006"},
		{"Response time counts from the intended moment of a request, service time from its sending; the difference is the generator’s lateness, which is reported.", "Tene, How not to measure latency, 2013; HdrHistogram"},
		{"CPU is user and system time of each process with its children, from the kernel, over the window; the generator’s and the unexplained rest are shown beside it, not in it. Memory is PSS.", "proc(5)"},
		{"A run is void if the generator was late (p99 over max(2 ms, 10 % of the response’s p50), of requests with an instant of their own: arrivals, polls, and what follows a time to think) or missed more than 0.1 % of its sends, below the knee; " +
			"if others (processes that are no part of the run, the kernel’s own, a hypervisor) had over 20 % of the machine; or if an invariant was broken. Void runs are repeated, listed, and count for nothing. Where others had over 10 %, a run counts and is marked as disturbed.", ""},
		{"Steadiness compares the last third of the window with the whole, second by second: steady if that ratio is within 5 % of 1 and twice its standard error is, too; too noisy to tell if twice the error is more, and the ratio no farther from 1; else not steady. " +
			"No steady state is a result, and voids nothing.", ""},
		{"Percentiles need observations: no p99 of fewer than 300, no p99.9 of fewer than 3,000.", ""},
		{"The interval of a ratio of medians is a bootstrap over blocks, 10,000 times, 95 %; Holm’s method widens it where several arms are compared with one baseline.", "Efron, 1979; Holm, 1979"},
		{"“Different” means: the interval excludes 1 and the ratio leaves 0.95 to 1.05. It is said of one metric: Holm’s method is over the arms, not over the metrics, so that of twenty metrics one may differ by chance, and a verdict rests on those that its hypothesis names. E0 checks that this finds what is there and does not find what is not.", ""},
		{"A hypothesis is judged by whole intervals: a part of it is supported if the interval lies within what was expected, refuted if it lies without, and else undecided; with fewer than five runs too. " +
			"All parts together are supported, or refuted, if each of them is; partly supported if some part is; and undecided otherwise.", ""},
	}
}
