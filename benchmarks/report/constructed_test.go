package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/micro"
	"kerf/benchmarks/stats"
	"kerf/benchmarks/usage"
)

// Findings as the laboratory could have made them; the figures are invented, and only their kind and size are those of real ones.

var (
	total    = lab.Metric{Name: "total_ms_per_order", Label: "CPU per order", Unit: "ms", Headline: true}
	modules  = lab.Metric{Name: "cpu_ms_per_order", Label: "of that, modules", Unit: "ms", Headline: true}
	placed50 = lab.Metric{Name: "place_p50_ms", Label: "order placed, p50", Unit: "ms", Headline: true}
	placed99 = lab.Metric{Name: "place_p99_ms", Label: "order placed, p99", Unit: "ms"}
	approved = lab.Metric{Name: "approved_p50_ms", Label: "order approved, p50", Unit: "ms", Headline: true}
	pss      = lab.Metric{Name: "pss_mib", Label: "memory (PSS) of modules, broker and database", Unit: "MiB", Headline: true}
	rate     = lab.Metric{Name: "orders_per_second", Label: "orders placed", Unit: "1/s", Neutral: true}
	failed   = lab.Metric{Name: "errors_per_1000", Label: "failed requests of 1,000"}
	goodput  = lab.Metric{Name: "goodput", Label: "goodput while it was down", Unit: "1/s", More: true, Headline: true}
)

// shape is how an invented arm behaves, beside the monolith at 1.
type shape struct {
	cpu, latency, memory float64
	processes            []string
	broker, database     string
}

var nine = []string{"gateway", "orders", "restaurants", "consumers", "kitchen", "delivery", "accounting", "notifications", "tracking"}

var shapes = map[string]shape{
	"monolith":       {cpu: 1, latency: 1, memory: 1, processes: []string{"kerf"}},
	"split-kafka":    {cpu: 3.1, latency: 2.7, memory: 4.6, processes: nine, broker: "kafka"},
	"split-kafka-pg": {cpu: 3.9, latency: 3.4, memory: 5.2, processes: nine, broker: "kafka", database: "postgres"},
}

func shapeOf(arm string, i int) shape {
	if s, ok := shapes[arm]; ok {
		return s
	}
	k := 1 + float64(i)*0.35
	return shape{cpu: k, latency: k, memory: k, processes: nine[:min(1+i, 9)], broker: "kafka"}
}

// invent makes findings of an experiment with the given arms and runs.
func invent(e lab.Experiment, p lab.Profile, arms []lab.Arm, seed uint64) *lab.Findings {
	random := rand.New(rand.NewPCG(seed, 7))
	f := &lab.Findings{Experiment: e, Setting: lab.Setting{Profile: p, Kafka: true}, Arms: arms, Records: map[string][]lab.Record{}}
	for block := 1; block <= p.Runs; block++ {
		for i, arm := range arms {
			f.Records[arm.Name] = append(f.Records[arm.Name], inventRun(random, e, arm, shapeOf(arm.Name, i), block, i))
		}
	}
	conclude(f, random)
	return f
}

