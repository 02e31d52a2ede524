package lab_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/usage"
)

func TestBlocksHoldEachArmAndEverySecondIsTheReverse(t *testing.T) {
	f := newFake("E1", measured)
	f.arms = []string{"whole", "two", "three", "four"}
	f.runs = map[string]int{"whole": 6, "two": 6, "three": 6, "four": 6}
	complete(t, t.TempDir(), f)

	var blocks [][]string
	for i := range 6 {
		block := f.made[4*i : 4*i+4]
		arms := make([]string, 4)
		for j, made := range block {
			var number int
			if _, err := fmt.Sscanf(made, "%d %s", &number, &arms[j]); err != nil || number != i+1 {
				t.Fatalf("block %d holds %v", i+1, block)
			}
		}
		blocks = append(blocks, arms)
		if sorted := slices.Sorted(slices.Values(arms)); !slices.Equal(sorted, []string{"four", "three", "two", "whole"}) {
			t.Errorf("block %d holds %v", i+1, arms)
		}
		if loads := f.load[4*i : 4*i+4]; loads[0] != loads[1] || loads[0] != loads[2] || loads[0] != loads[3] {
			t.Errorf("the arms of block %d had other loads: %v", i+1, loads)
		}
	}
	for i := 0; i < 6; i += 2 {
		reverse := slices.Clone(blocks[i])
		slices.Reverse(reverse)
		if !slices.Equal(reverse, blocks[i+1]) {
			t.Errorf("block %d is %v, and the next %v", i+1, blocks[i], blocks[i+1])
		}
	}
	if slices.Equal(blocks[0], blocks[2]) && slices.Equal(blocks[2], blocks[4]) {
		t.Errorf("the order was drawn once: %v", blocks)
	}
	if f.load[0] == f.load[4] {
		t.Error("two blocks had the same load")
	}
}

func TestTheOrderIsTheSeeds(t *testing.T) {
	orders := map[string]int{}
	for seed := range uint64(8) {
		first, again := newFake("E1", measured), newFake("E1", measured)
		for _, f := range []*fake{first, again} {
			if _, _, err := run(t, t.Context(), t.TempDir(), seed, f); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(first.made, again.made) || !slices.Equal(first.load, again.load) {
			t.Errorf("seed %d gave %v, then %v", seed, first.made, again.made)
		}
		orders[strings.Join(first.made, ",")]++
	}
	if len(orders) < 2 {
		t.Error("the order does not depend on the seed")
	}
}

func TestAnArmWithFewerRunsIsSpreadEvenly(t *testing.T) {
	f := newFake("E0", measured)
	f.runs = map[string]int{"whole": 12, "cut": 6}
	complete(t, t.TempDir(), f)
	if len(f.made) != 18 {
		t.Fatalf("made %d runs", len(f.made))
	}
	for i := range 6 {
		three := f.made[3*i : 3*i+3]
		cuts := 0
		for _, made := range three {
			if strings.HasSuffix(made, " cut") {
				cuts++
			}
		}
		if cuts != 1 {
			t.Errorf("of runs %d to %d, %d are of the scarcer arm: %v", 3*i+1, 3*i+3, cuts, three)
		}
	}
}

func TestAnInterruptedExperimentGoesOnWhereItWas(t *testing.T) {
	whole := newFake("E1", measured)
	complete(t, t.TempDir(), whole)
	signal := errors.New("signal: interrupt")
	for at := range 8 {
		dir := t.TempDir()
		ctx, cancel := context.WithCancelCause(t.Context())
		begun := newFake("E1", nil)
		begun.do = func(ctx context.Context, trial *lab.Trial) error {
			if len(begun.made) <= at {
				return measured(ctx, trial)
			}
			if err := os.WriteFile(filepath.Join(trial.Dir, "data"), nil, 0o600); err != nil {
				return err
			}
			cancel(signal)
			<-ctx.Done()
			return ctx.Err()
		}
		if _, _, err := run(t, ctx, dir, 1, begun); !errors.Is(err, signal) {
			t.Fatalf("interrupted in run %d: %v", at+1, err)
		}
		if got := found(t, dir, begun)[0]; !got.Incomplete || len(got.Failed) > 0 || len(got.Records["whole"])+len(got.Records["cut"]) != at {
			t.Errorf("after %d runs: incomplete %v, %d failed, %d and %d runs", at, got.Incomplete, len(got.Failed), len(got.Records["whole"]), len(got.Records["cut"]))
		}
		if names := files(t, dir); slices.Contains(names, "trials") {
			t.Errorf("after the interruption there are %v", names)
		}
		rest := newFake("E1", measured)
		complete(t, dir, rest)
		if made := append(begun.made[:at:at], rest.made...); !slices.Equal(made, whole.made) {
			t.Errorf("interrupted in run %d, the runs were %v, want %v", at+1, made, whole.made)
		}
		if got := found(t, dir, rest)[0]; got.Incomplete {
			t.Errorf("incomplete: %v", got.Notes)
		}
	}
}

func TestExperimentsMayBeAddedAndAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	complete(t, dir, newFake("E1", measured))
	first, second := newFake("E1", measured), newFake("E2", measured)
	complete(t, dir, first, second)
	if len(first.made) != 0 || len(second.made) != 8 {
		t.Errorf("E1 made %v, E2 %v", first.made, second.made)
	}
	if all := found(t, dir, newFake("E1", nil), newFake("E2", nil)); len(all) != 2 {
		t.Errorf("found %d experiments", len(all))
	}
}

