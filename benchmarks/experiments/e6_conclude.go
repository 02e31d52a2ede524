package experiments

import (
	"fmt"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// calledBy are the arms on which the verdict rests.
var calledBy = []string{"in-process", "grpc", "json"}

func concludeProtocols(f *lab.Findings) lab.Conclusion {
	none, some := callWorks[0], callWorks[1]
	grpc, okGRPC := ratioOf(resultOf(f, "grpc", none.cpu().Name))
	json, blocks := between(f, "grpc", "json", none.cpu().Name)
	worked, okWorked := ratioOf(resultOf(f, "grpc", some.cpu().Name))
	if !okGRPC || blocks == 0 || !okWorked {
		return undecided(f, "calls in process, over gRPC and as JSON were not all measured")
	}
	n := resultOf(f, "grpc", none.cpu().Name).N
	c := lab.Conclusion{
		Outcome: together([]lab.Outcome{
			holds(grpc.Low > 2, grpc.High <= 2),                     // far less in process
			holds(json.Different && json.Value > 1, json.High <= 1), // JSON dearer than gRPC
			holds(worked.High < grpc.Low, worked.Low >= grpc.High),  // the difference shrinks
		}),
		Verdict: fmt.Sprintf("%s%sA call takes %s of CPU in process; over gRPC, both sides together, %s as much, and as JSON %s what gRPC takes. "+
			"With 1 ms of work per call gRPC takes %s what the call takes in process, n = %d.", foreword(f), soFar(f, calledBy...),
			amount(resultOf(f, "in-process", none.cpu().Name)), times(grpc), times(json), times(worked), n),
		Remarks: protocolRemarks(f),
	}
	if lacking(f, calledBy...) {
		c.Outcome = lab.Undecided
	}
	if table, ok := endToEnd(f); ok {
		c.Tables = append(c.Tables, table)
	}
	return c
}

// holds is what certain evidence for and against makes of a part of a hypothesis.
func holds(supported, refuted bool) lab.Outcome {
	switch {
	case supported:
		return lab.Supported
	case refuted:
		return lab.Refuted
	}
	return lab.Undecided
}

func protocolRemarks(f *lab.Findings) (remarks []string) {
	for _, arm := range f.Arms {
		if arm.Topology != "" {
			continue
		}
		for _, w := range callWorks {
			if cpu := resultOf(f, arm.Name, w.cpu().Name); cpu != nil {
				remarks = append(remarks, fmt.Sprintf("%s%s: %s of CPU, of which the side that is called %s; at %v calls a second answered within %s (p50) and %s (p99).",
					arm.Label, w.label, amount(cpu), amount(resultOf(f, arm.Name, w.served().Name)), w.rate,
					amount(resultOf(f, arm.Name, w.responseP50().Name)), amount(resultOf(f, arm.Name, w.responseP99().Name))))
			}
		}
	}
	return append(remarks,
		"CPU is that of one caller that calls again at once: callers that call side by side share wake-ups and system calls, and a call then costs less than here.",
		"A response at a fixed rate is timed from the instant at which the call was due, so what the generator was late is in it: most of what is seen in process.",
		"A call in process includes making the answer, a quote with three lines, which every protocol pays too.",
		"There is no TLS between the processes here; E1's splits have it.",
		"REST at the edge answers with the same quote, and besides authenticates its caller, counts and logs the request; it is no protocol between modules.",
		"Caller and called share two cores; a call in process needs no second process to be woken, which is part of what a cut costs.")
}

// endToEnd sets whole splits side by side that speak the protocols; only the full profile runs them.
func endToEnd(f *lab.Findings) (lab.Table, bool) {
	table := lab.Table{
		Title: "End to end: a whole split by the protocol between its processes", Columns: []string{"protocol", "CPU per order", "to gRPC's", "order approved, p50"},
		Note: "On kfake, at the standard mix.",
	}
	for _, name := range []string{"split-grpc", "split-connect", "split-json"} {
		total := resultOf(f, name, totalPerOrder.Name)
		if total == nil {
			continue
		}
		ratio := "–"
		if r, blocks := between(f, "split-grpc", name, totalPerOrder.Name); blocks > 0 && name != "split-grpc" {
			ratio = times(stats.Ratio{Value: r.Value, Low: r.Low, High: r.High})
		}
		table.Rows = append(table.Rows, []string{labelOf(f, name), amount(total), ratio, amount(resultOf(f, name, approvedP50.Name))})
	}
	return table, len(table.Rows) > 0
}

// labelOf is the label of an arm.
func labelOf(f *lab.Findings, name string) string {
	for _, arm := range f.Arms {
		if arm.Name == name {
			return arm.Label
		}
	}
	return name
}
