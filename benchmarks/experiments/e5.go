package experiments

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kerf/benchmarks/lab"
)

// What a run of E5 observes, each from the moment at which the client had the answer to its write.
const (
	// seenTold: an order was placed; tracking's live stream has told of it.
	seenTold = "placed_told"
	// seenRead: the kitchen's ticket was accepted; a look at the order, which is orders' own, was begun that shows it.
	seenRead = "accepted_read"
	// seenAcceptedTold: the kitchen's ticket was accepted; tracking's live stream has told of it.
	seenAcceptedTold = "accepted_told"

	// Looks at once after the write, in another module than the one that wrote, by what they showed.
	freshOrder, staleOrder = "fresh_order", "stale_order" // the order's own state after the acceptance
	freshList, staleList   = "fresh_list", "stale_list"   // the diner's list of views after placing
)

// visibilityRate is in orders per second: well below the knee of all arms, because a window that is measured in a queue is the queue's.
const visibilityRate = 12

// givenUp is how long after its write something is waited for. What is given up counts as if it had taken so long, which is the least that it did.
const givenUp = 10 * time.Second

// lookAgain is the shortest pause between looks. Later ones are a tenth of the time that has passed, so that a long wait costs few looks.
const lookAgain = 200 * time.Microsecond

var (
	readP50   = lab.Metric{Name: "accepted_read_p50_ms", Label: "accepted in the kitchen until read from orders, p50", Unit: "ms", Headline: true}
	readP90   = lab.Metric{Name: "accepted_read_p90_ms", Label: "accepted in the kitchen until read from orders, p90", Unit: "ms"}
	toldP50   = lab.Metric{Name: "placed_told_p50_ms", Label: "placed until tracking's stream tells, p50", Unit: "ms", Headline: true}
	toldP90   = lab.Metric{Name: "placed_told_p90_ms", Label: "placed until tracking's stream tells, p90", Unit: "ms"}
	atoldP50  = lab.Metric{Name: "accepted_told_p50_ms", Label: "accepted until tracking's stream tells, p50", Unit: "ms"}
	staleRead = lab.Metric{Name: "stale_order_share", Label: "reads of the order at once after the acceptance that do not show it", Headline: true}
	staleView = lab.Metric{Name: "stale_list_share", Label: "reads of the diner's list at once after placing that do not show the order", Headline: true}
	// unseenShare is of all orders that were due in the window: those that failed on their way, found no room, or were given up.
	unseenShare = lab.Metric{Name: "unseen_share", Label: "orders that were not seen to the end"}
	lookP50     = lab.Metric{Name: "look_p50_ms", Label: "one look at an order, p50", Unit: "ms", Neutral: true}
)

// visibility is E5.
func visibility() lab.Experiment {
	return lab.Experiment{
		ID: "E5", Title: "Consistency window",
		Question:   "How long after a write was acknowledged does another module show it, and how often does who reads at once not see it?",
		Hypothesis: "Less than 2 ms in one process; tens of milliseconds through Kafka.",
		Published: []lab.Finding{
			{Source: "MallBots (Stack, 2022), outbox polled every 333 ms", Found: "1.9 s from checkout to approved, idle"},
			{Source: "kgrzybek's modular monolith, outbox polled every 2 s", Found: "2–4 s a hop"},
			{Source: "Literature on consistency windows between services", Found: "none that measures them was found"},
		},
		Metrics:  []lab.Metric{readP50, readP90, toldP50, toldP90, atoldP50, staleRead, staleView, unseenShare, lookP50, totalPerOrder, latenessP99, errorsPer1000},
		Arms:     visibilityArms,
		Runs:     func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds:  func(p lab.Profile, arm lab.Arm) float64 { return startSeconds(arm) + (p.Warmup + p.Window).Seconds() },
		Run:      watchWrites,
		Conclude: concludeVisibility,
	}
}

