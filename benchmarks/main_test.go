package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerf/benchmarks/experiments"
	"kerf/benchmarks/lab"
	"kerf/platform/process"
)

// fake is an experiment whose runs are made by do.
func fake(id string, do func(context.Context, *lab.Trial) error) lab.Experiment {
	return lab.Experiment{
		ID: id, Title: "fake " + id, Question: "Is it?", Hypothesis: "It is.",
		Metrics: []lab.Metric{{Name: "cpu", Label: "CPU", Unit: "ms", Headline: true}},
		Arms: func(s lab.Setting) (arms []lab.Arm, notes []string, err error) {
			if !s.Kafka {
				notes = []string{"no cut on Kafka, which is not installed here"}
			}
			return []lab.Arm{{Name: "whole", Label: "the whole"}, {Name: "cut", Label: "the cut"}}, notes, nil
		},
		Runs:    func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, _ lab.Arm) float64 { return 2 * p.Window.Seconds() },
		Run:     do,
		Conclude: func(*lab.Findings) lab.Conclusion {
			return lab.Conclusion{Outcome: lab.Undecided, Verdict: "It is not known."}
		},
	}
}

func measured(_ context.Context, t *lab.Trial) error {
	t.Record.Values["cpu"] = 1
	return nil
}

func TestFlagsStandBeforeAndAfterExperiments(t *testing.T) {
	all := []lab.Experiment{fake("E0", nil), fake("E1", nil), fake("E4", nil), fake("E9", nil)}
	for command, want := range map[string][]string{
		"-quick E1,E4 -out x":   {"E0", "E1", "E4"},
		"e4 -quick E1 -out x":   {"E0", "E1", "E4"},
		"-quick -out x -- all":  {"E0", "E1", "E4", "E9"},
		"E0 -out x -quick=true": {"E0"},
		"-out x E9, -quick":     {"E0", "E9"},
	} {
		got, err := parseRun(strings.Fields(command), all, io.Discard)
		if err != nil || !slices.Equal(got.ids, want) || !got.quick || got.out != "x" {
			t.Errorf("%s: %v, quick %v, out %q, %v", command, got.ids, got.quick, got.out, err)
		}
	}
}

