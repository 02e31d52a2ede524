package lab

import (
	"math"
	"path/filepath"

	"kerf/benchmarks/stats"
)

// results computes what is known of each metric in each arm.
func results(f *Findings, planned Planned, seed uint64) []Result {
	var all []Result
	for _, m := range f.Experiment.Metrics {
		all = append(all, metric(f, planned, m, seed)...)
	}
	return all
}

// metric gives a result for each arm that has a value.
func metric(f *Findings, planned Planned, m Metric, seed uint64) []Result {
	var found []Result
	var compared []int // of found
	var pairs [][]stats.Block
	for i, arm := range f.Arms {
		values := f.values(arm.Name, m.Name)
		if len(values) == 0 {
			continue
		}
		r := Result{Experiment: f.Experiment.ID, Arm: arm.Name, Metric: m.Name, Unit: m.Unit, N: len(values), Values: values, Baseline: i == 0}
		r.Median = stats.Median(values)
		r.CILow, r.CIHigh = stats.Interval(values, seed)
		if i > 0 {
			compared = append(compared, len(found))
			pairs = append(pairs, f.pairs(planned, arm.Name, m.Name))
		}
		found = append(found, r)
	}
	for i, ratio := range stats.Holm(pairs, seed) {
		r := &found[compared[i]]
		r.Ratio, r.RatioCILow, r.RatioCIHigh = finite(ratio.Value), finite(ratio.Low), finite(ratio.High)
		r.Different = ratio.Different
	}
	return found
}

// finite is nil for what JSON cannot hold: there is no ratio to 0.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (f *Findings) values(arm, metric string) []float64 {
	var values []float64
	for _, r := range f.Records[arm] {
		if value, known := r.Values[metric]; known {
			values = append(values, value)
		}
	}
	return values
}

// pairs puts an arm's runs beside those of the baseline that were made at the same time: of the same block or, where one has fewer runs, of the
// blocks between two of its own.
func (f *Findings) pairs(planned Planned, arm, metric string) []stats.Block {
	baseline := f.Arms[0].Name
	blocks := planned.blocks()
	scarce := spread(min(planned.Runs[baseline], planned.Runs[arm]), blocks)
	if len(scarce) == 0 {
		return nil
	}
	group := func(block int) int {
		i := 0
		for i < len(scarce)-1 && scarce[i] < block {
			i++
		}
		return i
	}
	pairs := make([]stats.Block, len(scarce))
	for _, r := range f.Records[baseline] {
		if value, known := r.Values[metric]; known {
			p := &pairs[group(r.Block)]
			p.Baseline = append(p.Baseline, value)
		}
	}
	for _, r := range f.Records[arm] {
		if value, known := r.Values[metric]; known {
			p := &pairs[group(r.Block)]
			p.Arm = append(p.Arm, value)
		}
	}
	return pairs
}

// Results is results.json: what other programs read. benchmarks/README.md documents it.
type Results struct {
	Schema  int    `json:"schema"`
	Version string `json:"kerf"`
	Seed    uint64 `json:"seed"`
	// Complete says that no run of any experiment is missing.
	Complete    bool              `json:"complete"`
	Setting     Sheet             `json:"setting"`
	Environment Environment       `json:"environment"`
	Experiments []ExperimentSheet `json:"experiments"`
	Results     []Result          `json:"results"`
}

// ExperimentSheet is an experiment with its verdict.
type ExperimentSheet struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Question   string     `json:"question"`
	Hypothesis string     `json:"hypothesis"`
	Outcome    Outcome    `json:"outcome"`
	Verdict    string     `json:"verdict"`
	Remarks    []string   `json:"remarks,omitempty"`
	Notes      []string   `json:"notes,omitempty"`
	Complete   bool       `json:"complete"`
	Arms       []ArmSheet `json:"arms"`
	Void       int        `json:"void"`
	Failed     int        `json:"failed"`
	Violations int        `json:"violations"`
	// Disturbed are runs that count though others had much of the machine.
	Disturbed int `json:"disturbed"`
}

// ArmSheet is an arm in results.json.
type ArmSheet struct {
	Name       string         `json:"name"`
	Label      string         `json:"label"`
	Topology   string         `json:"topology,omitempty"`
	Kfake      bool           `json:"kfake,omitempty"`
	Config     map[string]any `json:"config,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Runs       int            `json:"runs"`
}

// WriteResults writes OUT/results.json.
func WriteResults(out string, found []*Findings, environment Environment) error {
	plan, err := ReadPlan(out)
	if err != nil {
		return err
	}
	all := Results{
		Schema: Schema, Version: plan.Version, Seed: plan.Seed, Complete: true, Setting: plan.Setting, Environment: environment, Results: []Result{},
	}
	for _, f := range found {
		all.Experiments = append(all.Experiments, f.sheet())
		all.Results = append(all.Results, f.Results...)
		all.Complete = all.Complete && !f.Incomplete
	}
	return write(filepath.Join(out, resultsFile), all)
}

func (f *Findings) sheet() ExperimentSheet {
	e, c := f.Experiment, f.Conclusion
	s := ExperimentSheet{
		ID: e.ID, Title: e.Title, Question: e.Question, Hypothesis: e.Hypothesis, Outcome: c.Outcome, Verdict: c.Verdict, Remarks: c.Remarks,
		Notes: f.Notes, Complete: !f.Incomplete, Void: len(f.Void), Failed: len(f.Failed),
	}
	for _, r := range f.Void {
		if len(r.Violations) > 0 {
			s.Violations++
		}
	}
	for _, arm := range f.Arms {
		for _, r := range f.Records[arm.Name] {
			if r.Disturbed != "" {
				s.Disturbed++
			}
		}
		s.Arms = append(s.Arms, ArmSheet{
			Name: arm.Name, Label: arm.Label, Topology: arm.Topology, Kfake: arm.Kfake, Config: arm.Config, Parameters: arm.Parameters,
			Runs: len(f.Records[arm.Name]),
		})
	}
	return s
}
