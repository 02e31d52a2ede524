package experiments

import (
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/lab"
)

// losses are those of an arm: of what needs its victim, and of all else.
func losses(arm lab.Arm, needing, spared float64) map[string]float64 {
	values := map[string]float64{lostAll.Name: (needing + spared) / 2, lostNeeded.Name: needing, lostSpared.Name: spared}
	for _, e := range watched {
		values[lostOf(e).Name] = spared
		if e.needsVictim(arm) {
			values[lostOf(e).Name] = needing
		}
	}
	if arm.Name == "monolith" {
		delete(values, lostSpared.Name)
	}
	return values
}

func killedRuns(t *testing.T, needing, spared float64) *lab.Findings {
	t.Helper()
	arms, _, err := blast().Arms(everything)
	if err != nil {
		t.Fatal(err)
	}
	p := plant(blast(), everything)
	for _, arm := range arms {
		p.runs(arm.Name, 6, losses(arm, needing, spared))
	}
	return p.findings()
}

func TestASplitThatSparesTheOthersSupportsTheHypothesis(t *testing.T) {
	c := blast().Conclude(killedRuns(t, 1.5, 0))
	if c.Outcome != lab.Supported || !strings.Contains(c.Verdict, "with kitchen killed") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	if rows := c.Tables[0].Rows; len(rows) != len(watched)+4 || !strings.HasSuffix(rows[0][1], "*") || strings.HasSuffix(rows[0][2], "*") || !strings.HasSuffix(rows[0][3], "*") {
		t.Errorf("search needs restaurants and not the kitchen: %q", rows[0])
	}
}

