package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
	"kerf/benchmarks/stats"
)

// page is what the template shows: texts and pictures only.
type page struct {
	CSS template.CSS
	// Partial says what is missing, "" if nothing is. It is the report's first line.
	Partial                                 string
	Profile, Machine, Date, Commit, Changed string
	Compared                                string
	Verdicts                                []verdict
	Doubts                                  []doubt
	Summary                                 []resultsTable
	Experiments                             []section
	Environment                             []fact
	Sessions                                *lab.Table
	Fairness                                fairness
	Method                                  []step
	Command                                 string
	Benchmarks                              *lab.Table
	Micro                                   string
}

// verdict is one experiment's in the box at the top.
type verdict struct {
	ID, Title, Question, Text, Outcome, Class, Mark string
	// Null marks E0, by which the others are believed or not.
	Null, Here bool
	// Incomplete says that runs are missing.
	Incomplete bool
}

// doubt is something to know before the verdicts are believed.
type doubt struct {
	Title, Text string
	Grave       bool
}

type fact struct{ Name, Value string }

func newPage(in Input) page {
	e := in.Environment
	p := page{
		CSS:        template.CSS(chart.CSS + pageCSS), //nolint:gosec // it is part of the program
		Partial:    partial(in.Findings),
		Machine:    machine(e),
		Date:       made(in),
		Commit:     e.Version,
		Compared:   compared(in.Findings),
		Verdicts:   verdicts(in.Findings),
		Doubts:     doubts(in),
		Command:    in.Command,
		Benchmarks: quoted(in.Benchmarks),
		Micro:      strings.TrimSpace(strings.Join(in.Micro, "\n")),
		Fairness:   fair(in.Findings),
		Method:     method(in.Findings),
	}
	if len(e.Changed) > 0 {
		p.Changed = plural(len(e.Changed), "file") + " differed from the commit"
	}
	for _, f := range in.Findings {
		p.Profile = f.Setting.Profile.Name
		if t := results(f, true); len(t.Metrics) > 0 {
			p.Summary = append(p.Summary, t)
		}
		p.Experiments = append(p.Experiments, newSection(f))
	}
	p.Environment, p.Sessions = environment(e)
	return p
}

// partial says why the report is not whole.
func partial(all []*lab.Findings) string {
	var why, cut []string
	if len(all) == 0 {
		return "nothing was measured."
	}
	if !slices.ContainsFunc(all, isNull) {
		why = append(why, "E0, which tells whether the method can be believed, is missing")
	}
	for _, f := range all {
		if f.Incomplete {
			cut = append(cut, f.Experiment.ID)
		}
	}
	if len(cut) > 0 {
		why = append(why, list(cut)+" "+map[bool]string{true: "was", false: "were"}[len(cut) == 1]+" cut short")
	}
	if len(why) == 0 {
		return ""
	}
	return strings.Join(why, "; ") + "."
}

func isNull(f *lab.Findings) bool { return f.Experiment.ID == "E0" }

// machine is the machine in one line.
func machine(e lab.Environment) string {
	var parts []string
	if e.CPU != "" {
		parts = append(parts, e.CPU)
	}
	if e.Cores > 0 {
		parts = append(parts, plural(e.Cores, "core"))
	}
	if e.Memory > 0 {
		parts = append(parts, number(float64(e.Memory)/1024)+nbsp+"GiB")
	}
	for _, s := range []string{e.Distribution, e.Filesystem, e.Go} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " · ")
}

// made is when the runner worked: from the first to the last of its sessions and runs, those that count for nothing included.
func made(in Input) string {
	var first, last time.Time
	span := func(from, to time.Time) {
		if from.IsZero() {
			return
		}
		if first.IsZero() || from.Before(first) {
			first = from
		}
		for _, t := range []time.Time{from, to} {
			if t.After(last) {
				last = t
			}
		}
	}
	for _, s := range in.Environment.Sessions {
		span(s.Started, s.Ended)
	}
	for _, f := range in.Findings {
		for _, records := range append(slices.Collect(maps.Values(f.Records)), f.Void, f.Failed) {
			for _, r := range records {
				span(r.Started, r.Started.Add(time.Duration(r.Seconds*float64(time.Second))))
			}
		}
	}
	if first.IsZero() {
		return "no run was made"
	}
	first, last = first.UTC(), last.UTC()
	day := first.Format("2 January 2006")
	if last.Format(time.DateOnly) == first.Format(time.DateOnly) {
		return day + ", " + first.Format("15:04") + between + last.Format("15:04") + " UTC"
	}
	return day + ", " + first.Format("15:04") + " to " + last.Format("2 January, 15:04") + " UTC"
}

