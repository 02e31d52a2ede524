package experiments

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kerf/benchmarks/lab"
)

// How E9 asks. Each endpoint is asked at its own instants, whatever becomes of the others: in a journey of several requests the first that fails
// would keep the later ones from being made.
const (
	// askRate is in requests per second and endpoint.
	askRate = 12
	// inTime is how soon a good answer comes; the clients give up then.
	inTime = time.Second
	// askers bound the requests on their way: more than come in the time after which all are given up.
	askers = 160
	// looked is how many orders there are to look at.
	looked = 48
	bin    = 100 * time.Millisecond
	// moreKills is how many of the victim's next starts are killed, too. The topology doubles its pause before each, from 0.1 s on, so that the victim is away for
	// nearly two seconds, as if it had to be started elsewhere. Killed once it is back after some 0.3 s: three requests of an endpoint, or four.
	moreKills = 3
	// downAtMost bounds that.
	downAtMost = 20 * time.Second
	// lossesFor is how long after the kill losses are counted.
	lossesFor = 10 * time.Second
)

// endpoint is something that a client asks for, and which modules have to answer for that.
type endpoint struct {
	name  string
	needs []string
}

// endpoints are what is asked. All need the gateway.
var endpoints = []endpoint{
	{"search", []string{"restaurants"}},
	{"quote", []string{"restaurants"}},
	{"place", []string{"orders", "restaurants", "consumers"}},
	{"page", []string{"orders"}}, // the parts of others may be missing
	{"tracking", []string{"tracking"}},
	{"ticket", []string{"kitchen"}},
	{"courier", []string{"delivery"}},
}

// label is the name for readers.
func (e endpoint) label() string { return strings.ReplaceAll(e.name, "_", " ") }

// approvals is what becomes of the orders that are placed: the saga calls the kitchen and accounting, and tracking hears of it by the broker.
var approvals = endpoint{"approved", []string{"orders", "restaurants", "consumers", "kitchen", "accounting", "tracking", broker}}

// wholePage is the page with nothing missing.
var wholePage = endpoint{"whole_page", []string{"orders", "kitchen", "delivery", "accounting"}}

// watched are all of which goodput is told. The last two come of the same requests as place and page, so means are over the endpoints only.
var watched = append(slices.Clone(endpoints), approvals, wholePage)

var (
	lostAll    = lab.Metric{Name: "lost_s", Label: "lost of ten seconds after the kill, mean over the seven endpoints", Unit: "s", Headline: true}
	lostSpared = lab.Metric{Name: "lost_spared_s", Label: "lost, endpoints that do not need what was killed", Unit: "s", Headline: true}
	lostNeeded = lab.Metric{Name: "lost_needing_s", Label: "lost, endpoints that need what was killed", Unit: "s", Headline: true}
	backAfter  = lab.Metric{Name: "back_s", Label: "all endpoints back to 95 % of before", Unit: "s", Headline: true}
	readyAfter = lab.Metric{Name: "ready_s", Label: "killed process ready again", Unit: "s"}
	// What processes counted that lived on: calls that they gave up because they had no connection, or because a breaker was open.
	unreachable = lab.Metric{Name: "calls_unreachable", Label: "calls between modules not made for want of a connection", Neutral: true}
	broken      = lab.Metric{Name: "calls_circuit_open", Label: "calls between modules not made because of an open breaker", Neutral: true}
)

// lostOf is the metric of one endpoint.
func lostOf(e endpoint) lab.Metric {
	return lab.Metric{Name: "lost_" + e.name + "_s", Label: "lost: " + e.label(), Unit: "s"}
}

// blast is E9, in its simplest form.
func blast() lab.Experiment {
	metrics := []lab.Metric{lostAll, lostSpared, lostNeeded, backAfter, readyAfter, unreachable, broken}
	for _, e := range watched {
		metrics = append(metrics, lostOf(e))
	}
	return lab.Experiment{
		ID: "E9", Title: "Blast radius",
		Question:   "A process is killed and is away for two seconds: which requests fail, for how long?",
		Hypothesis: "The monolith loses everything until it is back; a split loses what needs the dead process in the same moment, and nothing else.",
		Published:  []lab.Finding{{Source: "arXiv 2506.11176, 2025", Found: "blast radius of a failure in a graph of services: 0.161 predicted, 0.186 observed"}},
		Metrics:    metrics,
		Arms:       blastArms,
		Runs:       func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, arm lab.Arm) float64 {
			return startSeconds(arm) + 3 + (beforeKill(p) + afterKill(p)).Seconds()
		},
		Run:      killOne,
		Conclude: concludeBlast,
	}
}

