package acceptance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"kerf/cmd/simulate/day"
	"kerf/cmd/simulate/play"
)

// Settings of TestKill by environment variables: how many days are played, the folder of the day if it is not the small one, how often the
// server is killed in each at least, and the seed.
const (
	killDays     = "KERF_KILL_DAYS"
	killInstance = "KERF_KILL_INSTANCE"
	killsDay     = "KERF_KILLS"
	killSeed     = "KERF_KILL_SEED"
)

func setting(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// stressCards are what the diners of a day of kills pay with: one in four payments meets a mishap of the provider's, too.
var stressCards = []string{
	"tok_approve", "tok_approve", "tok_approve", "tok_unknown", "tok_approve", "tok_approve", "tok_approve", "tok_capture_unknown",
	"tok_approve", "tok_approve", "tok_approve", "tok_lost", "tok_approve", "tok_approve", "tok_decline", "tok_late",
}

// TestKill plays days against a server that is killed at random moments, each time restarted on what it left behind, and holds it to the
// invariants at the end: what was acknowledged exists, every saga has ended, nobody was charged twice, nothing got lost on the way.
func TestKill(t *testing.T) {
	t.Parallel()
	days, kills := setting(t, killDays, 1), int(setting(t, killsDay, 6))
	seed := uint64(setting(t, killSeed, time.Now().UnixNano()))
	t.Logf("%s=%d", killSeed, seed)
	instance, ok := os.LookupEnv(killInstance)
	if !ok {
		instance = "../../cmd/simulate/day/small"
	}
	played, err := day.Read(instance)
	if err != nil {
		t.Fatal(err)
	}
	var killed, orders, broken int
	for n := range days {
		report, done := killedDay(t, played, kills, rand.New(rand.NewPCG(seed, uint64(n))))
		killed += done
		orders += report.Orders.Placed
		for _, count := range report.Invariants {
			broken += count
		}
	}
	t.Logf("%d days, %d kills, %d orders acknowledged, %d violations", days, killed, orders, broken)
}

// killedDay plays one day on a new data folder, and returns how often the server was killed in it.
func killedDay(t *testing.T, d day.Day, kills int, random *rand.Rand) (play.Report, int) {
	t.Helper()
	const speed = 600
	data := t.TempDir()
	server := start(t, data, "127.0.0.1:0", "-speed", fmt.Sprint(speed))
	address := server.address()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type result struct {
		report play.Report
		err    error
	}
	played := make(chan result, 1)
	go func() {
		report, err := play.Run(ctx, play.Config{Day: d, Target: server.url, Speed: speed, Cards: stressCards, Patience: time.Minute})
		played <- result{report, err}
	}()

	// The moments of the kills: spread over the set-up and the time in which orders are placed, at random within their part of it.
	var last time.Duration
	for _, o := range d.Orders {
		last = max(last, o.Placed)
	}
	part := last / speed / time.Duration(max(kills, 1))
	began, done, parts := time.Now(), 0, 0
	var slowest time.Duration
	var r result
	for over := false; !over; {
		var moment <-chan time.Time
		if parts < kills {
			at := part*time.Duration(parts) + time.Duration(random.Int64N(int64(part)))
			moment = time.After(time.Until(began.Add(at)))
		}
		select {
		case r = <-played:
			over = true
		case <-moment:
			server.kill()
			done++
			parts++
			if random.IntN(4) == 0 { // and once more while it starts
				server = launch(t, data, address)
				hasty := time.NewTimer(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
				<-hasty.C
				server.kill()
				done++
			}
			restarted := time.Now()
			server = start(t, data, address)
			slowest = max(slowest, time.Since(restarted))
		}
	}
	if r.err != nil {
		t.Fatalf("after %d kills: %v\n%s", done, r.err, server.log)
	}
	t.Logf("%d kills, ready again after at most %v; %+v, cancelled %v, rejected %v; retries %d",
		done, slowest.Round(time.Millisecond), r.report.Orders, r.report.CancelledByReason, r.report.RejectedByReason, r.report.Retries)
	if done < kills {
		t.Errorf("the day was over after %d kills of %d", done, kills)
	}
	if r.report.Orders.Placed != len(d.Orders) {
		t.Errorf("%d of %d orders were acknowledged", r.report.Orders.Placed, len(d.Orders))
	}
	if !r.report.Clean() {
		t.Errorf("%+v %v\n%s", r.report.Orders, r.report.Invariants, strings.Join(append(r.report.Violations, r.report.Restless...), "\n"))
	}
	w := newWorld(t, &server.server, &contracts{})
	c := w.city(t)
	before := w.audits(c.admin())
	if moving := unrest(before); moving != "" {
		t.Errorf("after the day: %s", moving)
	}
	for _, violation := range violations(before, 0) {
		t.Error(violation)
	}
	if status := server.terminate(t); status != 0 {
		t.Errorf("the server ends with %d", status)
	}

	// Nothing of it was only in memory.
	again := start(t, data, "127.0.0.1:0")
	w = newWorld(t, &again.server, &contracts{})
	after := w.audits(w.city(t).admin())
	for module, a := range before {
		if b := after[module]; a.Written != b.Written || a.Settled != b.Settled {
			t.Errorf("%s had %d events, %d settled, and has %d and %d after a restart", module, a.Written, a.Settled, b.Written, b.Settled)
		}
	}
	if was, is := sum(before["orders"].Counters), sum(after["orders"].Counters); was != is {
		t.Errorf("orders counted %d, and counts %d after a restart", was, is)
	}
	return r.report, done
}

func sum(counters map[string]int64) (total int64) {
	for _, n := range counters {
		total += n
	}
	return total
}