// compared says what was compared, in one line.
func compared(all []*lab.Findings) string {
	arms, runs := 0, 0
	for _, f := range all {
		arms += len(f.Arms)
		for _, a := range f.Arms {
			runs += len(f.Records[a.Name])
		}
	}
	if runs == 0 {
		return ""
	}
	return fmt.Sprintf("The monolith and cuts of it, in %s: %s, %s that %s. Every arm is the same build with other settings.",
		plural(len(all), "experiment"), plural(arms, "arm"), plural(runs, "run"), map[bool]string{true: "counts", false: "count"}[runs == 1])
}

var outcomes = map[lab.Outcome]struct{ class, mark string }{
	lab.Supported: {"supported", "✓"},
	lab.Refuted:   {"refuted", "✕"},
	lab.Partly:    {"partly", "◐"},
	lab.Undecided: {"undecided", "?"},
}

func verdicts(all []*lab.Findings) []verdict {
	list := make([]verdict, 0, len(all)+1)
	for _, f := range all {
		v := verdict{ID: f.Experiment.ID, Title: f.Experiment.Title, Question: f.Experiment.Question, Null: isNull(f), Here: true, Incomplete: f.Incomplete}
		v.Text, v.Outcome, v.Class, v.Mark = concluded(f)
		list = append(list, v)
	}
	if !slices.ContainsFunc(all, isNull) {
		list = append(list, verdict{ID: "E0", Title: "null", Question: "Does the method lie?", Null: true, Outcome: "not run", Class: "undecided", Mark: "?",
			Text: "E0 was not run with this report: nothing shows that the method tells a difference from noise here."})
	}
	slices.SortStableFunc(list, func(a, b verdict) int { return b2i(b.Null) - b2i(a.Null) })
	return list
}

