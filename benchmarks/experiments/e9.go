package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/cmd/topology/status"
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

// approvals is what becomes of the orders that are placed: the saga calls the kitchen and accounting, and tracking hears of it by the broker.
var approvals = endpoint{"approved", []string{"orders", "restaurants", "consumers", "kitchen", "accounting", "tracking", broker}}

// wholePage is the page with nothing missing.
var wholePage = endpoint{"whole_page", []string{"orders", "kitchen", "delivery", "accounting"}}

// watched are all of which goodput is told.
var watched = append(slices.Clone(endpoints), approvals, wholePage)

var (
	lostAll    = lab.Metric{Name: "lost_s", Label: "lost of ten seconds after the kill, mean over endpoints", Unit: "s", Headline: true}
	lostSpared = lab.Metric{Name: "lost_spared_s", Label: "lost, endpoints that do not need what was killed", Unit: "s", Headline: true}
	lostNeeded = lab.Metric{Name: "lost_needing_s", Label: "lost, endpoints that need what was killed", Unit: "s", Headline: true}
	backAfter  = lab.Metric{Name: "back_s", Label: "all endpoints back to 95 % of before", Unit: "s", Headline: true}
	readyAfter = lab.Metric{Name: "ready_s", Label: "killed process ready again", Unit: "s"}
)

// lostOf is the metric of one endpoint.
func lostOf(e endpoint) lab.Metric {
	return lab.Metric{Name: "lost_" + e.name + "_s", Label: "lost: " + strings.ReplaceAll(e.name, "_", " "), Unit: "s"}
}