func visibilityArms(s lab.Setting) ([]lab.Arm, []string, error) {
	split, notes, err := onKafka(s, splitKafka(s))
	if err != nil {
		return nil, nil, err
	}
	switch {
	case s.RabbitMQ:
		split = append(split, lab.Arm{Name: "split-amqp", Label: "a process per module, RabbitMQ, SQLite", Topology: own(s, "split-amqp.yaml")})
	case s.Strict:
		return nil, nil, errors.New("RabbitMQ is not installed here: deploy/servers install brings it; without -strict its arm is left out")
	default:
		notes = append(notes, "RabbitMQ is not installed here: its arm is left out")
	}
	return slices.Concat([]lab.Arm{monolith(s)}, split, usersArms(s)), notes, nil
}

// concludeVisibility judges E5.
func concludeVisibility(f *lab.Findings) lab.Conclusion {
	base, apart := resultOf(f, "monolith", readP50.Name), resultOf(f, "split-kafka", readP50.Name)
	baseTold, apartTold := resultOf(f, "monolith", toldP50.Name), resultOf(f, "split-kafka", toldP50.Name)
	shown := func(c lab.Conclusion) lab.Conclusion {
		c.Tables = []lab.Table{windowTable(f)}
		c.Figures = windowFigures(f)
		c.Remarks = append(slices.Clone(visibilityRemarks), notSeen(f)...)
		return c
	}
	if base == nil || apart == nil || baseTold == nil || apartTold == nil {
		return shown(undecided(f, "the windows of monolith and split are not both known"))
	}
	broker := "Kafka"
	if i := slices.IndexFunc(f.Arms, func(a lab.Arm) bool { return a.Name == "split-kafka" && a.Kfake }); i >= 0 {
		broker = "kfake"
	}
	verdict := fmt.Sprintf("An acceptance that the kitchen acknowledged is read from orders %s later in one process and %s later through %s (medians); tracking tells of a "+
		"placed order after %s and %s. Who reads the order at once misses the acceptance in %s and %s of the cases, n = %d.",
		amount(base), amount(apart), broker, amount(baseTold), amount(apartTold),
		shareOf(f, "monolith", staleRead), shareOf(f, "split-kafka", staleRead), apart.N)
	if amqp := resultOf(f, "split-amqp", readP50.Name); amqp != nil {
		verdict += fmt.Sprintf(" Through RabbitMQ it is read %s later.", amount(amqp))
	}
	for _, arm := range f.Arms {
		if missed := 1 - seenOf(f, arm).share(); missed > mayBeUnseen {
			verdict += fmt.Sprintf(" Not all was seen: %s of the orders of %s failed, or were given up.", percent(missed), arm.Name)
		}
	}
	local := together([]lab.Outcome{millisecondsIn(base, 0, 2), millisecondsIn(baseTold, 0, 2)})
	remote := together([]lab.Outcome{millisecondsIn(apart, 10, 100), millisecondsIn(apartTold, 10, 100)})
	outcome := together([]lab.Outcome{local, remote})
	if lacking(f, "monolith", "split-kafka") {
		outcome = lab.Undecided
	}
	return shown(lab.Conclusion{Outcome: outcome, Verdict: foreword(f) + soFar(f, "monolith", "split-kafka") + verdict})
}

// mayBeUnseen is the share of orders that may be missing without a word in the verdict.
const mayBeUnseen = 0.01

// millisecondsIn judges whether a median lies between two bounds, by its interval.
func millisecondsIn(r *lab.Result, low, high float64) lab.Outcome {
	switch {
	case r.CILow >= low && r.CIHigh <= high:
		return lab.Supported
	case r.CIHigh < low || r.CILow > high:
		return lab.Refuted
	}
	return lab.Undecided
}

func shareOf(f *lab.Findings, arm string, metric lab.Metric) string {
	r := resultOf(f, arm, metric.Name)
	if r == nil {
		return "–"
	}
	return percent(r.Median)
}
