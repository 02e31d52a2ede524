package lab_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/lab"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestTwoProcessesDoNotWorkInOneFolder(t *testing.T) {
	dir := t.TempDir()
	first, _ := open(t, dir, 1, newFake("E1", nil))
	if _, err := lab.Open(dir, first.Plan); err == nil || err.Error() != "another process is at work in "+dir {
		t.Errorf("the second got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := lab.Open(dir, first.Plan)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestAFolderOfAnotherPlanIsRefusedInOneLine(t *testing.T) {
	topology := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(topology, []byte("processes: {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := func(t *testing.T) lab.Plan {
		experiments := all(newFake("E1", nil))
		arms := experiments[0].Arms
		experiments[0].Arms = func(s lab.Setting) ([]lab.Arm, []string, error) {
			all, notes, err := arms(s)
			all[1].Topology, all[1].Config = topology, map[string]any{"bus.format": "json", "pool": 4}
			return all, notes, err
		}
		planned, err := lab.Prepare(experiments, setting)
		if err != nil {
			t.Fatal(err)
		}
		return lab.NewPlan("v1", 1, setting, planned)
	}
	dir := t.TempDir()
	attempt := func(plan lab.Plan) error {
		folder, err := lab.Open(dir, plan)
		if err == nil {
			folder.Close()
		}
		return err
	}
	for range 2 {
		if err := attempt(plan(t)); err != nil {
			t.Fatalf("the same plan: %v", err)
		}
	}
	for want, change := range map[string]func(*lab.Plan){
		"was begun with version v1, and this is v2: choose another folder":                        func(p *lab.Plan) { p.Version = "v2" },
		"was begun with seed 1, and this is 2: choose another folder":                             func(p *lab.Plan) { p.Seed = 2 },
		"was begun with the profile quick, and this is full: choose another folder":               func(p *lab.Plan) { p.Setting.Profile = "full" },
		"was begun with the machine A, and this is B: choose another folder":                      func(p *lab.Plan) { p.Machine = "B" },
		"has runs of E1 with other arms, whole, cut, where this would have whole: choose another": func(p *lab.Plan) { p.Experiments[0].Arms = p.Experiments[0].Arms[:1] },
		"has runs of E1 with other settings of its arms: choose another folder":                   func(p *lab.Plan) { p.Experiments[0].Arms[1].Config = nil },
		"has runs of E1 with other numbers of runs: choose another folder":                        func(p *lab.Plan) { p.Experiments[0].Runs["cut"] = 5 },
		"has runs of E1 with other topology files: choose another folder":                         func(p *lab.Plan) { p.Experiments[0].Files[topology] = "other" },
	} {
		dir = t.TempDir()
		begun, changed := plan(t), plan(t)
		begun.Machine, changed.Machine = "A", "A"
		if err := attempt(begun); err != nil {
			t.Fatal(err)
		}
		change(&changed)
		if err := attempt(changed); err == nil || !strings.HasPrefix(err.Error(), dir+" "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAChangedTopologyFileIsSeen(t *testing.T) {
	topology := filepath.Join(t.TempDir(), "mine.yaml")
	digest := func(content string) string {
		if err := os.WriteFile(topology, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		e := newFake("E1", nil).experiment()
		e.Arms = func(lab.Setting) ([]lab.Arm, []string, error) {
			return []lab.Arm{{Name: "mine", Topology: topology}}, nil, nil
		}
		planned, err := lab.Prepare([]lab.Experiment{e}, lab.Setting{Source: filepath.Dir(topology)})
		if err != nil {
			t.Fatal(err)
		}
		if planned[0].Arms[0].Topology != "mine.yaml" {
			t.Errorf("a file of the source is called %s", planned[0].Arms[0].Topology)
		}
		return planned[0].Files["mine.yaml"]
	}
	if first, second := digest("a"), digest("b"); first == second || first == "" {
		t.Errorf("digests are %q and %q", first, second)
	}
}

func TestAFolderWithoutRunsOrOfUnknownExperimentsIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := lab.Read(dir, nil); err == nil || err.Error() != dir+" holds no runs: there is no plan.json" {
		t.Errorf("an empty folder: %v", err)
	}
	complete(t, dir, newFake("E77", measured))
	if _, _, err := lab.Read(dir, nil); err == nil || err.Error() != dir+" has runs of E77, which this program does not know" {
		t.Errorf("an unknown experiment: %v", err)
	}
}

// An experiment of which nothing was made yet has findings that say so.
func TestWhatWasNotBegunIsIncomplete(t *testing.T) {
	dir := t.TempDir()
	folder, _ := open(t, dir, 1, newFake("E1", nil))
	folder.Close()
	got := found(t, dir, newFake("E1", nil))[0]
	if !got.Incomplete || len(got.Results) != 0 || !slices.Equal(got.Notes, []string{"a note", "Incomplete: not one of its runs was made."}) {
		t.Errorf("incomplete %v, notes %q", got.Incomplete, got.Notes)
	}
}

func TestResultsAreWrittenAsDocumented(t *testing.T) {
	dir := t.TempDir()
	f := newFake("E1", measured)
	f.arms, f.runs = []string{"whole", "cut", "shreds"}, map[string]int{"whole": 4, "cut": 4, "shreds": 2}
	complete(t, dir, f)
	environment := lab.Environment{
		Schema: lab.Schema, Version: "v1", Go: "go1.26", CPU: "abacus", Cores: 2, Servers: map[string]string{"kafka": "4.4.0"},
		Sessions: []lab.Session{{Command: []string{"run", "all"}, Started: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), End: "complete"}},
	}
	if err := lab.WriteResults(dir, found(t, dir, f), environment); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "results.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("results.json is no longer %s; run the test with -update, and see what changed. It is now\n%s", golden, got)
	}
}

func TestRunsAreComparedWithThoseOfTheirTime(t *testing.T) {
	dir := t.TempDir()
	// The machine gets ten times as slow, steadily; the cut is twice as slow as the whole at every moment.
	f := newFake("E0", func(_ context.Context, trial *lab.Trial) error {
		trial.Record.Values["cpu_ms_per_order"] = map[string]float64{"whole": 10, "cut": 20}[trial.Arm.Name] * float64((trial.Block+1)/2)
		return nil
	})
	f.runs = map[string]int{"whole": 12, "cut": 6}
	complete(t, dir, f)
	for _, r := range found(t, dir, f)[0].Results {
		if r.Arm == "cut" && (r.Ratio == nil || *r.Ratio != 2 || *r.RatioCILow < 1.99 || *r.RatioCIHigh > 2.01 || !r.Different || r.N != 6) {
			t.Errorf("ratio %v (%v to %v) of %d runs", *r.Ratio, *r.RatioCILow, *r.RatioCIHigh, r.N)
		}
	}
}

func TestTheMachineIsObserved(t *testing.T) {
	dir := t.TempDir()
	got, err := lab.Observe(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cores < 1 || got.Fsync.N != 200 || got.Fsync.Median <= 0 || got.Fsync.P99 < got.Fsync.Median || got.Settings["GOMAXPROCS"] == "" {
		t.Errorf("observed %+v", got)
	}
	if names := files(t, dir); len(names) > 0 {
		t.Errorf("left are %v", names)
	}
	session := lab.BeginSession([]string{"run"})
	session.Finish("complete")
	if session.End != "complete" || session.Ended.Before(session.Started) || session.Stolen < 0 || session.Stolen > 1 {
		t.Errorf("session %+v", session)
	}
	if _, err := lab.Observe(t.Context(), filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder that is not there was measured")
	}
}

func TestEveryChangeOfTheCodeIsAVersion(t *testing.T) {
	source := t.TempDir()
	git(t, source, "init", "-q")
	put := func(name, content string) {
		t.Helper()
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	version := func() string {
		t.Helper()
		v, changed, err := lab.Version(t.Context(), source, filepath.Join(source, "out"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(v, "+") != (len(changed) > 0) {
			t.Errorf("version %s with changes in %v", v, changed)
		}
		return v
	}
	put("main.go", "package main")
	git(t, source, "add", ".")
	git(t, source, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "begin")
	clean := version()
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(clean) {
		t.Errorf("a clean tree is version %s", clean)
	}
	put("README.md", "words")
	put("main_test.go", "package main")
	put("out/results.json", "{}")
	put("kerf-lab-20261124/plan.json", "{}")
	put("benchmarks/results/quick/results.json", "{}")
	if got := version(); got != clean {
		t.Errorf("words and results made it version %s", got)
	}
	seen := []string{clean}
	for _, change := range [][2]string{{"main.go", "package main // changed"}, {"main.go", "package main // again"}, {"new.go", "package main"}, {"new.go", "package main // too"}} {
		put(change[0], change[1])
		got := version()
		if slices.Contains(seen, got) || !strings.HasPrefix(got, clean+"+") {
			t.Errorf("with %s it is version %s, after %v", change[0], got, seen)
		}
		seen = append(seen, got)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}
