package experiments

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stand"
)

// trialOf makes a trial of an arm with the built launcher.
func trialOf(t *testing.T, arm func(lab.Setting) lab.Arm) *lab.Trial {
	t.Helper()
	launcher, err := stand.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	setting := everything
	if setting.Source, err = filepath.Abs(setting.Source); err != nil {
		t.Fatal(err)
	}
	return &lab.Trial{
		Setting: setting, Experiment: "E0", Arm: arm(setting), Block: 1, Seed: 7, Dir: t.TempDir(), Launcher: launcher,
		Stage: func(what string) { t.Log(time.Now().Format("05.000"), what) }, Record: &lab.Record{},
	}
}

func TestLabATrialOfTheMonolith(t *testing.T) {
	trial := trialOf(t, monolith)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	err := drive{Rate: 30, Warmup: time.Second, Window: 3 * time.Second, Idle: 200 * time.Millisecond, Count: true}.run(ctx, trial)

	if err != nil {
		t.Fatal(err)
	}
	r := trial.Record
	if len(r.Violations) > 0 || r.Void != "" {
		t.Errorf("void %q, violations %v, %v", r.Void, r.Violations, r.Told)
	}
	for _, metric := range []lab.Metric{totalPerOrder, modulesPerOrder, generatorPerOrder, placeP50, approvedP50, pss, processes, ordersPerSecond, idleCPU, localCalls, allEvents} {
		if v := r.Values[metric.Name]; !(v > 0) {
			t.Errorf("%s is %v", metric.Name, v)
		}
	}
	for _, metric := range []lab.Metric{brokerPerOrder, databasePerOrder, cutCalls, cutEvents} {
		if v, ok := r.Values[metric.Name]; v != 0 || !ok {
			t.Errorf("%s of a monolith is %v", metric.Name, v)
		}
	}
	if r.Spectra["all/lateness"].Count == 0 || r.Spectra["approved/response"].Count == 0 || len(r.Series["place/p50"]) < 2 || r.Sends == 0 || len(r.Facts) == 0 {
		t.Errorf("the record lacks distributions, series, sends or facts: %+v", r)
	}
}

func TestLabATopologyThatDoesNotStartIsOneLine(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("processes:\n  kerf: {modules: [orders]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trial := trialOf(t, func(lab.Setting) lab.Arm { return lab.Arm{Name: "broken", Topology: broken} })

	err := drive{}.run(t.Context(), trial)

	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}