func concluded(f *lab.Findings) (text, outcome, class, mark string) {
	o := f.Conclusion.Outcome
	known, ok := outcomes[o]
	if !ok {
		o, known = lab.Undecided, outcomes[lab.Undecided]
	}
	text = cmp.Or(f.Conclusion.Verdict, "There is no conclusion.")
	return text, string(o), known.class, known.mark
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tally is what is counted over all findings.
type tally struct {
	counted, void, failed   int
	steady, unsteady, noisy int
	disturbed               int            // runs that count, and are to be doubted
	shares                  []float64      // of the machine, that others had in runs that count
	broken                  map[string]int // runs by invariant
	standIns, left          []string
	missing                 []string
}

func tallied(all []*lab.Findings) tally {
	t := tally{broken: map[string]int{}}
	for _, f := range all {
		t.void, t.failed = t.void+len(f.Void), t.failed+len(f.Failed)
		for _, arm := range f.Arms {
			t.counted += len(f.Records[arm.Name])
			if arm.Kfake {
				t.standIns = append(t.standIns, f.Experiment.ID+" "+arm.Name)
			}
			for _, r := range f.Records[arm.Name] {
				t.add(r)
				violated(r, t.broken)
			}
		}
		for _, r := range slices.Concat(f.Void, f.Failed) {
			violated(r, t.broken)
		}
		for _, note := range f.Notes {
			if f.Incomplete && strings.HasPrefix(note, "Incomplete: ") {
				t.missing = append(t.missing, f.Experiment.ID+": "+strings.TrimSuffix(strings.TrimPrefix(note, "Incomplete: "), "."))
				continue
			}
			t.left = append(t.left, f.Experiment.ID+": "+strings.TrimSuffix(note, "."))
		}
	}
	return t
}

// add counts what is known of a run that counts.
func (t *tally) add(r lab.Record) {
	if s := r.Steadiness; s != nil {
		t.steady, t.noisy, t.unsteady = t.steady+b2i(s.Steady), t.noisy+b2i(s.Noisy), t.unsteady+b2i(!s.Steady && !s.Noisy)
	}
	if share, known := r.Shared(); known {
		t.shares = append(t.shares, share)
	}
	t.disturbed += b2i(r.Disturbed != "")
}

// doubts are what was cut short, stood in, was left out, void or failed, and how the machine itself biases.
func doubts(in Input) []doubt {
	t := tallied(in.Findings)
	runs := plural(t.counted, "run") + map[bool]string{true: " counts; ", false: " count; "}[t.counted == 1] + count(t.void) + " void, " + count(t.failed) + " failed."
	if t.void+t.failed > 0 {
		runs += " Each of these is listed in its experiment with the reason."
	}
	list := []doubt{{"Runs", runs, t.failed > 0}, correctness(t)}
	if len(t.shares) > 0 {
		list = append(list, others(t))
	}
	if len(t.standIns) > 0 {
		list = append(list, doubt{"Stood in", "kfake, an imitation in one process, stood in for Apache Kafka in " + strings.Join(t.standIns, ", ") +
			": figures of the broker there are not Kafka’s.", true})
	}
	if len(t.missing) > 0 {
		list = append(list, doubt{"Runs that are missing", strings.Join(t.missing, "; ") + ".", true})
	}
	if len(t.left) > 0 {
		list = append(list, doubt{"Left out or replaced", strings.Join(t.left, "; ") + ".", false})
	}
	if t.steady+t.unsteady+t.noisy > 0 {
		list = append(list, doubt{"Steadiness", steadiness(t), false})
	}
	return append(list, doubt{"The machine biases", bias(in.Environment.Cores), false})
}

func correctness(t tally) doubt {
	if len(t.broken) == 0 {
		return doubt{"Correctness", "No run that was checked broke an invariant.", false}
	}
	var told []string
	for _, id := range slices.Sorted(maps.Keys(t.broken)) {
		told = append(told, id+" in "+plural(t.broken[id], "run"))
	}
	return doubt{"Correctness", "Invariants were broken: " + strings.Join(told, ", ") + ". A fast wrong system scores nothing; " +
		"see the runs that count for nothing.", true}
}

func violated(r lab.Record, broken map[string]int) {
	for id, n := range r.Violations {
		if n > 0 {
			broken[id]++
		}
	}
}

// others says how much of the machine went to what is no part of the runs.
func others(t tally) doubt {
	d := doubt{"Other work on the machine", fmt.Sprintf("Of the machine’s CPU time others (processes that are no part of a run, the kernel’s own, a hypervisor) had %s in the median run that counts, and %s at most.",
		percent(stats.Median(t.shares)), percent(slices.Max(t.shares))), false}
	if t.disturbed > 0 {
		d.Grave = true
		d.Text += " They had over 10" + nbsp + "% in " + plural(t.disturbed, "run") + ": doubt what rests on " +
			map[bool]string{true: "it", false: "them"}[t.disturbed == 1] + "; the arms’ tables tell which arms have any. With over 20" + nbsp + "% a run is void."
	}
	if unknown := t.counted - len(t.shares); unknown > 0 {
		d.Text += " Of " + plural(unknown, "run") + " it is not known."
	}
	return d
}

func steadiness(t tally) string {
	judged := t.steady + t.unsteady + t.noisy
	if t.steady == judged {
		return map[bool]string{true: "The one run that was", false: "All " + count(judged) + " runs that were"}[judged == 1] + " judged came to a steady state."
	}
	return "Of " + plural(judged, "run") + " that " + map[bool]string{true: "was", false: "were"}[judged == 1] + " judged " + count(t.steady) + " came to a steady state, " +
		count(t.unsteady) + " did not, and " + count(t.noisy) + map[bool]string{true: " was", false: " were"}[t.noisy == 1] + " too noisy to tell; the arms’ tables tell which."
}

func bias(cores int) string {
	switch {
	case cores == 0:
		return "It is not known how many cores there were. Few cores favour the monolith, for all processes, servers and the generator share them."
	case cores <= 4:
		return map[int]string{1: "One core favours", 2: "Two cores favour", 3: "Three cores favour", 4: "Four cores favour"}[cores] +
			" the monolith: all processes, the broker, the database and the load generator share them, and a split cannot win " +
			"by running on more. Believe ratios of CPU first; latencies carry to larger machines less well."
	}
	return "All processes, the broker, the database and the load generator share " + count(cores) + " cores on one machine; nothing here crosses a network."
}
