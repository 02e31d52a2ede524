package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
	"kerf/benchmarks/usage"
)

// The objective that the knee is about, and the share of orders that may miss it: the p99 of both has to keep it.
const (
	placeWithin    = 100 * time.Millisecond
	approvedWithin = 500 * time.Millisecond
	mayBeLate      = 0.01
)

// sweep is how many clients a closed loop has, one after another.
var sweep = []int{1, 2, 4, 8, 16, 32, 64}

var (
	kneeRate       = lab.Metric{Name: "knee_per_second", Label: "highest rate of orders within the objective", Unit: "1/s", More: true, Headline: true}
	peakRate       = lab.Metric{Name: "peak_per_second", Label: "most orders of a closed loop", Unit: "1/s", More: true, Headline: true}
	uslLambda      = lab.Metric{Name: "usl_lambda", Label: "orders of one client alone (λ)", Unit: "1/s", More: true}
	uslSigma       = lab.Metric{Name: "usl_sigma", Label: "contention (σ)", Neutral: true}
	uslKappa       = lab.Metric{Name: "usl_kappa", Label: "coherence (κ)", Neutral: true}
	generatorShare = lab.Metric{Name: "generator_share", Label: "generator's share of the CPU used, just below the knee", Neutral: true}
)

// knee is E3.
func knee() lab.Experiment {
	return lab.Experiment{
		ID: "E3", Title: "Knee",
		Question: fmt.Sprintf("Up to which rate of orders are 99 %% of them placed within %s and approved within %s, and how does throughput grow with clients?",
			placeWithin, approvedWithin),
		Hypothesis: "One process per module lowers the knee by 30 to 70 % on equal cores.",
		Published:  []lab.Finding{{Source: "Al-Debagy and Martinek, 2018", Found: "6 % less throughput as microservices than as a monolith, on average"}},
		Metrics: []lab.Metric{
			kneeRate, peakRate, uslLambda, uslSigma, uslKappa, nearKnee(totalPerOrder), nearKnee(modulesPerOrder), nearKnee(brokerPerOrder),
			generatorShare, nearKnee(latenessP99),
		},
		Arms: func(s lab.Setting) ([]lab.Arm, []string, error) {
			arms, notes, err := onKafka(s, splitKafka(s))
			return slices.Concat([]lab.Arm{monolith(s)}, arms, usersArms(s)), notes, err
		},
		Runs:     func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds:  func(p lab.Profile, arm lab.Arm) float64 { return startSeconds(arm) + 4.4*p.Window.Seconds() },
		Run:      findKnee,
		Conclude: concludeKnee,
	}
}

// nearKnee is a metric of the step with the highest rate that was borne. Each arm has its own, so CPU compares and latency would not.
func nearKnee(m lab.Metric) lab.Metric {
	m.Label, m.Headline = m.Label+", just below the knee", false
	return m
}

// startSeconds is about how long a topology takes to start, settle, be checked and stop.
func startSeconds(arm lab.Arm) float64 {
	if arm.Name == "monolith" {
		return 3
	}
	return 11
}

// kneeRun is one run of E3: on one stand, first a closed loop with more and more clients, which tells about where the knee is, then the search for it.
type kneeRun struct {
	*site
	record *lab.Record
	// best is the step with the highest rate that was borne.
	best     measured
	bestRate float64
}