func TestAVoidRunIsRepeatedAtTheEndOfItsBlockAndReported(t *testing.T) {
	dir := t.TempDir()
	f := newFake("E1", nil)
	voided := 0
	f.do = func(ctx context.Context, trial *lab.Trial) error {
		if trial.Block == 2 && trial.Arm.Name == "whole" && voided < 2 {
			voided++
			trial.Record.Void = "the moon was full"
		}
		return measured(ctx, trial)
	}
	printed := complete(t, dir, f)
	repeats := []string{"2 whole", "2 whole"}
	if len(f.made) != 10 || !slices.Equal(f.made[4:6], repeats) || strings.HasPrefix(f.made[6], "2") {
		t.Errorf("made %v", f.made)
	}
	got := found(t, dir, f)[0]
	if len(got.Void) != 2 || len(got.Records["whole"]) != 4 || got.Incomplete {
		t.Errorf("%d void, %d count, incomplete %v", len(got.Void), len(got.Records["whole"]), got.Incomplete)
	}
	if last := got.Records["whole"][1]; last.Attempt != 3 || last.Block != 2 {
		t.Errorf("what counts is attempt %d of block %d", last.Attempt, last.Block)
	}
	if !slices.ContainsFunc(printed, func(l string) bool { return strings.Contains(l, "whole: void: the moon was full") }) {
		t.Errorf("printed %q", printed)
	}
}

func TestAnArmThatIsAlwaysVoidIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
		if trial.Arm.Name == "cut" {
			trial.Record.Void = "late"
		}
		return measured(ctx, trial)
	})
	summary, printed, err := run(t, t.Context(), dir, 1, f)
	if err != nil || summary.Err() == nil {
		t.Fatalf("ended with %v, %v", err, summary.Err())
	}
	if cuts := len(f.made) - 4; cuts != 6 {
		t.Errorf("the arm was tried %d times: %v", cuts, f.made)
	}
	if !slices.Contains(printed, "E1 goes on without cut: it was void 6 times: late") {
		t.Errorf("printed %q", printed)
	}
}

