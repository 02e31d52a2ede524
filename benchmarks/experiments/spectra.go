package experiments

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
)

// keep puts a distribution into the record.
func keep(record *lab.Record, name string, h *hdrhistogram.Histogram) {
	encoded, err := load.Encode(h)
	if err != nil || h.TotalCount() == 0 {
		return // a distribution that cannot be kept is missing in the report, and no reason to lose the run
	}
	if record.Spectra == nil {
		record.Spectra = map[string]lab.Spectrum{}
	}
	record.Spectra[name] = lab.Spectrum{Count: h.TotalCount(), HDR: encoded, Milliseconds: load.Percentiles(h)}
}

// costPerRequest is the series by which a run is found steady or not: a run is about CPU first, and arrivals come in bunches, so CPU by second has to
// be seen beside what was asked in that second.
const costPerRequest = "cpu_ms_per_request"

// series tells what happened second by second, and whether it had come to rest.
func (m measured) series(record *lab.Record) {
	record.Series = map[string][]lab.Point{}
	add := func(name string, second int, y float64) {
		record.Series[name] = append(record.Series[name], lab.Point{X: float64(second), Y: y})
	}
	var costs []float64
	for second, bin := range m.Load.All().Bins {
		add("requests", second, float64(bin.Count))
		add("errors", second, float64(bin.Failed))
		if second < len(m.Seconds) && bin.Ended > 0 {
			cost := 1000 * (m.Seconds[second] - before(m.Seconds, second)) / float64(bin.Ended)
			add(costPerRequest, second, cost)
			costs = append(costs, cost)
		}
	}
	for _, op := range []town.Op{town.Place, town.Approved} {
		for second, bin := range m.Load.Ops[string(op)].Bins {
			if bin.Response == nil {
				continue
			}
			add(string(op)+"/p50", second, float64(bin.Response.ValueAtPercentile(50))/1000)
			add(string(op)+"/max", second, float64(bin.Response.Max())/1000)
		}
	}
	if s, ok := load.Steady(costs); ok {
		record.Steadiness = &lab.Steadiness{Of: costPerRequest, Ratio: s.Ratio, Noise: s.Noise, Steady: s.Steady, Noisy: s.Noisy}
	}
}

// before is the value one second earlier; the first second begins at 0.
func before(seconds []float64, second int) float64 {
	if second == 0 {
		return 0
	}
	return seconds[second-1]
}
