package report

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/net/html"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/micro"
	"kerf/benchmarks/usage"
)

// keep is a folder in which the invented reports are left, to be looked at.
var keep = flag.String("keep", "", "folder to leave the invented reports in")

func render(t *testing.T, in Input, name string) string {
	t.Helper()
	var page bytes.Buffer
	if err := Write(&page, in); err != nil {
		t.Fatal(err)
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, name), page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return page.String()
}

func parse(t *testing.T, page string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// all gives the elements of a name, with a class if one is named.
func all(n *html.Node, name, class string) (found []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (name == "" || d.Data == name) && (class == "" || slices.Contains(strings.Fields(attribute(d, "class")), class)) {
			found = append(found, d)
		}
	}
	return found
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func inside(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// balanced checks that each element is closed by its own end tag, as the parser that builds trees does not.
func balanced(page string) error {
	void := []string{"meta", "br", "col", "img", "link", "hr", "input"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				return fmt.Errorf("never closed: %v", open)
			}
			return nil
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return fmt.Errorf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestTheReportIsOneFileOfGoodHTML(t *testing.T) {
	page := render(t, inventReport(), "whole.html")
	if err := balanced(page); err != nil {
		t.Error(err)
	}
	if len(page) > 2<<20 {
		t.Errorf("%d bytes, want less than 2 MB", len(page))
	}
	ids := map[string]bool{}
	doc := parse(t, page)
	for _, n := range all(doc, "", "") {
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q is there twice", id)
			}
			ids[id] = true
		}
	}
	for _, a := range all(doc, "a", "") {
		if target, ok := strings.CutPrefix(attribute(a, "href"), "#"); ok && !ids[target] {
			t.Errorf("link to #%s leads nowhere", target)
		}
	}
	for _, svg := range all(doc, "svg", "chart") {
		if len(all(svg, "title", "")) == 0 {
			t.Error("a chart has no title")
		}
	}
}

// fewPage is rendered once for the tests that only read it.
var fewPage = sync.OnceValues(func() (string, error) {
	var page bytes.Buffer
	err := Write(&page, inventFew())
	return page.String(), err
})

func TestTheReportLoadsNothing(t *testing.T) {
	page, err := fewPage()
	if err != nil {
		t.Fatal(err)
	}
	doc := parse(t, page)
	for _, n := range all(doc, "", "") {
		for _, a := range n.Attr {
			outside := strings.Contains(a.Val, "//") || strings.HasPrefix(a.Val, "data:")
			if slices.Contains([]string{"src", "srcset", "data", "poster", "action", "background"}, a.Key) || a.Key == "href" && (outside || n.Data != "a") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	for _, loads := range []string{"@import", "url(", "@font-face", "fetch(", "XMLHttpRequest", "import("} {
		if strings.Contains(page, loads) {
			t.Errorf("the page contains %q", loads)
		}
	}
	if !strings.Contains(page, `href="results.json"`) {
		t.Error("there is no link to results.json")
	}
}

func TestThemesAndPaperAreProvidedFor(t *testing.T) {
	page, err := fewPage()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"@media screen and (prefers-color-scheme:dark)", "@media print", "@page", "size:A4", "break-inside:avoid", `name="viewport"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	// Dark paper would be printed black.
	if regexp.MustCompile(`@media\s*\(prefers-color-scheme`).MatchString(page) {
		t.Error("dark colours are not kept off paper")
	}
}

func TestEachResultStandsWithItsIntervalAndN(t *testing.T) {
	page, err := fewPage()
	if err != nil {
		t.Fatal(err)
	}
	in, doc := inventFew(), parse(t, page) // invented alike each time
	for _, f := range in.Findings {
		section := byID(doc, f.Experiment.ID)
		rows := map[string]int{}
		for _, row := range all(section, "tr", "") {
			if len(all(row, "td", "median")) == 0 {
				continue
			}
			n, _, _ := strings.Cut(strings.TrimPrefix(inside(all(row, "td", "n")[0]), "n "), " ")
			rows[strings.Join([]string{inside(all(row, "th", "arm")[0]), inside(all(row, "td", "median")[0]), inside(all(row, "td", "ci")[0]), n}, " | ")]++
		}
		for _, r := range f.Results {
			want := strings.Join([]string{r.Arm, number(r.Median), interval(r.CILow, r.CIHigh, r.Median), count(r.N)}, " | ")
			if rows[want] == 0 {
				t.Errorf("%s %s: no row %q", f.Experiment.ID, r.Metric, want)
			}
		}
		for _, figure := range all(section, "figure", "") {
			if len(all(figure, "svg", "chart")) > 0 && inside(all(figure, "figcaption", "")[0]) == "" {
				t.Errorf("%s has a figure without a caption", f.Experiment.ID)
			}
		}
	}
}

func TestArmsWithoutAFigureAreNamed(t *testing.T) {
	f := inventTax()
	for i := range f.Records["split-kafka"] {
		delete(f.Records["split-kafka"][i].Values, approved.Name)
	}
	f.Results = slices.DeleteFunc(f.Results, func(r lab.Result) bool { return r.Arm == "split-kafka" && r.Metric == approved.Name })
	doc := parse(t, render(t, Input{Findings: []*lab.Findings{f}}, "without.html"))
	rows := all(byID(doc, "E1"), "tr", "without")
	if len(rows) != 1 || inside(rows[0]) != "no figure for split-kafka" {
		t.Errorf("%d arms are named as without a figure, want split-kafka", len(rows))
	}
}

func byID(doc *html.Node, id string) *html.Node {
	for _, n := range all(doc, "", "") {
		if attribute(n, "id") == id {
			return n
		}
	}
	return nil
}

func TestTheVerdictsComeFirstAndE0Before(t *testing.T) {
	in := inventFew()
	slices.Reverse(in.Findings)
	doc := parse(t, render(t, in, "reversed.html"))
	verdicts := all(byID(doc, "verdicts"), "li", "")
	if len(verdicts) != len(in.Findings) || !strings.HasPrefix(inside(verdicts[0]), "E0 Null Does the method lie?✓ supported The method does not lie") {
		t.Errorf("the first of %d verdicts is %q", len(verdicts), inside(verdicts[0]))
	}
	page := inside(all(doc, "body", "")[0])
	if strings.Index(page, "Verdicts") > strings.Index(page, "Summary") || strings.Contains(page, "report is partial") {
		t.Error("the verdicts do not come first, or a whole report calls itself partial")
	}
}

func TestAPartialReportSaysSoFirst(t *testing.T) {
	in := inventFew()
	in.Findings = in.Findings[1:]
	in.Findings[1].Incomplete = true
	doc := parse(t, render(t, in, "partial.html"))
	text := inside(all(doc, "body", "")[0])
	want := "This report is partial: E0, which tells whether the method can be believed, is missing; E3 was cut short."
	if !strings.HasPrefix(text, want) {
		t.Errorf("the report begins %q", text[:200])
	}
	first := inside(all(byID(doc, "verdicts"), "li", "")[0])
	if !strings.Contains(first, "E0 was not run") {
		t.Errorf("the first verdict is %q", first)
	}
}

func TestWhatWasReplacedBrokenVoidOrFailedIsSaid(t *testing.T) {
	in := inventFew()
	in.Findings[1].Arms[1].Kfake = true
	in.Findings[1].Failed = append(in.Findings[1].Failed, lab.Record{Experiment: "E1", Arm: "split-kafka", Block: 5, Failed: "kitchen exited: address in use"})
	in.Findings[1].Void = append(in.Findings[1].Void, lab.Record{Experiment: "E1", Arm: "monolith", Block: 6, Void: "an invariant was broken", Violations: map[string]int{"I3": 2}})
	doc := parse(t, render(t, in, "doubts.html"))
	doubts := inside(all(doc, "dl", "doubts")[0])
	for _, want := range []string{"2 void, 1 failed", "Invariants were broken: I3 in 1 run", "stood in for Apache Kafka in E1 split-kafka", "E9: RabbitMQ is not installed here", "Two cores favour the monolith", "did not, and"} {
		if !strings.Contains(doubts, want) {
			t.Errorf("%q is missing in %q", want, doubts)
		}
	}
	section := inside(byID(doc, "E1"))
	for _, want := range []string{"kfake stands in", "lateness p99 of 5.1 ms is over 2 ms", "kitchen exited: address in use", "I3 broken 2 times", "place: 503"} {
		if !strings.Contains(section, want) {
			t.Errorf("%q is missing in the section", want)
		}
	}
	if crossed := all(byID(doc, "E1"), "g", "void"); len(crossed) == 0 {
		t.Error("no void run is crossed out in the charts")
	}
}

func TestRunsThatOthersDisturbedAndUnsteadyOnesAreCounted(t *testing.T) {
	f := inventTax()
	for i, state := range []lab.Steadiness{{Steady: true}, {Steady: true}, {}, {Noisy: true}, {Noisy: true}, {Noisy: true}} {
		for _, arm := range f.Arms[:2] {
			f.Records[arm.Name][i].Steadiness = &state
		}
		f.Records["split-kafka-pg"][i].Steadiness = nil
	}
	said := func() (text string) {
		for _, d := range doubts(Input{Findings: []*lab.Findings{f}}) {
			text += d.Text + "\n"
		}
		return strings.ReplaceAll(text, nbsp, " ")
	}
	if text := said(); !strings.Contains(text, "had 4.1 % in the median run") || strings.Contains(text, "doubt what rests") {
		t.Errorf("without disturbance: %s", text)
	}
	r := &f.Records["split-kafka"][4]
	r.Others, r.Disturbed = map[string]lab.Others{"window": {Rest: 0.13, Stolen: 0.02}}, "others had 15 % of the machine"
	f.Records["split-kafka"][5].Others = nil
	text := said()
	for _, want := range []string{"and 15.0 % at most", "They had over 10 % in 1 run: doubt what rests on it", "Of 1 run it is not known",
		"Of 12 runs that were judged 4 came to a steady state, 2 did not, and 6 were too noisy to tell"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	for i, want := range []string{"2\u00a0steady, 1\u00a0not, 3\u00a0too noisy", "2\u00a0steady, 1\u00a0not, 3\u00a0too noisy", missing} {
		if row := newArmRow(f, i, f.Arms[i]); row.Steadiness != want || row.Disturbed != b2i(i == 1) {
			t.Errorf("%s: %+v, want %q", row.Name, row, want)
		}
	}
}

func TestOneRunIsOne(t *testing.T) {
	f := invent(lab.Experiment{ID: "E0", Title: "null", Metrics: []lab.Metric{total}}, lab.Profile{Name: "quick", Runs: 1}, []lab.Arm{arm("monolith", "monolith")}, 3)
	f.Failed = []lab.Record{{Arm: "monolith", Violations: map[string]int{"I3": 1}}}
	page := inside(parse(t, render(t, Input{Findings: []*lab.Findings{f}}, "one.html")))
	for _, want := range []string{"1 run counts; 0 void", "1 arm, 1 run that counts", "The one run that was judged came to a steady state", "1 run, 0 void", "I3 broken 1 time"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if at := regexp.MustCompile(`\b1 (runs|times|arms)\b`).FindStringIndex(page); at != nil {
		t.Errorf("one of many: %s", page[max(0, at[0]-60):at[1]+20])
	}
}

func TestTheDateSpansAllSessions(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC) }
	run := lab.Record{Started: at(24, 14, 10), Seconds: 60}
	for name, c := range map[string]struct {
		in   Input
		want string
	}{
		"sessions about runs": {Input{Findings: []*lab.Findings{{Records: map[string][]lab.Record{"a": {run}}}}, Environment: lab.Environment{Sessions: []lab.Session{
			{Started: at(24, 14, 0), Ended: at(24, 14, 30)}, {Started: at(25, 9, 0), Ended: at(25, 10, 5)},
		}}}, "24 November 2026, 14:00 to 25 November, 10:05 UTC"},
		"a session that goes on": {Input{Findings: []*lab.Findings{{Records: map[string][]lab.Record{"a": {run}}}}, Environment: lab.Environment{
			Sessions: []lab.Session{{Started: at(24, 14, 0)}}}}, "24 November 2026, 14:00–14:11 UTC"},
		"only void runs": {Input{Findings: []*lab.Findings{{Void: []lab.Record{run}}}}, "24 November 2026, 14:10–14:11 UTC"},
		"nothing":        {Input{}, "no run was made"},
	} {
		if got := made(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHostileAndOddFindingsStayText(t *testing.T) {
	page := render(t, Input{Findings: odd(), Command: hostile, Micro: []string{hostile}, Environment: lab.Environment{CPU: hostile, Version: hostile}}, "odd.html")
	if err := balanced(page); err != nil {
		t.Error(err)
	}
	doc := parse(t, page)
	if scripts := all(doc, "script", ""); len(scripts) != 1 || strings.Contains(inside(scripts[0]), "alert") {
		t.Errorf("%d scripts", len(scripts))
	}
	for _, n := range all(doc, "", "") {
		if n.Data == "img" {
			t.Error("an image was smuggled in")
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	for _, bad := range []string{"NaN", "Inf", "%!", "ZgotmplZ"} {
		if at := strings.Index(page, bad); at >= 0 {
			t.Errorf("the page contains %q: …%s…", bad, page[max(0, at-80):at+20])
		}
	}
}

func TestAReportOfNothingIsAReport(t *testing.T) {
	page := render(t, Input{}, "empty.html")
	if err := balanced(page); err != nil || !strings.Contains(page, "nothing was measured") {
		t.Errorf("%v in %s", err, page[len(page)-500:])
	}
}

func TestSpectraPoolRunsAndEndWhereObservationsDo(t *testing.T) {
	run := func(n int64, ms float64) lab.Record {
		h := hdrhistogram.New(1, 60_000_000, 3)
		_ = h.RecordValues(int64(1000*ms), n)
		text, err := h.EncodeV2()
		if err != nil {
			t.Fatal(err)
		}
		return lab.Record{Spectra: map[string]lab.Spectrum{"place/response": {Count: n, HDR: string(text)}}}
	}
	f := &lab.Findings{Arms: []lab.Arm{{Name: "a"}, {Name: "b"}}, Records: map[string][]lab.Record{"a": {run(100, 1), run(300, 8)}, "b": {run(20, 4), {Spectra: map[string]lab.Spectrum{"place/response": {HDR: "?"}}}}}}
	figures, table := spectra(f)
	if len(figures) != 1 || strings.Count(string(figures[0].Panels[0].SVG), `class="line"`) != 1 {
		t.Errorf("want one curve: b has too few observations: %v", figures)
	}
	if len(table.Rows) != 2 || !slices.Equal(table.Rows[0], []string{"place, response time", "a", "400", "2", "8.00", "8.00", "8.00", missing, "8.00"}) {
		t.Errorf("pooled: %q", table.Rows)
	}
	if len(table.Rows) == 2 && table.Rows[1][4] != missing {
		t.Errorf("a median of 20 observations: %q", table.Rows[1])
	}
	for n, want := range map[int64]string{30: "50 90", 299: "50 90", 300: "50 90 99", 3000: "50 90 99 99.9"} {
		var got []string
		for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
			if allows(n, q) {
				got = append(got, fmt.Sprintf("%g", math.Round(1e5*q)/1e3))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d observations allow %v, want %s", n, got, want)
		}
	}
}

func TestUsageIsAMeanOfRunsByRoleAndProcess(t *testing.T) {
	run := func(cpu float64) lab.Record {
		return lab.Record{Values: map[string]float64{ordersPerSecond: 8}, Usage: usage.Window{Seconds: 10, Cores: 2, CPU: map[usage.Role]float64{usage.Modules: cpu, usage.Rest: 0.4},
			Processes: []usage.Process{{Name: "kerf", Role: usage.Modules, CPU: cpu, PSS: 100 * cpu}}}}
	}
	f := &lab.Findings{Arms: []lab.Arm{{Name: "monolith"}}, Records: map[string][]lab.Record{"monolith": {run(0.8), run(1.2)}}}
	all := consumptions(f)
	if len(all) != 1 || len(all[0].processes) != 2 {
		t.Fatalf("%+v", all)
	}
	kerf, rest := all[0].processes[0], all[0].processes[1]
	if !all[0].perOrder || math.Abs(kerf.cpu-12.5) > 1e-9 || math.Abs(kerf.pss-100) > 1e-9 || math.Abs(rest.cpu-5) > 1e-9 {
		t.Errorf("per order: %v, kerf %+v, rest %+v; want 12.5 ms, 100 MiB and 5 ms", all[0].perOrder, kerf, rest)
	}
}

func TestDifferencesOfFactsAreMarked(t *testing.T) {
	sheet := fair(inventFew().Findings)
	if !slices.Contains(sheet.Everywhere, fact{"fsync", "full"}) {
		t.Errorf("the same everywhere: %v", sheet.Everywhere)
	}
	i := slices.IndexFunc(sheet.Experiments, func(e fairExperiment) bool { return e.ID == "E1" })
	d := differenceOf(&lab.Findings{Arms: []lab.Arm{{Name: "a"}, {Name: "b"}}}, "TLS", []string{"", "mutual"})
	if !d.Partly() || len(d.Values[0].Arms) != 1 || d.Values[0].Arms[0].Name != "b" {
		t.Errorf("a fact that one arm has nothing of: %+v", d)
	}
	j := slices.IndexFunc(sheet.Experiments[i].Different, func(d difference) bool { return d.Name == "state" })
	if j < 0 || len(sheet.Experiments[i].Different[j].Values) != 2 || len(sheet.Experiments[i].Different[j].Values[0].Arms) != 2 {
		t.Errorf("E1 differs in %+v", sheet.Experiments[i].Different)
	}
}

func TestRatiosAreJudged(t *testing.T) {
	for _, c := range []struct {
		metric    lab.Metric
		ratio     float64
		different bool
		want      string
	}{
		{lab.Metric{}, 2, true, "worse"}, {lab.Metric{}, 0.5, true, "better"}, {lab.Metric{More: true}, 2, true, "better"}, {lab.Metric{More: true}, 0.5, true, "worse"},
		{lab.Metric{Neutral: true}, 2, true, "more"}, {lab.Metric{Neutral: true}, 0.5, true, "less"}, {lab.Metric{}, 2, false, "not told apart"},
	} {
		if got, _ := judge(c.metric, lab.Result{Ratio: &c.ratio, Different: c.different}); got != c.want {
			t.Errorf("%+v at %v is %q, want %q", c.metric, c.ratio, got, c.want)
		}
	}
}

func TestNumbersAreForReaders(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 7.2149: "7.21", 72.149: "72.1", 721.49: "721", 7214.9: "7210", 72149: "72\u202f100", 0.012345: "0.0123", -3.14159: "−3.14",
		9.996: "10.0", 999.6: "1000", 1e6: "1\u202f000\u202f000", math.NaN(): missing, math.Inf(-1): "−∞"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	for _, c := range []struct {
		low, high, of float64
		want          string
	}{{6.9, 7.5, 7.21, "6.90–7.50"}, {-3, 4, 0.5, "−3.000 to 4.000"}, {0.93, 1.034, 0.987, "0.930–1.034"}, {0, 0, 0, "0–0"}, {1180, 1260, 1215, "1180–1260"}} {
		if got := interval(c.low, c.high, c.of); got != c.want {
			t.Errorf("interval(%v, %v, %v) = %q, want %q", c.low, c.high, c.of, got, c.want)
		}
	}
	for d, want := range map[time.Duration]string{47 * time.Second: "47\u00a0s", 12 * time.Minute: "12\u00a0min", 125 * time.Minute: "2\u00a0h 5\u00a0min"} {
		if got := lasted(d); got != want {
			t.Errorf("lasted(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestCurvesOfArmsHaveTheirColoursAndNames(t *testing.T) {
	f := &lab.Findings{Arms: []lab.Arm{{Name: "monolith", Label: "one process"}, {Name: "split", Label: "one process per module"}}}
	for label, want := range map[string]struct {
		series int
		short  string
	}{"one process": {0, "monolith"}, "one process per module: the law": {1, "split: the law"}, "split": {1, "split"}, "browse": {-1, "browse"}} {
		if series, short := armOf(f, label); series != want.series || short != want.short {
			t.Errorf("%q is series %d and called %q, want %d and %q", label, series, short, want.series, want.short)
		}
	}
}

func TestAMicroBenchmarkIsOneRow(t *testing.T) {
	table := quoted([]micro.Line{{Package: "kerf/a", Name: "X-2", Unit: "ns/op", N: 6, Median: 1453, Low: 1401, High: 1522}, {Package: "kerf/a", Name: "X-2", Unit: "B/op", N: 6, Median: 16, Low: 16, High: 16},
		{Package: "kerf/a", Name: "X-2", Unit: "B/event", N: 6, Median: 181, Low: 181, High: 181}, {Package: "kerf/b", Name: "X-2", Unit: "ns/op", N: 6, Median: 2, Low: 1, High: 3}})
	if len(table.Rows) != 2 || !slices.Equal(table.Rows[0], []string{"a", "X-2", "6", "1450 (1400–1520)", "16.0", "", "181 B/event"}) {
		t.Errorf("%q", table.Rows)
	}
}

func TestManyLongCurvesGetPanelsOfTheirOwn(t *testing.T) {
	f := &lab.Findings{Arms: []lab.Arm{{Name: "monolith"}}}
	fig := lab.Figure{Title: "goodput"}
	for i := range 6 {
		c := lab.Curve{Label: fmt.Sprintf("endpoint %d", i)}
		for x := range 40 {
			c.Points = append(c.Points, lab.Interval{X: float64(x), Y: 1, Low: 0.9, High: 1})
		}
		fig.Curves = append(fig.Curves, c)
	}
	drawn, ok := plane(f, fig)
	if !ok || !drawn.Wide || len(drawn.Panels) != 6 || drawn.Panels[5].Title != "endpoint 5" {
		t.Errorf("%d panels", len(drawn.Panels))
	}
	fig.Curves = fig.Curves[:2]
	if drawn, _ = plane(f, fig); len(drawn.Panels) != 1 || !strings.Contains(string(drawn.Panels[0].SVG), "band") {
		t.Errorf("two long curves: %d panels, want one with bands", len(drawn.Panels))
	}
}