func TestAnArmThatDoesNotStartIsLeftOutAndTheOthersGoOn(t *testing.T) {
	dir := t.TempDir()
	broken := func(ctx context.Context, trial *lab.Trial) error {
		if trial.Arm.Name == "cut" {
			return errors.New("no\nbroker  here")
		}
		return measured(ctx, trial)
	}
	f := newFake("E1", broken)
	summary, printed, err := run(t, t.Context(), dir, 1, f)
	if err != nil {
		t.Fatal(err)
	}
	if cuts := len(f.made) - 4; cuts != 2 {
		t.Errorf("the arm was tried %d times: %v", cuts, f.made)
	}
	want := "incomplete: E1 (missing 4 of 4 runs of cut (2 failed, 0 void, the last: no broker here))"
	if got := summary.Err(); got == nil || got.Error() != want {
		t.Errorf("ended with %v, want %s", got, want)
	}
	if !slices.Contains(printed, "E1 goes on without cut: it failed 2 times in a row: no broker here") {
		t.Errorf("printed %q", printed)
	}
	got := found(t, dir, f)[0]
	if !got.Incomplete || len(got.Failed) != 2 || len(got.Records["whole"]) != 4 {
		t.Errorf("incomplete %v, %d failed, %d runs", got.Incomplete, len(got.Failed), len(got.Records["whole"]))
	}
	if trials := files(t, filepath.Join(dir, "trials")); len(trials) != 2 {
		t.Errorf("the folders of failed runs are kept: %v", trials)
	}

	mended := newFake("E1", measured)
	complete(t, dir, mended)
	if len(mended.made) != 4 {
		t.Errorf("once it was mended, the runs made were %v", mended.made)
	}
}

func TestWithoutABaselineAnExperimentIsGivenUp(t *testing.T) {
	f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
		if trial.Arm.Name == "whole" {
			return errors.New("it fell")
		}
		return measured(ctx, trial)
	})
	next := newFake("E2", measured)
	summary, _, err := run(t, t.Context(), t.TempDir(), 1, f, next)
	if err != nil || len(summary.Incomplete) != 1 {
		t.Fatalf("ended with %v, %v", err, summary)
	}
	if len(f.made) > 4 || len(next.made) != 8 {
		t.Errorf("E1 made %v, E2 %v", f.made, next.made)
	}
}

func TestARunThatFailsOnceIsTriedOnceMore(t *testing.T) {
	failed := false
	f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
		if trial.Block == 3 && !failed {
			failed = true
			return errors.New("it fell")
		}
		return measured(ctx, trial)
	})
	dir := t.TempDir()
	complete(t, dir, f)
	if len(f.made) != 9 {
		t.Errorf("made %v", f.made)
	}
	if got := found(t, dir, f)[0]; got.Incomplete || len(got.Failed) != 1 {
		t.Errorf("incomplete %v, %d failed", got.Incomplete, len(got.Failed))
	}
}