func beforeKill(p lab.Profile) time.Duration { return p.Window * 3 / 10 }
func afterKill(p lab.Profile) time.Duration  { return max(lossesFor, p.Window) }

// blastArms are named by what is killed.
func blastArms(s lab.Setting) ([]lab.Arm, []string, error) {
	whole := monolith(s)
	whole.Label, whole.Parameters = "monolith killed", map[string]any{"kill": "kerf"}
	victims := []string{"kitchen", "restaurants"}
	if s.Profile.Name != lab.Quick.Name {
		victims = append(victims, "orders", "gateway", broker)
	}
	var split []lab.Arm
	for _, victim := range victims {
		arm := splitKafka(s)
		arm.Name, arm.Label = victim+"-killed", "split, "+victim+" killed"
		arm.Parameters = map[string]any{"kill": victim}
		split = append(split, arm)
	}
	split, notes, err := onKafka(s, split...)
	return append([]lab.Arm{whole}, split...), notes, err
}

// broker as a victim is Apache Kafka, or kfake where that stands in.
const broker = "broker"

// victim is what an arm kills.
func victim(a lab.Arm) string {
	name, _ := a.Parameters["kill"].(string)
	return name
}

// nameOf is the name of the victim in the topology.
func nameOf(a lab.Arm) string {
	switch name := victim(a); {
	case name == broker && a.Kfake:
		return "kfake"
	case name == broker:
		return "kafka"
	default:
		return name
	}
}

// needsVictim tells whether an endpoint cannot be answered while an arm's victim is away.
func (e endpoint) needsVictim(a lab.Arm) bool {
	name := victim(a)
	return name == "kerf" || name == "gateway" || slices.Contains(e.needs, name)
}

// sparedLoss is how much of ten seconds an endpoint may lose that needs nothing of what was killed: 1 %.
const sparedLoss = 0.1

// concludeBlast judges E9.
func concludeBlast(f *lab.Findings) lab.Conclusion {
	whole := resultOf(f, "monolith", lostAll.Name)
	var told, arms []string
	var outcomes []lab.Outcome
	for _, arm := range f.Arms {
		arms = append(arms, arm.Name)
		spared, needing := resultOf(f, arm.Name, lostSpared.Name), resultOf(f, arm.Name, lostNeeded.Name)
		if spared == nil {
			continue // nothing measured, or nothing to spare: the monolith, the gateway
		}
		outcomes = append(outcomes, sparing(spared))
		if needing == nil {
			told = append(told, fmt.Sprintf("with %s killed, which none of them needs, they lose %s", victim(arm), amount(spared)))
			continue
		}
		told = append(told, fmt.Sprintf("with %s killed, what needs it loses %s, all else %s", victim(arm), amount(needing), amount(spared)))
	}
	if whole == nil || len(told) == 0 {
		return blastShown(f, undecided(f, "not both the monolith's and a split's runs count"))
	}
	outcome := together(append(outcomes, losesAll(f)))
	if lacking(f, arms...) {
		outcome = lab.Undecided
	}
	verdict := fmt.Sprintf("The monolith killed, each endpoint loses %s of ten seconds; %s (medians, n = %d).", amount(whole), strings.Join(told, "; "), whole.N)
	return blastShown(f, lab.Conclusion{Outcome: outcome, Verdict: foreword(f) + soFar(f, arms...) + verdict})
}

// sparing judges whether what needs nothing of the victim goes on.
func sparing(spared *lab.Result) lab.Outcome {
	switch {
	case spared.CIHigh <= sparedLoss:
		return lab.Supported
	case spared.CILow > sparedLoss:
		return lab.Refuted
	}
	return lab.Undecided
}

// losesAll judges whether the monolith loses all endpoints.
func losesAll(f *lab.Findings) lab.Outcome {
	var outcomes []lab.Outcome
	for _, e := range watched {
		lost := resultOf(f, "monolith", lostOf(e).Name)
		switch {
		case lost == nil:
			outcomes = append(outcomes, lab.Undecided)
		case lost.CILow > sparedLoss:
			outcomes = append(outcomes, lab.Supported)
		case lost.CIHigh <= sparedLoss:
			outcomes = append(outcomes, lab.Refuted)
		default:
			outcomes = append(outcomes, lab.Undecided)
		}
	}
	return together(outcomes)
}
