package experiments

import (
	"math"
	"testing"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

func TestNumbersHaveThreeSignificantDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 7.4321: "7.43", 0.01234: "0.0123", 123.4: "123", 98765: "98765", -2.5: "-2.50", math.Inf(1): "+Inf", 0.00001: "0.0000"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

func TestABandIsDecidedByWholeIntervals(t *testing.T) {
	for r, want := range map[stats.Ratio]lab.Outcome{
		{Value: 3, Low: 2.5, High: 3.5}: lab.Supported, {Value: 6, Low: 5.5, High: 7}: lab.Refuted, {Value: 1.2, Low: 1.1, High: 1.3}: lab.Refuted,
		{Value: 4.9, Low: 4.5, High: 5.2}: lab.Undecided, {Value: 2.1, Low: 1.9, High: 2.3}: lab.Undecided, {Value: 3, Low: 1, High: 9}: lab.Undecided,
	} {
		if got := (band{2, 5}).judge(r); got != want {
			t.Errorf("%+v is %s, want %s", r, got, want)
		}
	}
}

func TestOutcomesTogether(t *testing.T) {
	for _, c := range []struct {
		of   []lab.Outcome
		want lab.Outcome
	}{
		{nil, lab.Undecided}, {[]lab.Outcome{lab.Undecided, lab.Undecided}, lab.Undecided}, {[]lab.Outcome{lab.Supported, lab.Supported}, lab.Supported},
		{[]lab.Outcome{lab.Supported, lab.Refuted}, lab.Partly}, {[]lab.Outcome{lab.Supported, lab.Undecided}, lab.Partly},
		{[]lab.Outcome{lab.Refuted, lab.Undecided}, lab.Undecided}, {[]lab.Outcome{lab.Refuted, lab.Partly, lab.Undecided}, lab.Partly},
		{[]lab.Outcome{lab.Refuted, lab.Refuted}, lab.Refuted},
	} {
		if got := together(c.of); got != c.want {
			t.Errorf("%v together are %s, want %s", c.of, got, c.want)
		}
	}
}

func TestTheForewordTellsWhatStoodInAndNotWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		f    lab.Findings
		want string
	}{
		"nothing":   {lab.Findings{}, ""},
		"stand-in":  {lab.Findings{Notes: []string{kfakeStandsIn}}, sentence(kfakeStandsIn) + ". "},
		"full stop": {lab.Findings{Notes: []string{"no broker.", noPostgres + "."}}, "No broker; " + noPostgres + ". "},
		"missing":   {lab.Findings{Incomplete: true, Notes: []string{"Incomplete: missing 3 of 6 runs of monolith."}}, ""},
		"both": {
			lab.Findings{Incomplete: true, Notes: []string{kfakeStandsIn, "Incomplete: missing 3 of 6 runs of monolith (at most 2.0 ms allowed)."}},
			sentence(kfakeStandsIn) + ". ",
		},
	} {
		if got := foreword(&c.f); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestFewRunsAreNamed(t *testing.T) {
	f := &lab.Findings{Records: map[string][]lab.Record{"a": make([]lab.Record, stats.Fewest), "b": make([]lab.Record, 1)}}

	if lacking(f, "a") || !lacking(f, "a", "b") || !lacking(f, "c") {
		t.Error("those that lack runs are others")
	}
	if got := soFar(f, "a"); got != "" {
		t.Errorf("got %q", got)
	}
	if got := soFar(f, "a", "b", "c"); got != "Undecided, since fewer than 5 runs count (b: 1, c: 0). " {
		t.Errorf("got %q", got)
	}
}