func TestTheMethodsRulesVoidARun(t *testing.T) {
	spectra := func(late, response float64) map[string]lab.Spectrum {
		return map[string]lab.Spectrum{
			"scheduled/lateness": {Count: 1000, Milliseconds: map[string]float64{"99": late}},
			"all/response":       {Count: 1000, Milliseconds: map[string]float64{"50": response}},
		}
	}
	for name, c := range map[string]struct {
		record lab.Record
		void   string
	}{
		"in time": {lab.Record{Spectra: spectra(1.9, 5)}, ""},
		"those that cannot be late do not matter": {lab.Record{Spectra: map[string]lab.Spectrum{
			"scheduled/lateness": {Count: 300, Milliseconds: map[string]float64{"99": 2.1}}, "all/lateness": {Count: 1200, Milliseconds: map[string]float64{"99": 0.1}},
			"all/response": {Count: 1200, Milliseconds: map[string]float64{"50": 5}},
		}}, "the generator was late: p99 2.1 ms, where 2.0 ms is allowed"},
		"others did little":        {lab.Record{Others: map[string]lab.Others{"window": {Rest: 0.2}}}, ""},
		"others did much":          {lab.Record{Others: map[string]lab.Others{"window": {Rest: 0.21}}}, "others had 21 % of the machine"},
		"much was stolen":          {lab.Record{Others: map[string]lab.Others{"window": {Rest: -0.01, Stolen: 0.3}}}, "others had 30 % of the machine (30 % stolen by the hypervisor)"},
		"much in all":              {lab.Record{Others: map[string]lab.Others{"window": {Rest: 0.12, Stolen: 0.12}}}, "others had 24 % of the machine (12 % stolen by the hypervisor)"},
		"much in one part":         {lab.Record{Others: map[string]lab.Others{"first": {Rest: 0.01}, "second": {Rest: 0.5}}}, "others had 50 % of the machine in the part second"},
		"much beyond the knee":     {lab.Record{Others: map[string]lab.Others{"window": {Rest: 0.5}}, Overload: true}, "others had 50 % of the machine"},
		"much, as the usage tells": {lab.Record{Usage: usage.Window{Seconds: 10, Cores: 2, CPU: map[usage.Role]float64{usage.Rest: 5, usage.Modules: 15}}}, "others had 25 % of the machine"},
		"late":                     {lab.Record{Spectra: spectra(2.1, 5)}, "the generator was late: p99 2.1 ms, where 2.0 ms is allowed"},
		"late, but slow answers":   {lab.Record{Spectra: spectra(9, 100)}, ""},
		"too late even then":       {lab.Record{Spectra: spectra(11, 100)}, "the generator was late: p99 11.0 ms, where 10.0 ms is allowed"},
		"late beyond the knee":     {lab.Record{Spectra: spectra(500, 100), Overload: true}, ""},
		"one of 1,000 missed":      {lab.Record{Sends: 1000, Missed: 1}, ""},
		"two missed":               {lab.Record{Sends: 1000, Missed: 2}, "the generator missed 2 of 1000 sends"},
		"missed beyond the knee":   {lab.Record{Sends: 1000, Missed: 200, Overload: true}, ""},
		"wrong":                    {lab.Record{Violations: map[string]int{"I3": 1, "I1": 2}, Overload: true}, "violated I1, I3"},
		"no load at all":           {lab.Record{}, ""},
	} {
		f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
			trial.Record.Spectra, trial.Record.Sends, trial.Record.Missed = c.record.Spectra, c.record.Sends, c.record.Missed
			trial.Record.Overload, trial.Record.Violations = c.record.Overload, c.record.Violations
			trial.Record.Others, trial.Record.Usage = c.record.Others, c.record.Usage
			return measured(ctx, trial)
		})
		f.arms, f.runs = []string{"whole"}, map[string]int{"whole": 1}
		dir := t.TempDir()
		summary, _, err := run(t, t.Context(), dir, 1, f)
		if err != nil {
			t.Fatal(err)
		}
		got := found(t, dir, f)[0]
		if c.void == "" {
			if len(got.Void) > 0 || summary.Err() != nil {
				t.Errorf("%s: %v, %+v", name, summary.Err(), got.Void)
			}
			continue
		}
		if len(got.Void) != 3 || got.Void[0].Void != c.void {
			t.Errorf("%s: %d void, %+v", name, len(got.Void), got.Void)
		}
		if wrong := strings.HasPrefix(fmt.Sprint(summary.Err()), "invariants were violated in 3 of 3 runs of E1"); wrong != (c.record.Violations != nil) {
			t.Errorf("%s: ended with %v", name, summary.Err())
		}
	}
}

func TestARunIsDoubtedWhenOthersWereAtWork(t *testing.T) {
	f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
		trial.Record.Usage = usage.Window{Seconds: 10, Cores: 2, Stolen: 0.4, CPU: map[usage.Role]float64{usage.Rest: float64(trial.Block)}} // 7, 12, 17 and 22 %
		return measured(ctx, trial)
	})
	f.arms = []string{"whole"}
	dir := t.TempDir()
	_, printed, err := run(t, t.Context(), dir, 1, f)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(printed[2], ", but others had 12 % of the machine (2 % stolen by the hypervisor); 2 of 4") {
		t.Errorf("printed %q", printed[2])
	}
	got := found(t, dir, f)[0]
	var doubted []string
	for _, r := range got.Records["whole"] {
		doubted = append(doubted, r.Disturbed)
	}
	want := []string{"", "others had 12 % of the machine (2 % stolen by the hypervisor)", "others had 17 % of the machine (2 % stolen by the hypervisor)"}
	if !slices.Equal(doubted, want) || len(got.Void) != 3 {
		t.Errorf("doubted are %q, want %q; %d void, want the 3 of the last block", doubted, want, len(got.Void))
	}
	if share := got.Records["whole"][0].Others["window"]; math.Abs(share.Rest-0.05) > 1e-9 || math.Abs(share.Stolen-0.02) > 1e-9 {
		t.Errorf("kept is %+v", share)
	}
}

