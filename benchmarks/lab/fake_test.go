package lab_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerf/benchmarks/lab"
)

// fake is an experiment whose runs are a function of the test's, and which remembers them.
type fake struct {
	id   string
	runs map[string]int // by arm; the order of arms is that of names
	arms []string
	do   func(ctx context.Context, t *lab.Trial) error
	made []string // "1 a", block and arm, in the order made
	load []uint64 // the seeds
}

func newFake(id string, do func(context.Context, *lab.Trial) error) *fake {
	return &fake{id: id, arms: []string{"whole", "cut"}, runs: map[string]int{"whole": 4, "cut": 4}, do: do}
}

func (f *fake) experiment() lab.Experiment {
	return lab.Experiment{
		ID: f.id, Title: "fake", Question: "Is it?", Hypothesis: "It is.",
		Metrics: []lab.Metric{
			{Name: "cpu_ms_per_order", Label: "CPU per order", Unit: "ms", Headline: true},
			{Name: "errors", Label: "errors"},
		},
		Arms: func(lab.Setting) (arms []lab.Arm, notes []string, err error) {
			for _, name := range f.arms {
				arms = append(arms, lab.Arm{Name: name, Label: "the " + name, Parameters: map[string]any{"burn": 0.5}})
			}
			return arms, []string{"a note"}, nil
		},
		Runs:    func(_ lab.Profile, arm lab.Arm) int { return f.runs[arm.Name] },
		Seconds: func(lab.Profile, lab.Arm) float64 { return 30 },
		Run: func(ctx context.Context, t *lab.Trial) error {
			f.made = append(f.made, fmt.Sprintf("%d %s", t.Block, t.Arm.Name))
			f.load = append(f.load, t.Seed)
			return f.do(ctx, t)
		},
		Conclude: func(found *lab.Findings) lab.Conclusion {
			return lab.Conclusion{Outcome: lab.Undecided, Verdict: fmt.Sprintf("%d results", len(found.Results))}
		},
	}
}

// measured yields 10 for whole and 20 for the others, and a bit more from block to block.
func measured(_ context.Context, t *lab.Trial) error {
	t.Stage("window")
	t.Record.Values["cpu_ms_per_order"] = map[bool]float64{true: 10, false: 20}[t.Arm.Name == "whole"] + float64(t.Block)/4
	t.Record.Values["errors"] = 0
	return nil
}

var setting = lab.Setting{Profile: lab.Profile{Name: "quick", Runs: 4}}

// open opens a folder for the experiments.
func open(t *testing.T, dir string, seed uint64, fakes ...*fake) (*lab.Folder, []lab.Experiment) {
	t.Helper()
	experiments := all(fakes...)
	planned, err := lab.Prepare(experiments, setting)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := lab.Open(dir, lab.NewPlan("v1", seed, setting, planned))
	if err != nil {
		t.Fatal(err)
	}
	return folder, experiments
}

func all(fakes ...*fake) (experiments []lab.Experiment) {
	for _, f := range fakes {
		experiments = append(experiments, f.experiment())
	}
	return experiments
}

// run makes a session and gives what it printed.
func run(t *testing.T, ctx context.Context, dir string, seed uint64, fakes ...*fake) (summary lab.Summary, printed []string, err error) {
	t.Helper()
	folder, experiments := open(t, dir, seed, fakes...)
	defer folder.Close()
	var out strings.Builder
	runner := lab.Runner{
		Folder: folder, Experiments: experiments, Setting: setting, Progress: lab.NewProgress(&out, false), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	summary, err = runner.Run(ctx)
	return summary, strings.Split(strings.TrimSpace(out.String()), "\n"), err
}

// complete runs and fails the test if not all went well.
func complete(t *testing.T, dir string, fakes ...*fake) []string {
	t.Helper()
	summary, printed, err := run(t, t.Context(), dir, 1, fakes...)
	if err != nil || summary.Err() != nil {
		t.Fatalf("ended with %v, %v", err, summary.Err())
	}
	return printed
}

// files are the names of a folder's.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func found(t *testing.T, dir string, fakes ...*fake) []*lab.Findings {
	t.Helper()
	all, _, err := lab.Read(dir, all(fakes...))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func runsOf(dir, id string) string { return filepath.Join(dir, "runs", id) }
