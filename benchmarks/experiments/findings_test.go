package experiments

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// planted makes findings of runs whose values are known, with a little noise.
type planted struct {
	experiment lab.Experiment
	setting    lab.Setting
	noise      float64
	random     *rand.Rand
	records    map[string][]lab.Record
	started    time.Time
}

func plant(e lab.Experiment, s lab.Setting) *planted {
	return &planted{
		experiment: e, setting: s, noise: 0.01, random: rand.New(rand.NewPCG(1, 2)), records: map[string][]lab.Record{}, started: time.Unix(0, 0),
	}
}

var everything = lab.Setting{Profile: lab.Quick, Source: "../..", Kafka: true, RabbitMQ: true, Postgres: true}

// runs plants n runs of an arm.
func (p *planted) runs(arm string, n int, values map[string]float64) *planted {
	for block := range n {
		noisy := map[string]float64{}
		for _, metric := range slices.Sorted(maps.Keys(values)) {
			noisy[metric] = values[metric] * (1 + p.noise*p.random.NormFloat64())
		}
		p.started = p.started.Add(time.Second)
		p.records[arm] = append(p.records[arm], lab.Record{Arm: arm, Block: block + 1, Attempt: 1, Started: p.started, Values: noisy})
	}
	return p
}

// bare are findings without results, for a conclusion that looks at runs only.
func (p *planted) bare() *lab.Findings {
	arms, notes, err := p.experiment.Arms(p.setting)
	if err != nil {
		panic(err)
	}
	return &lab.Findings{Experiment: p.experiment, Setting: p.setting, Arms: arms, Records: p.records, Notes: notes}
}

// findings computes the results as the laboratory does, except for Holm's correction.
func (p *planted) findings() *lab.Findings {
	f := p.bare()
	arms := f.Arms
	for _, metric := range p.experiment.Metrics {
		for i, arm := range arms {
			var values []float64
			for _, r := range p.records[arm.Name] {
				if v, ok := r.Values[metric.Name]; ok {
					values = append(values, v)
				}
			}
			if len(values) == 0 {
				continue
			}
			r := lab.Result{Arm: arm.Name, Metric: metric.Name, Unit: metric.Unit, N: len(values), Median: stats.Median(values), Values: values, Baseline: i == 0}
			r.CILow, r.CIHigh = stats.Interval(values, 1)
			if blocks := blocksOf(p.records, metric.Name, arms[0].Name, arm.Name); i > 0 && len(blocks) > 0 {
				ratio := stats.Compare(blocks, 1)
				r.Ratio, r.RatioCILow, r.RatioCIHigh, r.Different = &ratio.Value, &ratio.Low, &ratio.High, ratio.Different
			}
			f.Results = append(f.Results, r)
		}
	}
	return f
}