func TestProgressTellsTheHeadlineAndTheTimeLeft(t *testing.T) {
	printed := complete(t, t.TempDir(), newFake("E1", measured))
	if len(printed) != 9 || printed[0] != "8 runs to make; about 4 min" {
		t.Fatalf("printed %q", printed)
	}
	printed = printed[1:]
	for i, line := range printed {
		if !strings.HasPrefix(line, fmt.Sprintf("E1 block %d/4 ", i/2+1)) || !strings.Contains(line, ": CPU per order ") ||
			!strings.Contains(line, fmt.Sprintf(" ms; %d of 8", i+1)) || strings.HasSuffix(line, " left") != (i < 7) {
			t.Errorf("line %d: %s", i, line)
		}
	}
	// 7 runs of 30 s are left, but the first took no time, which halves what the estimates are worth.
	if !strings.HasSuffix(printed[0], " ms; 1 of 8, about 2 min left") {
		t.Errorf("printed %q", printed)
	}
}

func TestOnATerminalWhatHappensNowIsReplaced(t *testing.T) {
	var out strings.Builder
	p := lab.NewProgress(&out, true)
	p.Now(strings.Repeat("warm-up ", 20))
	p.Say("ended")
	p.Now("window")
	p.Clear()
	lines := strings.Split(out.String(), "\r\x1b[2K")
	if len(lines) != 3 || len([]rune(lines[0])) != 79 || lines[1] != "ended\nwindow" || lines[2] != "" {
		t.Errorf("wrote %q", out.String())
	}
}

func TestARunThatCannotBeKeptEndsAllInOneLine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "runs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFake("E1", measured)
	folder, experiments := open(t, dir, 1, f)
	defer folder.Close()
	runner := lab.Runner{Folder: folder, Experiments: experiments, Setting: setting, Progress: lab.NewProgress(&strings.Builder{}, false)}
	_, err := runner.Run(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "cannot keep a run: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("ended with %v", err)
	}
	if len(f.made) != 1 {
		t.Errorf("made %v", f.made)
	}
}

func TestWhatIsNoNumberIsLeftOutOfARecord(t *testing.T) {
	dir := t.TempDir()
	f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
		trial.Record.Series = map[string][]lab.Point{"rate": {{X: 1, Y: 2}, {X: 2, Y: math.NaN()}}}
		trial.Record.Steadiness = &lab.Steadiness{Ratio: math.NaN()}
		err := measured(ctx, trial)
		trial.Record.Values["errors"] = math.Inf(1)
		return err
	})
	complete(t, dir, f)
	got := found(t, dir, f)[0].Records["cut"][0]
	if names := slices.Sorted(maps.Keys(got.Values)); !slices.Equal(names, []string{"cpu_ms_per_order"}) {
		t.Errorf("values are %v", names)
	}
	if len(got.Series["rate"]) != 1 || got.Steadiness != nil {
		t.Errorf("series %v, steadiness %v", got.Series, got.Steadiness)
	}
}

func TestATrialHasAnEmptyFolderThatIsGoneAfterwards(t *testing.T) {
	dir := t.TempDir()
	f := newFake("E1", func(ctx context.Context, trial *lab.Trial) error {
		if entries, err := os.ReadDir(trial.Dir); err != nil || len(entries) > 0 {
			return fmt.Errorf("the folder holds %v, %w", entries, err)
		}
		if err := os.WriteFile(filepath.Join(trial.Dir, "data"), nil, 0o600); err != nil {
			return err
		}
		return measured(ctx, trial)
	})
	complete(t, dir, f)
	if names := files(t, dir); !slices.Equal(names, []string{"lock", "plan.json", "runs"}) {
		t.Errorf("left are %v", names)
	}
	if names := files(t, runsOf(dir, "E1")); len(names) != 8 || !slices.Contains(names, "01-1-cut-1.json") && !slices.Contains(names, "01-1-whole-1.json") {
		t.Errorf("runs are %v", names)
	}
}