func inventRun(random *rand.Rand, e lab.Experiment, arm lab.Arm, s shape, block, position int) lab.Record {
	noise := func() float64 { return 1 + 0.03*random.NormFloat64() }
	n := int64(480 + random.IntN(40))
	r := lab.Record{Experiment: e.ID, Arm: arm.Name, Block: block, Position: position + 1, Attempt: 1, Seed: uint64(block), Version: "8d2f0c1",
		Started: time.Date(2026, 11, 24, 13, block*4, position*20, 0, time.UTC), Seconds: 24,
		Values: map[string]float64{}, Samples: map[string]int64{}, Spectra: map[string]lab.Spectrum{}, Series: map[string][]lab.Point{},
		Steadiness: &lab.Steadiness{Of: "cpu_ms_per_request", Ratio: noise(), Noise: 0.02, Steady: block%5 < 3, Noisy: block%5 == 4},
		Others:     map[string]lab.Others{"window": {Rest: 0.04 * noise(), Stolen: 0.001}},
		Facts: map[string]string{"fsync": "full", "log level": "info", "tracing": "off", "keep-alive": "on", "rate": "8 orders per second",
			"events": map[bool]string{true: "Apache Kafka 4.4.0", false: "in memory"}[s.broker != ""],
			"state":  map[bool]string{true: "PostgreSQL 17.2", false: "SQLite 3.51, one file for each module"}[s.database != ""],
			"calls":  map[bool]string{true: "gRPC on loopback, no TLS", false: "in process"}[len(s.processes) > 1]}}
	values := map[string]float64{total.Name: 9.2 * s.cpu, modules.Name: 8.1 * s.cpu, placed50.Name: 4.1 * s.latency, placed99.Name: 18 * s.latency,
		approved.Name: 11 * s.latency, pss.Name: 88 * s.memory, rate.Name: 8, failed.Name: 0, goodput.Name: 30 / s.cpu}
	for _, m := range e.Metrics {
		if v, ok := values[m.Name]; ok {
			r.Values[m.Name] = v * noise()
		}
	}
	r.Samples[placed50.Name], r.Samples[placed99.Name] = n, n
	r.Spectra["place/response"] = inventSpectrum(random, n, 4.1*s.latency)
	r.Spectra["place/service"] = inventSpectrum(random, n, 3.9*s.latency)
	r.Spectra["place/lateness"] = inventSpectrum(random, n, 0.08)
	r.Spectra["approved/response"] = inventSpectrum(random, n, 11*s.latency)
	r.Spectra["all/response"] = inventSpectrum(random, 4*n, 2.2*s.latency)
	for second := range 10 {
		x := float64(second)
		r.Series["place/p50"] = append(r.Series["place/p50"], lab.Point{X: x, Y: 4.1 * s.latency * noise()})
		r.Series["place/max"] = append(r.Series["place/max"], lab.Point{X: x, Y: 4.1 * s.latency * (2 + 6*random.Float64())})
		r.Series["cpu_ms_per_request"] = append(r.Series["cpu_ms_per_request"], lab.Point{X: x, Y: 0.9 * s.cpu * (1 + 0.1*random.NormFloat64())})
		r.Series["errors"] = append(r.Series["errors"], lab.Point{X: x})
	}
	r.Usage = inventUsage(s, noise)
	return r
}

func inventSpectrum(random *rand.Rand, n int64, median float64) lab.Spectrum {
	h := hdrhistogram.New(1, 2_000_000, 3)
	for range n {
		_ = h.RecordValue(int64(1000 * median * math.Exp(0.55*random.NormFloat64()+0.15*random.ExpFloat64())))
	}
	text, err := h.EncodeV2()
	if err != nil {
		panic(err)
	}
	return lab.Spectrum{Count: n, HDR: string(text)}
}

func inventUsage(s shape, noise func() float64) usage.Window {
	w := usage.Window{Seconds: 10, Cores: 2, CPU: map[usage.Role]float64{}, Stolen: 0.02}
	add := func(name string, role usage.Role, cpu, memory float64) {
		w.CPU[role] += cpu
		w.Processes = append(w.Processes, usage.Process{Name: name, Role: role, PID: 100 + len(w.Processes), CPU: cpu, PSS: memory, Threads: 11,
			VoluntarySwitches: int64(9000 * cpu), InvoluntarySwitches: 310, BytesRead: 4 << 20, BytesWritten: 3 << 20, DiskWritten: 2 << 20,
			Settings: map[string]string{"GOMAXPROCS": "2"}})
	}
	for i, name := range s.processes {
		share := 1 / float64(len(s.processes)) * (1.6 - 1.2*float64(i)/float64(len(s.processes)))
		add(name, usage.Modules, 0.65*s.cpu*share*noise(), (60+28*s.memory*share)*noise())
	}
	if s.broker != "" {
		add(s.broker, usage.Broker, 0.5*noise(), 380*noise())
	}
	if s.database != "" {
		add(s.database, usage.Database, 0.31*noise(), 120*noise())
	}
	add("benchmarks", usage.Generator, 0.16*noise(), 40)
	add("topology", usage.Launcher, 0.02*noise(), 22)
	w.CPU[usage.Rest] = 0.11 * noise()
	return w
}

