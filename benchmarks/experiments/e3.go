package experiments

import (
	"fmt"
	"slices"
	"time"

	"kerf/benchmarks/lab"
)

// The objective that the knee is about, and the share of orders that may miss it: the p99 of both has to keep it.
const (
	placeWithin    = 100 * time.Millisecond
	approvedWithin = 500 * time.Millisecond
	mayBeLate      = 0.01
	// fewestOrders is how many a step is judged by at least: a p99 takes so many. At a low rate its window is so much longer.
	fewestOrders = 300
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
		Question: fmt.Sprintf("Up to which rate of orders are 99 %% of them placed within %d ms and approved within %d ms, and how does throughput grow with clients?",
			placeWithin.Milliseconds(), approvedWithin.Milliseconds()),
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

// lowered is to what share of the monolith's a split was expected to lower the knee.
var lowered = band{0.3, 0.7}

// concludeKnee judges E3.
func concludeKnee(f *lab.Findings) lab.Conclusion {
	base, apart := resultOf(f, "monolith", kneeRate.Name), resultOf(f, "split-kafka", kneeRate.Name)
	ratio, ok := ratioOf(apart)
	if base == nil || !ok {
		c := undecided(f, "the knees of monolith and split are not both known")
		return kneeShown(f, c)
	}
	c := lab.Conclusion{Outcome: lowered.judge(ratio)}
	if c.Outcome == lab.Undecided && ratio.Different && ratio.High < 1 {
		c.Outcome = lab.Partly // lower it is; by how much is not certain enough
	}
	if lacking(f, "monolith", "split-kafka") {
		c.Outcome = lab.Undecided
	}
	c.Verdict = foreword(f) + soFar(f, "monolith", "split-kafka") + fmt.Sprintf("At least 99 %% of the orders are in time up to %s in the monolith and up to %s in a process per module: %s, n = %d.",
		perSecond(base), perSecond(apart), times(ratio), apart.N)
	return kneeShown(f, c)
}
