package experiments

import (
	"context"
	"testing"
	"time"

	"kerf/benchmarks/lab"
)

// TestLabShortRunsOfKneeWindowAndBlast makes a run of each on the monolith, too short to tell anything but whether all is measured that should be.
func TestLabShortRunsOfKneeWindowAndBlast(t *testing.T) {
	base := trialOf(t, monolith)
	base.Setting.Profile = lab.Profile{Name: "short", Warmup: 500 * time.Millisecond, Window: time.Second}
	again := func(t *testing.T, arm lab.Arm) *lab.Trial {
		trial := *base
		trial.Arm, trial.Dir, trial.Record = arm, t.TempDir(), &lab.Record{}
		return &trial
	}
	check := func(t *testing.T, trial *lab.Trial, err error, metrics ...lab.Metric) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if r := trial.Record; len(r.Violations) > 0 {
			t.Errorf("violations %v: %v", r.Violations, r.Told)
		}
		for _, m := range metrics {
			if v, ok := trial.Record.Values[m.Name]; !ok || v < 0 {
				t.Errorf("%s is %v, told: %t", m.Name, v, ok)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	t.Run("knee", func(t *testing.T) {
		trial := again(t, base.Arm)
		err := findKnee(ctx, trial)
		check(t, trial, err, peakRate, uslLambda, uslSigma, uslKappa, generatorShare)
		_, found := trial.Record.Values[kneeRate.Name]
		if found == (trial.Record.Void != "") {
			t.Errorf("a knee is found: %t, and void is %q", found, trial.Record.Void)
		}
		if n := len(trial.Record.Curves["clients"]); n != len(sweep) || len(trial.Record.Curves["late"]) == 0 {
			t.Errorf("%d numbers of clients, %d steps", n, len(trial.Record.Curves["late"]))
		}
	})
	t.Run("window", func(t *testing.T) {
		trial := again(t, base.Arm)
		trial.Setting.Profile.Window = 4 * time.Second // at 12 orders a second, the 30 that a median takes
		err := watchWrites(ctx, trial)
		check(t, trial, err, readP50, toldP50, atoldP50, staleRead, staleView, unseenShare, lookP50)
	})
	t.Run("blast", func(t *testing.T) {
		arms, _, err := blastArms(base.Setting)
		if err != nil {
			t.Fatal(err)
		}
		trial := again(t, arms[0])
		s, err := open(ctx, trial, drive{Speed: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.close(ctx); err != nil {
				t.Error(err)
			}
		}()
		k := &killing{site: s}
		if err := k.prepare(ctx, 4*time.Second); err != nil {
			t.Fatal(err)
		}
		killed, ready, err := k.ask(ctx, 500*time.Millisecond, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		k.fill(killed, ready, 3*time.Second)
		if n := k.before.Load.Arrivals; n == 0 || n >= trial.Record.Sends {
			t.Errorf("%d of %d requests came before the kill", n, trial.Record.Sends)
		}
		check(t, trial, s.finish(ctx, drive{Restarts: true}), lostAll, lostNeeded, readyAfter)
		for _, e := range watched {
			if lost := trial.Record.Values[lostOf(e).Name]; lost == 0 {
				t.Errorf("the monolith was killed, and nobody who asked for %s missed it", e.name)
			}
		}
	})
}