// conclude makes results of the records, with intervals about as wide as real ones.
func conclude(f *lab.Findings, random *rand.Rand) {
	f.Results = nil
	valuesOf := func(arm, metric string) []float64 {
		var values []float64
		for _, r := range f.Records[arm] {
			if v, ok := r.Values[metric]; ok {
				values = append(values, v)
			}
		}
		return values
	}
	for _, m := range f.Experiment.Metrics {
		base := stats.Median(valuesOf(f.Arms[0].Name, m.Name))
		for i, arm := range f.Arms {
			values := valuesOf(arm.Name, m.Name)
			if len(values) == 0 {
				continue
			}
			r := lab.Result{Experiment: f.Experiment.ID, Arm: arm.Name, Metric: m.Name, Unit: m.Unit, N: len(values), Median: stats.Median(values),
				CILow: slices.Min(values), CIHigh: slices.Max(values), Values: values, Baseline: i == 0}
			if i > 0 && base > 0 {
				ratio := r.Median / base
				low, high := ratio*(0.95-0.02*random.Float64()), ratio*(1.04+0.02*random.Float64())
				r.Ratio, r.RatioCILow, r.RatioCIHigh = &ratio, &low, &high
				r.Different = (low > 1 || high < 1) && math.Abs(ratio-1) > 0.05
			}
			f.Results = append(f.Results, r)
		}
	}
}

func arm(name, label string) lab.Arm {
	return lab.Arm{Name: name, Label: label, Topology: "deploy/topologies/" + name + ".yaml"}
}

// inventReport is a whole report of a quick profile.
func inventReport() Input {
	findings := []*lab.Findings{inventNull(), inventTax(), inventOther(2, "ladder")}
	for i, title := range []string{"knee", "bus", "consistency window", "protocol", "format"} {
		findings = append(findings, inventOther(i+3, title))
	}
	return inventInput(append(findings, inventBlast())...)
}

// inventFew is a report of four of the experiments.
func inventFew() Input {
	return inventInput(inventNull(), inventTax(), inventOther(3, "knee"), inventBlast())
}

func inventInput(findings ...*lab.Findings) Input {
	return Input{Findings: findings, Command: "go run ./benchmarks run all -quick -seed 7 -out results/quick", Environment: inventEnvironment(),
		Benchmarks: []micro.Line{{Package: "kerf/platform/placement", Name: "LocalCall-2", Unit: "ns/op", N: 6, Median: 96.2, Low: 95.1, High: 101.4},
			{Package: "kerf/benchmarks/codec", Name: "Encode/json-2", Unit: "ns/op", N: 6, Median: 1453, Low: 1401, High: 1522}}}
}

func splits() []lab.Arm {
	return []lab.Arm{arm("monolith", "monolith: one process, events in memory, SQLite"), arm("split-kafka", "one process per module, Apache Kafka, SQLite"),
		arm("split-kafka-pg", "one process per module, Apache Kafka, PostgreSQL")}
}

func rungs() []lab.Arm {
	var arms []lab.Arm
	for i, name := range []string{"monolith", "two", "five", "nine"} {
		arms = append(arms, arm(name, plural(3*i, "module")+" of nine outside"))
	}
	return arms
}

func inventNull() *lab.Findings {
	p := lab.Quick
	p.Runs = 12
	f := invent(lab.Experiment{ID: "E0", Title: "null", Question: "Does the method lie?", Metrics: []lab.Metric{total, placed50, rate},
		Hypothesis: "Of 20 random splits of twelve equal runs at most one is told apart; a planted burn of 15 % CPU is found."}, p,
		[]lab.Arm{arm("monolith", "monolith"), {Name: "burn", Label: "the same, with 15 % of its CPU burned beside it", Topology: "deploy/topologies/monolith.yaml", Parameters: map[string]any{"burn": 0.15}}}, 1)
	f.Conclusion = lab.Conclusion{Outcome: lab.Supported, Verdict: "The method does not lie here: 0 of 20 random splits were told apart, and the planted burn of 15 % was found as 1.16× (1.13 to 1.19).",
		Tables: []lab.Table{{Title: "Twenty splits of twelve equal runs", Columns: []string{"split", "ratio", "95 % interval", "told apart"}, Rows: [][]string{{"1", "1.00×", "0.98–1.03", "no"}, {"2", "0.99×", "0.97–1.02", "no"}}}}}
	return f
}