func TestASplitThatDragsTheOthersAlongSupportsItPartlyAtMost(t *testing.T) {
	if c := blast().Conclude(killedRuns(t, 1.5, 0.8)); c.Outcome != lab.Partly {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestWhenNothingIsLostByAnybodyTheMonolithsLossIsRefuted(t *testing.T) {
	if c := blast().Conclude(killedRuns(t, 0, 0)); c.Outcome != lab.Partly {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestAKilledBrokerThatNoEndpointNeedsIsJudgedByWhatTheyLose(t *testing.T) {
	full := everything
	full.Profile = lab.Full
	arms, _, err := blast().Arms(full)
	if err != nil {
		t.Fatal(err)
	}
	for lost, want := range map[float64]lab.Outcome{0: lab.Supported, 0.9: lab.Partly} {
		p := plant(blast(), full)
		for _, arm := range arms {
			values := losses(arm, 1.5, 0)
			switch victim(arm) {
			case "gateway":
				delete(values, lostSpared.Name)
			case broker:
				delete(values, lostNeeded.Name)
				values[lostSpared.Name] = lost
			}
			p.runs(arm.Name, 6, values)
		}
		c := blast().Conclude(p.findings())
		if c.Outcome != want || !strings.Contains(c.Verdict, "with broker killed, which none of them needs, they lose") {
			t.Errorf("%s: %s", c.Outcome, c.Verdict)
		}
	}
}

func TestAnArmWithFewRunsLeavesTheBlastUndecided(t *testing.T) {
	f := killedRuns(t, 1.5, 0)
	f.Records["kitchen-killed"] = f.Records["kitchen-killed"][:2]
	if c := blast().Conclude(f); c.Outcome != lab.Undecided || !strings.Contains(c.Verdict, "kitchen-killed: 2") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestWithoutRunsNoBlastIsJudged(t *testing.T) {
	for _, f := range []*lab.Findings{{}, plant(blast(), everything).findings()} {
		if c := blast().Conclude(f); c.Outcome != lab.Undecided || c.Verdict == "" {
			t.Errorf("%s: %s", c.Outcome, c.Verdict)
		}
	}
}

func TestEveryEndpointNeedsTheMonolithAndTheGateway(t *testing.T) {
	for _, e := range watched {
		for _, name := range []string{"kerf", "gateway"} {
			if !e.needsVictim(lab.Arm{Parameters: map[string]any{"kill": name}}) {
				t.Errorf("%s does not need %s", e.name, name)
			}
		}
	}
}

func TestAGeneratorThatWasLateBeforeTheKillVoidsTheRun(t *testing.T) {
	for lateness, want := range map[time.Duration]string{time.Millisecond: "", 8 * time.Millisecond: "before the kill: the generator was late"} {
		before := aStep(250, 10*time.Millisecond, lateness)
		k := &killing{site: &site{trial: &lab.Trial{Record: &lab.Record{Overload: true}}}, before: measured{Load: before.Load}}
		k.inTimeBefore()
		if void := k.trial.Record.Void; !strings.HasPrefix(void, want) || want == "" && void != "" {
			t.Errorf("%s late: void is %q", lateness, void)
		}
	}
}

func TestNoNameForMachinesIsShown(t *testing.T) {
	f := killedRuns(t, 1.5, 0)
	for name := range f.Records {
		for i := range f.Records[name] {
			f.Records[name][i].Series = map[string][]lab.Point{"made/whole_page": {{X: 1, Y: 1}}, "good/whole_page": {{X: 1, Y: 1}}}
		}
	}
	c := blast().Conclude(f)
	for _, figure := range c.Figures {
		for _, curve := range figure.Curves {
			if strings.Contains(curve.Label, "_") {
				t.Errorf("%s: %s", figure.Title, curve.Label)
			}
		}
	}
	for _, row := range c.Tables[0].Rows {
		if strings.Contains(row[0], "_") {
			t.Error(row[0])
		}
	}
}

func TestItIsToldWhyCallsWereNotMade(t *testing.T) {
	p := plant(blast(), everything)
	values := losses(lab.Arm{Name: "restaurants-killed"}, 2, 0)
	values[unreachable.Name], values[broken.Name] = 30, 0
	c := blast().Conclude(p.runs("restaurants-killed", 6, values).findings())
	if all := strings.Join(c.Remarks, "\n"); !strings.Contains(all, "no connection, 0 (0–0) because of an open breaker (medians, n = 6)") {
		t.Error(all)
	}
	if c := blast().Conclude(killedRuns(t, 1.5, 0)); strings.Contains(strings.Join(c.Remarks, "\n"), "breaker") {
		t.Error("nobody counted calls that were not made")
	}
}

func TestARunTellsWhatWasLost(t *testing.T) {
	g := newGoodput(time.Unix(1000, 0), bin)
	killed := g.began.Add(3 * time.Second)
	for offset := time.Duration(0); offset < 14*time.Second; offset += 100 * time.Millisecond {
		away := offset >= 3*time.Second && offset < 5*time.Second
		for _, e := range watched {
			g.note(e.name, g.began.Add(offset), !away || e.name != "ticket" && e.name != "approved" && e.name != "whole_page")
		}
	}
	trial := &lab.Trial{Arm: lab.Arm{Name: "kitchen-killed", Parameters: map[string]any{"kill": "kitchen"}}, Record: &lab.Record{}}
	k := &killing{site: &site{trial: trial}, goodput: g}

	k.fill(killed, killed.Add(1200*time.Millisecond), 10*time.Second)

	for metric, want := range map[string]float64{
		"lost_ticket_s": 2, "lost_approved_s": 2, "lost_search_s": 0, lostNeeded.Name: 2, lostSpared.Name: 0, lostAll.Name: 2.0 / 7, readyAfter.Name: 1.2,
	} {
		if got, ok := trial.Record.Values[metric]; !ok || got < want-0.001 || got > want+0.001 {
			t.Errorf("%s is %v, want %v", metric, got, want)
		}
	}
	if back := trial.Record.Values[backAfter.Name]; back < 1.9 || back > 2.1 {
		t.Errorf("back after %.2f s", back)
	}
	share := shareAround([]lab.Record{*trial.Record}, endpoint{name: "ticket"})
	for _, p := range share {
		if want := p.X < 0 || p.X > 2; (p.Y == 1) != want {
			t.Errorf("%+v", p)
		}
	}
	if len(share) != 14*4 {
		t.Errorf("%d quarters of a second", len(share))
	}
}