// blast is E9, in its simplest form.
func blast() lab.Experiment {
	metrics := []lab.Metric{lostAll, lostSpared, lostNeeded, backAfter, readyAfter}
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

// killing is one run of E9.
type killing struct {
	*site
	goodput *goodput
	quotes  []string // one for each order to be placed
	orders  []string // to be looked at
}

func killOne(ctx context.Context, t *lab.Trial) (err error) {
	s, err := open(ctx, t, drive{Speed: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	t.Record.Facts["load"] = fmt.Sprintf("open loop, %d requests a second to each of %d endpoints, given up after %s", askRate, len(endpoints), inTime)
	t.Record.Facts["mix"] = "single requests"
	before, after := beforeKill(t.Setting.Profile), afterKill(t.Setting.Profile)
	t.Record.Facts["warm-up and window"] = fmt.Sprintf("%s before the kill, %s after it", before, after)
	k := &killing{site: s}
	if err := k.prepare(ctx, before+after); err != nil {
		return err
	}
	t.Stage("kill")
	killed, ready, err := k.ask(ctx, before, after)
	if err != nil {
		return err
	}
	k.fill(killed, ready, after)
	return s.finish(ctx, drive{Restarts: true})
}

// prepare makes orders to look at and the quotes that will be ordered, so that an order needs no other request just then; it warms the processes up.
func (k *killing) prepare(ctx context.Context, length time.Duration) error {
	k.trial.Stage("prepare")
	k.quotes = make([]string, int(1.5*askRate*length.Seconds())) // Poisson arrivals may be more than expected
	k.orders = make([]string, looked)
	all, ctx := errgroup.WithContext(ctx)
	const hands = 8
	for worker := range hands {
		all.Go(func() error {
			for n := worker; n < len(k.quotes); n += hands {
				quote, err := k.town.QuoteFor(ctx, worker, n)
				if err != nil {
					return fmt.Errorf("prepare: quote: %w", err)
				}
				k.quotes[n] = quote
			}
			for n := worker; n < looked; n += hands {
				order, err := k.approvedOrder(ctx, worker, n)
				if err != nil {
					return fmt.Errorf("prepare: %w", err)
				}
				k.orders[n] = order
			}
			return nil
		})
	}
	return all.Wait()
}

// approvedOrder orders, and waits for the approval.
func (k *killing) approvedOrder(ctx context.Context, worker, n int) (order string, err error) {
	quote, err := k.town.QuoteFor(ctx, worker, n)
	if err != nil {
		return "", err
	}
	if order, err = k.town.PlaceQuote(ctx, worker, n, quote); err != nil {
		return "", err
	}
	_, err = k.town.Seen(ctx, order, "APPROVED")
	return order, err
}

// ask asks for a while, kills the victim, and asks on. It returns when that was, and when its successor was ready.
func (k *killing) ask(ctx context.Context, before, after time.Duration) (killed, ready time.Time, err error) {
	recorder := load.NewRecorder()
	recorder.Begin() // all counts: there was load before, in the preparation
	k.goodput = newGoodput(time.Now(), bin)
	if err := k.watch.Begin(); err != nil {
		return killed, ready, err
	}
	var killing sync.WaitGroup
	var killErr error
	killing.Go(func() {
		if killErr = wait(ctx, before); killErr != nil {
			return
		}
		if killed, killErr = k.keepDown(ctx, nameOf(k.trial.Arm)); killErr != nil {
			return
		}
		waiting, cancel := context.WithTimeout(ctx, quietFor)
		defer cancel()
		ready, killErr = k.stand.Ready(waiting, nameOf(k.trial.Arm))
	})
	_, err = load.Open{
		Arrivals: load.For(before+after+settled, load.Poisson(askRate*float64(len(endpoints)), k.trial.Seed)),
		Workers:  askers, MaxJourneys: room, Deadline: inTime, Recorder: recorder, Journey: k.journey,
	}.Run(ctx)
	killing.Wait()
	recorder.End()
	seen := recorder.Snapshot()
	k.trial.Record.Errors, k.trial.Record.Sends, k.trial.Record.Missed = seen.Errors, seen.Arrivals, seen.Missed
	k.trial.Record.Overload = true // an outage is one: what is late then, or finds no room, is what is measured
	used, watchErr := k.watch.End()
	k.trial.Record.Usage = used
	return killed, ready, errors.Join(err, killErr, watchErr)
}

// keepDown kills a process, and its next starts. It returns when it killed it first.
func (k *killing) keepDown(ctx context.Context, name string) (killed time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, downAtMost)
	defer cancel()
	if killed, err = k.stand.Kill(name); err != nil {
		return killed, err
	}
	for seen := 0; seen < moreKills; {
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return killed, fmt.Errorf("%s was not started again: %w", name, err)
		}
		child, err := k.child(name)
		if err != nil {
			return killed, err
		}
		if child.Restarts <= seen || child.PID == 0 {
			continue
		}
		seen = child.Restarts
		if _, err := k.stand.Kill(name); err != nil {
			return killed, err
		}
	}
	return killed, nil
}

// child is what the topology tells of a process or server.
func (k *killing) child(name string) (status.Child, error) {
	state, err := k.stand.Status()
	if err != nil {
		return status.Child{}, err
	}
	for _, p := range state.Processes {
		if p.Name == name {
			return p.Child, nil
		}
	}
	for _, s := range state.Servers {
		if s.Name == name {
			return s.Child, nil
		}
	}
	return status.Child{}, fmt.Errorf("the topology has no %s", name)
}

// journey is one request to one of the endpoints, in turn.
func (k *killing) journey(ctx context.Context, caller *load.Caller, n int, intended time.Time) error {
	e, n := endpoints[n%len(endpoints)], n/len(endpoints)%len(k.quotes)
	order, missing := k.orders[n%len(k.orders)], 0
	_, err := caller.Do(ctx, e.name, intended, func(ctx context.Context, worker int) (err error) {
		switch e.name {
		case "search":
			return k.town.SearchNow(ctx, worker, n)
		case "quote":
			_, err = k.town.QuoteFor(ctx, worker, n)
		case "place":
			order, err = k.town.PlaceQuote(ctx, worker, n, k.quotes[n])
		case "page":
			missing, err = k.town.PageOf(ctx, worker, order)
		case "tracking":
			return k.town.TrackingOf(ctx, worker, order)
		case "ticket":
			return k.town.TicketOf(ctx, worker, order)
		case "courier":
			return k.town.CourierLook(ctx, worker, n)
		}
		return err
	})
	k.goodput.note(e.name, intended, err == nil)
	switch e.name {
	case "page":
		k.goodput.note(wholePage.name, intended, err == nil && missing == 0)
	case "place":
		k.goodput.note(approvals.name, intended, err == nil && k.approved(ctx, order, intended))
	}
	return err
}

// approved tells whether an order is approved in time.
func (k *killing) approved(ctx context.Context, order string, intended time.Time) bool {
	ctx, cancel := context.WithDeadline(ctx, intended.Add(inTime))
	defer cancel()
	_, err := k.town.Seen(ctx, order, "APPROVED")
	return err == nil
}

// fill tells what was lost in the ten seconds after the kill, and when all was well again.
func (k *killing) fill(killed, ready time.Time, after time.Duration) {
	record, at := k.trial.Record, killed.Sub(k.goodput.began)
	record.Values, record.Series = map[string]float64{}, map[string][]lab.Point{}
	var spared, needing, back []float64
	for _, e := range watched {
		lost := k.goodput.lost(e.name, at, at+lossesFor).Seconds()
		record.Values[lostOf(e).Name] = lost
		if e.needsVictim(k.trial.Arm) {
			needing = append(needing, lost)
		} else {
			spared = append(spared, lost)
		}
		if until, ok := k.goodput.back(e.name, at, at+after+settled); ok {
			back = append(back, until.Seconds())
		}
		record.Series["made/"+e.name], record.Series["good/"+e.name] = k.goodput.series(e.name, at)
	}
	record.Values[lostAll.Name] = mean(append(slices.Clone(spared), needing...))
	if len(spared) > 0 {
		record.Values[lostSpared.Name] = mean(spared)
	}
	record.Values[lostNeeded.Name] = mean(needing)
	if len(back) == len(watched) {
		record.Values[backAfter.Name] = slices.Max(back)
	}
	record.Values[readyAfter.Name] = ready.Sub(killed).Seconds()
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}