func inventTax() *lab.Findings {
	f := invent(lab.Experiment{ID: "E1", Title: "tax", Question: "What does cutting the monolith into one process per module cost?",
		Metrics: []lab.Metric{total, modules, placed50, placed99, approved, pss, rate, failed}, Hypothesis: "2–5× CPU per order, 2–6× p50.",
		Published: []lab.Finding{{Source: "T2-Project", Found: "134 → 781 ms and 4.6× energy per order"},
			{Source: "Service Weaver (paper)", Found: "split : joined 7.0× median latency, 3.1× cores"}, {Source: "Ueda et al. 2016", Found: "−70 … −79 % throughput"}}}, lab.Quick, splits(), 2)
	f.Conclusion = lab.Conclusion{Outcome: lab.Supported, Verdict: "Cut into nine processes on Apache Kafka an order needs 3.10× (2.98 to 3.21) the CPU and 2.72× (2.6 to 2.8) the p50 of the monolith; on PostgreSQL 3.90× (3.7 to 4.1).",
		Remarks: []string{"Apache Kafka’s own CPU is a sixth of the split’s; at rest it uses 12 ms/s.", "Lateness stayed under 0.4 ms at p99 in all runs."}}
	void := inventRun(rand.New(rand.NewPCG(9, 9)), f.Experiment, f.Arms[1], shapes["split-kafka"], 4, 1)
	void.Void = "lateness p99 of 5.1 ms is over 2 ms"
	f.Void = append(f.Void, void)
	f.Records["split-kafka"][2].Errors = map[string]int64{"place: 503": 4, "place: deadline": 1}
	return f
}

func inventOther(id int, title string) *lab.Findings {
	arms := [][]lab.Arm{splits()[:2], splits(), rungs()}[id%3]
	f := invent(lab.Experiment{ID: fmt.Sprintf("E%d", id), Title: title, Question: "What does " + title + " change, and from which point on?",
		Hypothesis: "CPU grows with cut calls and events per order, not with the number of services.", Metrics: []lab.Metric{total, modules, placed50, placed99, approved, pss},
		Published: []lab.Finding{{Source: "Zhao 2025", Found: "+13 % J, +14 % ms fine versus coarse"}}}, lab.Quick, arms, uint64(id))
	f.Conclusion = lab.Conclusion{Outcome: []lab.Outcome{lab.Partly, lab.Refuted, lab.Supported, lab.Undecided}[id%4],
		Verdict: "CPU per order grows by 2.10 ms (1.9 to 2.3) for each cut call; the number of processes explains less."}
	if title == "knee" {
		f.Conclusion.Figures = []lab.Figure{inventKnee()}
	}
	return f
}

func inventBlast() *lab.Findings {
	f := invent(lab.Experiment{ID: "E9", Title: "blast radius", Question: "What still works while one process is down?", Hypothesis: "The monolith loses everything.",
		Metrics: []lab.Metric{goodput, failed}}, lab.Quick, splits(), 20)
	f.Conclusion = lab.Conclusion{Outcome: lab.Supported, Verdict: "While tracking was down, 96 % (94 to 98) of all other requests were answered; the monolith answered none for 1.40 s (1.3 to 1.5)."}
	f.Notes = []string{"RabbitMQ is not installed here: its arm is left out"}
	return f
}

func inventKnee() lab.Figure {
	curve := func(label string, knee float64) lab.Curve {
		c := lab.Curve{Label: label}
		for r := 10.0; r < knee*1.05; r += knee / 9 {
			y := 12 / (1 - math.Min(r/knee, 0.97))
			c.Points = append(c.Points, lab.Interval{X: r, Y: y, Low: y * 0.85, High: y * 1.2})
		}
		return c
	}
	return lab.Figure{Title: "p99 of placing an order against the rate", XLabel: "orders per second", YLabel: "p99, ms, logarithmic", LogY: true,
		Curves: []lab.Curve{curve("monolith", 140), curve("split-kafka", 52)}, Note: "Medians of 6 searches with their 95 % intervals.",
		Lines: []lab.Line{{Label: "objective: 250 ms", At: 250}, {Label: "knee: 131 /s", At: 131, Vertical: true}, {Label: "knee: 47 /s", At: 47, Vertical: true}}}
}