func findKnee(ctx context.Context, t *lab.Trial) (err error) {
	s, err := open(ctx, t, drive{Speed: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	t.Record.Overload, t.Record.Curves = true, map[string][]lab.Point{}
	t.Record.Values = map[string]float64{}
	t.Record.Facts["load"] = fmt.Sprintf("closed loops of %d to %d clients; then open loops, whose rate is searched", sweep[0], sweep[len(sweep)-1])
	t.Record.Facts["mix"] = town.Ordering.Name
	t.Record.Facts["warm-up and window"] = fmt.Sprintf("a search's steps count %s each", t.Setting.Profile.Window*35/100)
	k := &kneeRun{site: s, record: t.Record}
	if err := k.warm(ctx); err != nil {
		return err
	}
	peak, err := k.sweep(ctx)
	if err != nil {
		return err
	}
	if err := k.search(ctx, peak); err != nil {
		return err
	}
	return s.finish(ctx, drive{})
}

// at is a load of orders; window is a share of the profile's.
func (k *kneeRun) at(d drive, window float64) drive {
	d.Mix, d.Warmup = town.Ordering, k.trial.Setting.Profile.Window/20
	d.Window = time.Duration(window * float64(k.trial.Setting.Profile.Window))
	return d
}

func (k *kneeRun) warm(ctx context.Context) error {
	d := k.at(drive{Clients: 16}, 0.1)
	d.Warmup = k.trial.Setting.Profile.Warmup * 3 / 5
	_, err := k.load(ctx, d)
	return err
}

// sweep measures the throughput of closed loops, in an order of chance, so that a server that still warms up is not taken for one that scales. It
// returns the highest.
func (k *kneeRun) sweep(ctx context.Context) (peak float64, err error) {
	clients := append([]int{}, sweep...)
	rand.New(rand.NewPCG(k.trial.Seed, 3)).Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
	for _, n := range clients {
		m, err := k.load(ctx, k.at(drive{Clients: n}, 0.15))
		if err != nil {
			return 0, err
		}
		throughput := float64(m.orders()) / m.Load.Seconds()
		k.note("clients", float64(n), throughput)
		peak = max(peak, throughput)
	}
	k.record.Values[peakRate.Name] = peak
	if law, err := fitUSL(k.record.Curves["clients"]); err == nil {
		k.record.Values[uslLambda.Name], k.record.Values[uslSigma.Name], k.record.Values[uslKappa.Name] = law.Lambda, law.Sigma, law.Kappa
	}
	return peak, nil
}

// search looks for the knee from somewhat below what a closed loop got: no queue is short at the peak.
func (k *kneeRun) search(ctx context.Context, peak float64) error {
	found, err := search{Begin: 0.7 * peak, Factor: 1.4, Near: 1.1, Steps: 6}.run(func(rate float64) (bool, error) {
		m, err := k.load(ctx, k.at(drive{Rate: rate}, 0.35))
		if err != nil {
			return false, err
		}
		return k.judge(ctx, rate, m)
	})
	if err != nil {
		return err
	}
	values, curves := k.record.Values, k.record.Curves
	k.best.fill(k.record)
	maps.Copy(k.record.Values, values)
	k.record.Curves = curves
	k.record.Series, k.record.Steadiness = nil, nil // of one short step
	if rate, ok := found.knee(); ok {
		k.record.Values[kneeRate.Name] = rate
	} else {
		k.record.Void = fmt.Sprintf("no knee between the rates that were tried, near %s orders/s", number(rate))
	}
	var busy float64
	for _, cpu := range k.best.Usage.CPU {
		busy += cpu
	}
	k.record.Values[generatorShare.Name] = k.best.Usage.CPU[usage.Generator] / busy
	return nil
}

// judge tells whether a step kept the objective, notes what it measured, and waits until nothing of it is left to be done in the next one.
func (k *kneeRun) judge(ctx context.Context, rate float64, m measured) (borne bool, err error) {
	place, approved := m.Load.Ops[string(town.Place)], m.Load.Ops[string(town.Approved)]
	if place.Response == nil || approved.Response == nil {
		return false, fmt.Errorf("at %s orders/s nothing was ordered: %w", number(rate), cmp.Or(m.Outcome.Failure, errors.New("the generator had no room")))
	}
	never := m.Load.Missed + m.Load.Ops[string(town.Quote)].Failed // orders that were not even sent
	lateOrders, lateApproved := never+late(place, placeWithin), never+late(approved, approvedWithin)
	borne = !tooMany(lateOrders, never+place.Count, mayBeLate) && !tooMany(lateApproved, never+approved.Count, mayBeLate)
	if borne && rate > k.bestRate {
		k.best, k.bestRate = m, rate
	} else if k.bestRate == 0 {
		k.best = m // better than nothing, until a step is borne
	}
	if ms, ok := load.Percentile(place.Response, 95); ok {
		k.note("place_p95", rate, ms)
	}
	if ms, ok := load.Percentile(approved.Response, 95); ok {
		k.note("approved_p95", rate, ms)
	}
	k.note("late", rate, float64(max(lateOrders, lateApproved))/float64(max(1, never+place.Count)))
	if lateness := m.Load.All().Lateness; lateness.TotalCount() > 0 {
		k.note("lateness_p99", rate, float64(lateness.ValueAtPercentile(99))/1000)
	}
	began := time.Now()
	quiet, cancel := context.WithTimeout(ctx, quietFor)
	defer cancel()
	if err := k.town.Quiet(quiet); err != nil && ctx.Err() != nil {
		return false, err // what does not come to rest by itself is told when the run ends
	}
	k.note("drain_seconds", rate, time.Since(began).Seconds())
	return borne, nil
}

func (k *kneeRun) note(curve string, x, y float64) {
	k.record.Curves[curve] = append(k.record.Curves[curve], lab.Point{X: x, Y: y})
}

// late counts the requests that took longer, or failed.
func late(op load.Op, than time.Duration) int64 {
	if op.Response == nil {
		return op.Count
	}
	return op.Count - op.Response.TotalCount() + above(op.Response, than)
}

// above counts the values of a histogram of microseconds that are longer than d, to its three digits.
func above(h *hdrhistogram.Histogram, d time.Duration) (count int64) {
	for _, bar := range h.Distribution() {
		if bar.From > d.Microseconds() {
			count += bar.Count
		}
	}
	return count
}
