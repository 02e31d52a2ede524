package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerf/cmd/simulate/day"
	"kerf/cmd/simulate/play"
	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/status"
)

// Settings of TestFaults by environment variables: the seed of the schedule, how many faults there are, how many seconds lie between two on average,
// the topology (of troubledTopologies), and a folder that keeps everything, logs included.
const (
	faultSeed     = "KERF_FAULT_SEED"
	faultCount    = "KERF_FAULTS"
	faultEvery    = "KERF_FAULT_EVERY"
	faultTopology = "KERF_FAULT_TOPOLOGY"
	faultFolder   = "KERF_FAULT_DIR"
)

const (
	// faultSpeed leaves a ticket five seconds until it expires, which is less than some faults take, and more than others do.
	faultSpeed = 120
	// faultSeconds lie between two faults on average; some last for longer. Eight of them take as long as the small day's orders.
	faultSeconds = 11
	// faultPatience is how long a client repeats what failed, and how long is waited for quiet.
	faultPatience = 4 * time.Minute
)

// TestFaults plays a day against a topology to which everything happens that happens to processes, brokers, databases and networks, at
// random, and holds it to the invariants when it has healed: what was acknowledged exists, every saga has ended, nobody was charged twice,
// nothing got lost on the way.
func TestFaults(t *testing.T) {
	t.Parallel()
	what := troubledTopology(t)
	seed, n := setting(t, faultSeed, time.Now().UnixNano()), int(setting(t, faultCount, 8))
	t.Logf("%s=%d %s=%d %s=%s", faultSeed, seed, faultCount, n, faultTopology, what.name)
	dir := os.Getenv(faultFolder)
	if dir == "" {
		dir = t.TempDir()
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	w := found(t, what, dir, faultSpeed)
	c := &chronicle{done: map[kind]int{}}
	t.Cleanup(func() { w.epilogue(dir, c) })
	span := time.Duration(n*int(setting(t, faultEvery, faultSeconds))) * time.Second
	d := longDay(span * faultSpeed)
	events := w.schedule(random, n, span)
	var plan []string
	for _, e := range events {
		plan = append(plan, e.String())
	}
	t.Logf("%d orders; the schedule:\n%s", len(d.Orders), strings.Join(plan, "\n"))

	report, played, restarts := w.playUnder(d, events, c)
	t.Logf("%d orders %+v, cancelled %v, rejected %v, refused %v; retries %d; wall %.0f s; from the last fault's end to the last order's %v",
		len(d.Orders), report.Orders, report.CancelledByReason, report.RejectedByReason, report.RefusedByReason, report.Retries, report.WallSeconds, played)
	t.Logf("faults: %v", c.done)
	if !report.Clean() {
		t.Errorf("%+v %v\n%s", report.Orders, report.Invariants, strings.Join(append(report.Violations, report.Restless...), "\n"))
	}
	if report.Orders.Placed != len(d.Orders) {
		t.Errorf("%d of %d orders were acknowledged", report.Orders.Placed, len(d.Orders))
	}
	w.settled(restarts)
	w.drain()
}

// troubledTopology is the one that was asked for; else, where tests are to use real servers and these can be started here, one that stands on them.
func troubledTopology(t *testing.T) troubled {
	t.Helper()
	name := os.Getenv(faultTopology)
	if name == "" {
		name = "split"
		wanted := os.Getenv("KERF_TEST_KAFKA") != "" && os.Getenv("KERF_TEST_POSTGRES") != ""
		if wanted && servers.Check(servers.Kafka) == nil && servers.Check(servers.Postgres) == nil {
			name = "split-kafka-postgres"
		}
	}
	at := slices.IndexFunc(troubledTopologies, func(what troubled) bool { return what.name == name })
	if at < 0 {
		t.Fatalf("%s: there is no %s", faultTopology, name)
	}
	return troubledTopologies[at]
}

// longDay is the small day as often as it fits into a time, at least once, with couriers for everybody.
func longDay(span time.Duration) day.Day {
	const length = 3 * time.Hour // in which the small day's orders are placed
	d := day.Small(day.DefaultSeed)
	d.Name = "long"
	orders := d.Orders
	for again := length; again < span; again += length {
		for _, o := range orders {
			o.ID = fmt.Sprintf("%s-%d", o.ID, again/length)
			o.Placed, o.Ready = o.Placed+again, o.Ready+again
			d.Orders = append(d.Orders, o)
		}
	}
	for _, c := range d.Couriers {
		c.ID += "b"
		d.Couriers = append(d.Couriers, c)
	}
	for i := range d.Couriers {
		d.Couriers[i].On, d.Couriers[i].Off = 0, span+48*time.Hour
	}
	return d
}

// playUnder plays the day, with its faults, and returns its report, how long after the last fault the day was over, and how often each process and
// server had been started again when all of them were ready after it.
func (w *town) playUnder(d day.Day, events []mishap, c *chronicle) (_ play.Report, _ time.Duration, restarts map[string]int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type result struct {
		report play.Report
		err    error
		at     time.Time
	}
	played, quiet := make(chan result, 1), make(chan time.Time, 1)
	playing := make(chan struct{})
	go func() {
		var phase string
		report, err := play.Run(ctx, play.Config{
			Day: d, Target: "http://" + w.public.address(), Speed: faultSpeed, Cards: stressCards, CancelEvery: 7, Patience: faultPatience, Version: "faults",
			Progress: func(p play.Progress) {
				if p.Phase == "playing" && phase != p.Phase {
					close(playing)
				}
				if p.Phase == "waiting for quiet" && phase != p.Phase {
					quiet <- time.Now()
				}
				phase = p.Phase
			},
		})
		played <- result{report, err, time.Now()}
	}()
	select {
	case <-playing:
	case r := <-played:
		w.t.Fatalf("the day did not begin: %v", r.err)
	}
	c.began = time.Now()
	healed := make(chan time.Time, 1)
	go func() {
		w.trouble(ctx, events, c)
		healed <- time.Now()
	}()
	var r result
	var healthy time.Time
	for r.at.IsZero() {
		select {
		case healthy = <-healed:
			c.tell("all faults are over")
			if err := w.whole(2 * time.Minute); err != nil {
				w.t.Errorf("after all faults: %v", err)
			}
			restarts = w.restarts()
			c.tell("all processes and servers are ready")
		case over := <-quiet:
			c.tell("all orders have ended, or had their time")
			if !healthy.IsZero() {
				w.t.Logf("all orders had ended %v after the last fault", over.Sub(healthy).Round(100*time.Millisecond))
			}
		case r = <-played:
			c.tell("the day is over: %v", r.err)
		}
	}
	if healthy.IsZero() {
		cancel()
		<-healed
		w.t.Fatalf("the day ended before the faults did: %v", r.err)
	}
	if r.err != nil {
		w.t.Fatalf("the day could not be played: %v", r.err)
	}
	return r.report, r.at.Sub(healthy).Round(100 * time.Millisecond), restarts
}

// settled asserts what the audits and the topologies tell when everything is over.
func (w *town) settled(restarts map[string]int) {
	w.t.Helper()
	s := server{url: "http://" + w.public.address(), log: w.upper.log}
	world := newWorld(w.t, &s, &contracts{})
	admin := world.city(w.t).admin()
	var audits map[string]*audit
	eventually(w.t, "quiet", func() (bool, string) {
		audits = world.audits(admin)
		return unrest(audits) == "", unrest(audits)
	})
	for _, violation := range violations(audits, 0) {
		w.t.Error(violation)
	}
	for _, l := range []layer{w.ground, w.upper} {
		for _, fall := range l.falls() {
			w.t.Error(fall)
		}
	}
	if after := w.restarts(); !maps.Equal(after, restarts) {
		w.t.Errorf("since everything was ready again, something was started again: %v, then %v", restarts, after)
	}
}

// restarts are how often each process and server was started again.
func (w *town) restarts() map[string]int {
	count := map[string]int{}
	for _, l := range []layer{w.ground, w.upper} {
		children, err := l.children()
		if err != nil {
			w.t.Error(err)
		}
		for _, c := range children {
			count[c.Name] = c.Restarts
		}
	}
	return count
}

// falls tells of processes and servers that ended though nobody killed them. One that has not been ready yet may: it says so when it does not find a
// server that it needs, and its topology tries again.
func (l layer) falls() (falls []string) {
	ready := map[string]bool{}
	for line := range strings.Lines(l.log.String()) {
		name, text, _ := strings.Cut(line, "│")
		var entry struct{ Msg, Child, How string }
		if strings.TrimSpace(name) != "topology" || json.Unmarshal([]byte(text), &entry) != nil || entry.Child == "" {
			continue
		}
		switch {
		case entry.Msg == "ready":
			ready[entry.Child] = true
		case entry.How != "":
			if ready[entry.Child] && entry.How != "signal: killed" {
				falls = append(falls, fmt.Sprintf("%s ended by itself: %s", entry.Child, strings.TrimSpace(text)))
			}
			ready[entry.Child] = false
		}
	}
	return falls
}

// drain ends the installation as an operator would, and asserts that everything ends well.
func (w *town) drain() {
	w.t.Helper()
	for _, l := range []layer{w.upper, w.ground} {
		if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			w.t.Fatal(err)
		}
		select {
		case <-l.exited:
		case <-time.After(2 * time.Minute):
			w.t.Fatal("the topology does not drain")
		}
		if l.process.status != 0 {
			w.t.Errorf("the topology ended with %d", l.process.status)
		}
		s, err := status.Read(l.dir)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, p := range s.Processes {
			if p.Ended != "exit status 0" {
				w.t.Errorf("%s ended with %s", p.Name, p.Ended)
			}
		}
	}
}

// lastLines is how many of the last lines of a log are shown.
const lastLines = 200

// epilogue shows, after a failure, what was done and what was said. In a folder that stays, it is left there in any case.
func (w *town) epilogue(dir string, c *chronicle) {
	texts := map[string]string{"chronicle": c.String(), "servers.log": w.ground.log.String(), "processes.log": w.upper.log.String()}
	if os.Getenv(faultFolder) != "" {
		ways := map[string]int64{}
		for _, l := range w.links {
			ways[l.name] = l.passed.Load()
		}
		connections, _ := json.MarshalIndent(ways, "", "  ")
		texts["connections.json"] = string(connections)
		for name, text := range texts {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				w.t.Error(err)
			}
		}
	}
	if !w.t.Failed() {
		return
	}
	w.t.Logf("what was done:\n%s", c)
	for _, name := range []string{"servers.log", "processes.log"} {
		lines := strings.Split(texts[name], "\n")
		w.t.Logf("the end of %s:\n%s", name, strings.Join(lines[max(0, len(lines)-lastLines):], "\n"))
	}
}