func inventEnvironment() lab.Environment {
	return lab.Environment{Schema: 1, Version: "8d2f0c1", Go: "go1.26.8", CPU: "AMD EPYC 7B13", Cores: 2, Memory: 7936, OS: "linux/amd64", Kernel: "6.1.0-39", Distribution: "Debian GNU/Linux 12",
		Filesystem: "ext4", Fsync: lab.Latency{N: 64, Median: 1.21, P99: 6.4}, Limits: map[string]string{"cpu.max": "200000 100000"}, Settings: map[string]string{"GOMAXPROCS": "2", "GOGC": "100"},
		Servers: map[string]string{"kafka": "4.4.0", "postgres": "17.2"},
		Sessions: []lab.Session{{Command: []string{"run", "all", "-quick", "-seed", "7"}, Started: time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC),
			Ended: time.Date(2026, 11, 24, 14, 1, 0, 0, time.UTC), Load: [3]float64{0.1, 0.3, 0.8}, Stolen: 0.012, End: "complete"}}}
}

// hostile is a text that breaks out of HTML, attributes, scripts and SVG wherever it is not escaped.
const hostile = `</title></svg></script><script>alert(1)</script><img src=x onerror=alert(2)>" onload="x' & \x00`

// odd are findings at the edges: one arm with one run, twelve arms, long and hostile names, ratios of thousands, nothing at all.
func odd() []*lab.Findings {
	usual := []lab.Metric{total, placed50, placed99, pss}
	single := invent(lab.Experiment{ID: "X1", Title: "one arm, one run", Question: "?", Metrics: usual}, lab.Profile{Name: "quick", Runs: 1}, []lab.Arm{arm("monolith", "monolith")}, 31)
	single.Records["monolith"][0].Spectra, single.Records["monolith"][0].Series = nil, nil
	many := make([]lab.Arm, 0, 12)
	for i := range 12 {
		many = append(many, arm(fmt.Sprintf("a-rather-long-name-of-an-arm-%d", i), "one process per module but for "+nine[i%9]+", which stays with orders and kitchen in one"))
	}
	twelve := invent(lab.Experiment{ID: "X2", Title: "twelve arms", Question: "Do twelve fit?", Metrics: usual}, lab.Profile{Name: "quick", Runs: 3}, many, 32)
	huge := invent(lab.Experiment{ID: "X3", Title: "huge ratios", Question: "Do ratios of thousands fit?", Metrics: usual}, lab.Quick, []lab.Arm{arm("monolith", ""), arm("other", ""), arm("third", "")}, 33)
	for i := range huge.Records["other"] {
		for name := range huge.Records["other"][i].Values {
			huge.Records["other"][i].Values[name] *= 4321
		}
		delete(huge.Records["third"][i].Values, placed99.Name)
	}
	conclude(huge, rand.New(rand.NewPCG(1, 2)))
	evil := invent(lab.Experiment{ID: "X4", Title: hostile, Question: hostile, Hypothesis: hostile, Metrics: []lab.Metric{{Name: total.Name, Label: hostile, Unit: hostile, Headline: true}},
		Published: []lab.Finding{{Source: hostile, Found: hostile}}}, lab.Quick, []lab.Arm{arm("monolith", hostile), arm(hostile, hostile)}, 34)
	evil.Conclusion = lab.Conclusion{Outcome: "nonsense", Verdict: hostile, Remarks: []string{hostile}, Tables: []lab.Table{{Title: hostile, Columns: []string{hostile}, Rows: [][]string{{hostile}}}},
		Figures: []lab.Figure{{Title: hostile, XLabel: hostile, YLabel: hostile, LogX: true, LogY: true, Curves: []lab.Curve{{Label: hostile, Points: []lab.Interval{{X: -1, Y: math.NaN()}, {X: 3, Y: 4, Low: math.Inf(-1), High: 5}}}},
			Lines: []lab.Line{{Label: hostile, At: 0}, {Label: hostile, At: 0, Vertical: true}}}}}
	evil.Records["monolith"][0].Errors = map[string]int64{hostile: 3}
	evil.Records["monolith"][0].Facts[hostile] = hostile
	evil.Failed = []lab.Record{{Experiment: "X4", Arm: hostile, Failed: hostile, Violations: map[string]int{"I3": 2}, Told: []string{hostile}}}
	empty := &lab.Findings{Experiment: lab.Experiment{ID: "X5", Title: "nothing", Question: "What if nothing was measured?", Metrics: usual}, Arms: []lab.Arm{arm("monolith", "monolith")}, Incomplete: true}
	return []*lab.Findings{single, twelve, huge, evil, empty}
}