func TestAWrongCallIsOneLineAndStatus2(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("processes:\n  a: {modules: [kitchn]}\n  b: {modules: [ordrs]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	twin := filepath.Join(t.TempDir(), "split.yaml")
	if err := os.WriteFile(twin, []byte("processes:\n  a: {modules: all}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"":                           "which command?",
		"rnu":                        `there is no command "rnu"`,
		"run":                        "which experiments? E0,",
		"run E77 -quick":             `there is no experiment "E77"; there are E0,`,
		"run all -fast":              "flag provided but not defined: -fast",
		"run all -seed x":            `invalid value "x" for flag -seed`,
		"run E1 -topology no.yaml":   "no.yaml",
		"run E1 -topology " + broken: "-topology: 3 problems; " + broken,
		"list -topology ../deploy/topologies/split.yaml -topology ../deploy/topologies/split.yaml": "split.yaml is given twice",
		"run E1 -topology ../deploy/topologies/split.yaml -topology " + twin:                       "deploy/topologies/split.yaml and " + twin + " have one name",
		"load -fast":                 "flag provided but not defined: -fast",
		"run E1 -instances /no/such": "-instances: /no/such is no folder",
		"run E1 -micro /no/such":     "-micro: /no/such cannot be read",
		"list E1":                    `list takes no "E1"`,
		"report":                     "which folder?",
		"report a b":                 "which folder?",
	} {
		var stdout, stderr strings.Builder
		err := dispatch(t.Context(), strings.Fields(command), &stdout, &stderr)
		if process.ExitStatus(err) != process.Misuse || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q ended with %v, want %q", command, err, want)
			continue
		}
		if strings.Contains(err.Error(), "\n") || stdout.Len()+stderr.Len() > 0 {
			t.Errorf("%q says more than a line: %v %s %s", command, err, stdout.String(), stderr.String())
		}
	}
	if err := dispatch(t.Context(), []string{"report", t.TempDir()}, io.Discard, io.Discard); process.ExitStatus(err) != process.Failed {
		t.Errorf("a folder without runs: %v", err)
	}
}

func TestHelpIsHelp(t *testing.T) {
	for _, command := range []string{"-h", "run -h", "list -h", "report --h", "run E1 -h", "load -h"} {
		var out strings.Builder
		err := dispatch(t.Context(), strings.Fields(command), &out, &out)
		if err != nil && !errors.Is(err, flag.ErrHelp) || !strings.HasPrefix(out.String(), "Usage: go run ./benchmarks") {
			t.Errorf("%s: %v, %q", command, err, out.String())
		}
	}
}

func TestAReasonWhyExperimentsCannotBeMadeIsToldOnce(t *testing.T) {
	lacks := func(id, why string) lab.Experiment {
		e := fake(id, nil)
		e.Arms = func(lab.Setting) ([]lab.Arm, []string, error) { return nil, nil, errors.New(why) }
		return e
	}
	_, err := describe([]lab.Experiment{fake("E0", nil), lacks("E1", "no Kafka"), lacks("E2", "no PostgreSQL"), lacks("E3", "no Kafka")}, lab.Setting{Strict: true})
	if err == nil || err.Error() != "E1, E3: no Kafka; E2: no PostgreSQL" || process.ExitStatus(err) != process.Misuse {
		t.Errorf("%v, status %d", err, process.ExitStatus(err))
	}
}

func TestTheListTellsMinutesArmsAndWhatIsMissing(t *testing.T) {
	all, err := describe([]lab.Experiment{fake("E0", nil), fake("E1", nil)}, lab.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	// 2 arms × 6 runs × 20 s, and 2 × 12 × 60 s.
	if got := all[1]; got.Quick != 4 || got.Full != 24 || len(got.Arms) != 2 || got.Arms[1].Quick != 6 || got.Arms[1].Full != 12 || len(got.Notes) != 1 {
		t.Errorf("listed %+v", got)
	}
	want := `E1  fake E1                                      quick   4 min   full   24 min
    asks      Is it?
    expects   It is.
    compares  whole: the whole
              cut: the cut
    note      no cut on Kafka, which is not installed here

all                                              quick   8 min   full   48 min
`
	if got := table(all); !strings.HasSuffix(got, want) {
		t.Errorf("printed\n%s", got)
	}
}

// workshop is a laboratory of fakes in a folder, as prepare makes it of the real ones.
func workshop(t *testing.T, dir string, printed io.Writer, all ...lab.Experiment) *laboratory {
	t.Helper()
	o := options{out: dir, quick: true, all: all}
	for _, e := range all {
		o.ids = append(o.ids, e.ID)
	}
	l := &laboratory{options: o, setting: lab.Setting{Profile: o.profile()}, progress: lab.NewProgress(printed, false)}
	planned, err := lab.Prepare(o.chosen(), l.setting)
	if err != nil {
		t.Fatal(err)
	}
	if l.folder, err = lab.Open(dir, lab.NewPlan("v1", 1, l.setting, planned)); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAllIsMadeAndReported(t *testing.T) {
	dir := t.TempDir()
	var printed strings.Builder
	l := workshop(t, dir, &printed, fake("E0", measured), fake("E1", measured))
	defer l.close()
	if err := l.work(t.Context(), []string{"all", "-out", "my folder"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plan.json", "environment.json", "results.json", "report.html"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	results := readResults(t, dir)
	if !results.Complete || len(results.Results) != 4 || results.Environment.Sessions[0].End != "complete" {
		t.Errorf("results are %+v", results)
	}
	plan, err := lab.ReadPlan(dir)
	if err != nil {
		t.Fatal(err)
	}
	plan.Setting.Topologies = []string{"my topology.yaml"}
	if got := reproduces(plan, "x"); got != "go run ./benchmarks run E0,E1 -quick -seed 1 -out x -topology 'my topology.yaml'" {
		t.Errorf("reproduced by %s", got)
	}
	if !strings.HasSuffix(printed.String(), "The report is "+filepath.Join(dir, "report.html")+"\n") {
		t.Errorf("printed %s", printed.String())
	}
}

func TestWhatIsCutShortIsKeptMarkedAndReported(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	made := 0
	l := workshop(t, dir, io.Discard, fake("E0", measured), fake("E1", func(ctx context.Context, trial *lab.Trial) error {
		if made++; made == 4 {
			cancel(errors.New("signal: interrupt"))
			return ctx.Err()
		}
		return measured(ctx, trial)
	}))
	err := l.work(ctx, []string{"all"})
	l.close()
	if process.ExitStatus(err) != process.Failed || !strings.HasPrefix(err.Error(), "cut short (signal: interrupt): ") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("ended with %v", err)
	}
	results := readResults(t, dir)
	if results.Complete || !results.Experiments[0].Complete || results.Experiments[1].Complete || results.Environment.Sessions[0].End != "cut short" {
		t.Errorf("results are %+v", results)
	}
	if results.Results[2].Experiment != "E1" || results.Results[2].N+results.Results[3].N != 3 {
		t.Errorf("of E1 there are %+v", results.Results[2:])
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !strings.Contains(strings.ToLower(string(page)), "cut short") {
		t.Errorf("the report does not say that it was cut short: %v", err)
	}

	again := workshop(t, dir, io.Discard, fake("E0", measured), fake("E1", measured))
	defer again.close()
	if err := again.work(t.Context(), []string{"all"}); err != nil {
		t.Fatal(err)
	}
	if results := readResults(t, dir); !results.Complete || len(results.Environment.Sessions) != 2 {
		t.Errorf("after it went on: %+v", results)
	}
}

func TestMicroBenchmarksAreKeptAndQuoted(t *testing.T) {
	dir := t.TempDir()
	l := workshop(t, dir, io.Discard, fake("E0", measured))
	defer l.close()
	l.micro = filepath.Join(t.TempDir(), "micro.txt")
	for content, want := range map[string]string{
		"pkg: kerf/x\nBenchmarkSawing-2 \t 100\t 1234 ns/op\n": "Sawing",
		"what benchstat says of planing\n":                     "what benchstat says of planing",
	} {
		if err := os.WriteFile(l.micro, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.work(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for _, later := range []bool{false, true} {
			if later { // a report that is not told of the file
				if err := render(dir, l.all, ""); err != nil {
					t.Fatal(err)
				}
			}
			page, err := os.ReadFile(filepath.Join(dir, reportFile))
			if err != nil || !strings.Contains(string(page), want) {
				t.Errorf("the report does not quote %q: %v", want, err)
			}
		}
	}
}

func TestMissingRunsFailTheCommandAndAreReported(t *testing.T) {
	dir := t.TempDir()
	l := workshop(t, dir, io.Discard, fake("E0", func(ctx context.Context, trial *lab.Trial) error {
		if trial.Arm.Name == "cut" {
			return errors.New("no broker")
		}
		return measured(ctx, trial)
	}))
	defer l.close()
	err := l.work(t.Context(), nil)
	if process.ExitStatus(err) != process.Failed || !strings.Contains(err.Error(), "no broker") {
		t.Errorf("ended with %v", err)
	}
	if results := readResults(t, dir); results.Complete || results.Experiments[0].Failed != 2 || results.Environment.Sessions[0].End != "incomplete" {
		t.Errorf("results are %+v", results)
	}
}

func readResults(t *testing.T, dir string) lab.Results {
	t.Helper()
	var results lab.Results
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err == nil {
		err = json.Unmarshal(text, &results)
	}
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// A run that is cut short is reported, so every experiment has to cope with having nothing, or only some runs.
func TestEveryExperimentConcludesFromWhateverThereIs(t *testing.T) {
	servers := []lab.Setting{{}, {Kafka: true, RabbitMQ: true, Postgres: true}}
	for _, e := range experiments.All() {
		for _, setting := range servers {
			setting.Profile, setting.Source = lab.Quick, ".."
			arms, _, err := e.Arms(setting)
			if err != nil {
				t.Errorf("%s: %v", e.ID, err)
				continue
			}
			nothing := e.Conclude(&lab.Findings{Experiment: e, Setting: setting, Arms: arms, Records: map[string][]lab.Record{}, Incomplete: true})
			if nothing.Outcome != lab.Undecided || nothing.Verdict == "" {
				t.Errorf("%s concludes from nothing: %s, %q", e.ID, nothing.Outcome, nothing.Verdict)
			}
			baseline := &lab.Findings{Experiment: e, Setting: setting, Arms: arms, Incomplete: true, Records: map[string][]lab.Record{
				arms[0].Name: {{Experiment: e.ID, Arm: arms[0].Name, Block: 1, Values: values(e)}},
			}}
			if one := e.Conclude(baseline); one.Verdict == "" {
				t.Errorf("%s concludes nothing from one run", e.ID)
			}
		}
	}
}

func values(e lab.Experiment) map[string]float64 {
	all := map[string]float64{}
	for _, m := range e.Metrics {
		all[m.Name] = 1
	}
	return all
}

func TestExperimentsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for i, e := range experiments.All() {
		if seen[e.ID] || e.Title == "" || e.Question == "" || e.Hypothesis == "" || len(e.Metrics) == 0 {
			t.Errorf("%s is not whole", e.ID)
		}
		seen[e.ID] = true
		if i == 0 && e.ID != "E0" {
			t.Errorf("the first is %s", e.ID)
		}
		names := map[string]bool{}
		for _, m := range e.Metrics {
			if names[m.Name] || m.Name == "" || m.Label == "" {
				t.Errorf("%s: metric %+v", e.ID, m)
			}
			names[m.Name] = true
		}
	}
}

// The method's promise: 75 minutes for the quick profile, 12 for one experiment, with every server installed.
func TestTheQuickProfileKeepsItsPromise(t *testing.T) {
	all, err := describe(experiments.All(), lab.Setting{Source: "..", Kafka: true, RabbitMQ: true, Postgres: true})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, l := range all {
		sum += l.Quick
		if l.Quick <= 0 || l.Quick > 12 || l.Full < l.Quick {
			t.Errorf("%s takes %.1f minutes quick, %.1f full", l.ID, l.Quick, l.Full)
		}
	}
	if sum > 75 {
		t.Errorf("all take %.1f minutes: %s", sum, fmt.Sprint(all))
	}
}
