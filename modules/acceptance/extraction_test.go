package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kerf/cmd/simulate/day"
	"kerf/cmd/simulate/play"
	"kerf/platform/ids"
)

// extractions is how often the kitchen leaves and comes back in each day, if not once.
const extractions = "KERF_EXTRACTIONS"

// TestTheKitchenLeavesAndComesBackInTheMiddleOfADay plays a day by the public API while somebody does what the page says: every order ends
// as it may, everything is told to everybody once, and nobody needs to know.
func TestTheKitchenLeavesAndComesBackInTheMiddleOfADay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, signal string }{{"in order", ""}, {"killed", "9"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newExtraction(t, fmt.Sprintf("KERF_SPEED=%d", extractionSpeed))
			e.signal = c.signal
			e.playAndMove(day.Small(day.DefaultSeed), int(setting(t, extractions, 1)))
		})
	}
}

const extractionSpeed = 600

// playAndMove plays a day, in which the kitchen leaves and comes back so many times, and asserts what holds at its end.
func (e *extraction) playAndMove(d day.Day, times int) {
	e.t.Helper()
	e.open()
	e.do(e.commands(before)...)
	placed := make(chan int64, 1) // the latest
	type result struct {
		report play.Report
		err    error
	}
	played := make(chan result, 1)
	go func() {
		report, err := play.Run(e.t.Context(), play.Config{
			Day: d, Target: e.url, Speed: extractionSpeed, Patience: time.Minute,
			Progress: func(p play.Progress) {
				select {
				case <-placed:
				default:
				}
				placed <- p.Placed
			},
		})
		played <- result{report, err}
	}()

	// The moves are spread over the time in which orders are placed.
	moves, done := 2*times, 0
	var down []time.Duration
	var r result
	for over := false; !over; {
		select {
		case r = <-played:
			over = true
		case n := <-placed:
			switch {
			case done == moves || int(n) < len(d.Orders)*(done+1)/(moves+1):
			case done%2 == 0:
				down = append(down, e.do(e.commands(leaves)...).Round(time.Millisecond))
				done++
			default:
				down = append(down, e.do(e.commands(comesBack)...).Round(time.Millisecond))
				done++
			}
		}
	}
	if r.err != nil {
		e.t.Fatalf("after %d moves: %v\n%s", done, r.err, e.log)
	}
	e.t.Logf("down for %v", down)
	if done < moves {
		e.t.Errorf("the day was over after %d moves of %d", done, moves)
	}
	e.endsWell(d, r.report)
}

// endsWell asserts what holds at the end of a day, whatever happened in it.
func (e *extraction) endsWell(d day.Day, report play.Report) {
	e.t.Helper()
	e.t.Logf("%+v, cancelled %v, rejected %v; %d events, retries %d", report.Orders, report.CancelledByReason, report.RejectedByReason,
		report.Events, report.Retries)
	if !report.Clean() || report.Orders.Placed != len(d.Orders) || len(report.Restless) > 0 {
		e.t.Errorf("%+v %v\n%s", report.Orders, report.Invariants, strings.Join(append(report.Violations, report.Restless...), "\n"))
	}
	newWorld(e.t, &e.server, &contracts{}).quiet(e.t)
	for _, line := range e.log.errors() {
		if !strings.Contains(line, "msg=request") || !strings.Contains(line, "status=503") { // while somebody was away
			e.t.Errorf("logged: %s", line)
		}
	}
}

// TestAKitchenOnAServerLeavesWithoutAMove is the same with a schema that both name.
func TestAKitchenOnAServerLeavesWithoutAMove(t *testing.T) {
	t.Parallel()
	cut{database: "postgres"}.skipUnlessThere(t)
	i := &running{cut: cut{database: "postgres"}, t: t, id: "t" + strings.ReplaceAll(ids.New(), "-", "")[:20]}
	schemas := i.openDatabases()["modules"].(map[string]any)
	t.Cleanup(i.stops[0])
	e := newExtraction(t, fmt.Sprintf("KERF_SPEED=%d", extractionSpeed), "KERF_DATABASE_MODULES_KITCHEN_DRIVER=postgres",
		"KERF_DATABASE_MODULES_KITCHEN_DSN="+schemas["kitchen"].(map[string]any)["dsn"].(string))
	e.fileless = true
	e.playAndMove(day.Small(day.DefaultSeed), int(setting(t, extractions, 1)))
}

// TestNothingIsLostThatWasOnItsWay moves the kitchen while others have not heard what it told: first on the memory bus, which forgets it, and
// then on the broker, which nobody asks any more.
func TestNothingIsLostThatWasOnItsWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, signal string }{{"in order", ""}, {"killed", "9"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newExtraction(t)
			e.signal = c.signal
			e.open()
			e.do(e.commands(before)...)
			w := newWorld(t, &e.server, &contracts{})
			c := w.city(t)
			r, d := c.restaurant(nil), c.diner("tok_approve")
			o := d.approved(r)
			e.told(w)

			e.moveUnheard(w, leaves, func() { r.accepts(o) })
			e.told(w)
			e.moveUnheard(w, comesBack, func() { r.cooks(o) })
			e.told(w)

			c.courier()
			k := c.offered(o)
			k.fetches(o, r)
			k.brings(o)
			d.ends(o, "DELIVERED", "", supperTotal)
			w.quiet(t)
		})
	}
}

// deaf are listeners of the kitchen, all but orders, which the story needs.
var deaf = []string{"delivery", "notifications", "tracking"}

// moveUnheard has the kitchen move after it has told something that others could not hear, because they cannot write. They can again when the
// processes have ended, which is what the first of the page's commands is for.
func (e *extraction) moveUnheard(w *world, heading string, tells func()) {
	e.t.Helper()
	var release []func()
	for _, listener := range deaf {
		release = append(release, lock(e.t, e.path("data"), listener))
	}
	tells()
	admin := w.city(e.t).admin()
	eventually(e.t, "what the kitchen told is on its way", func() (bool, string) {
		audits := w.audits(admin)
		told := audits["kitchen"]
		return told.Published == told.Written && audits["orders"].Consumed["kitchen"] == told.Published, unrest(audits)
	})
	audits := w.audits(admin)
	for _, listener := range deaf {
		if audits[listener].Consumed["kitchen"] == audits["kitchen"].Published {
			e.t.Errorf("%s has heard the kitchen", listener)
		}
	}
	commands := e.commands(heading)
	e.do(commands[0])
	for _, f := range release {
		f()
	}
	e.do(commands[1:]...)
}

// told waits until every module has heard what it listens to, once.
func (e *extraction) told(w *world) {
	e.t.Helper()
	began, admin := time.Now(), w.city(e.t).admin()
	defer func() {
		e.t.Logf("everybody has heard everything %v after the start", time.Since(began).Round(time.Millisecond))
	}()
	eventually(e.t, "everybody has heard everything", func() (bool, string) {
		audits := w.audits(admin)
		for listener, sources := range hears {
			for _, source := range sources {
				if consumed, published := audits[listener].Consumed[source], audits[source].Written; consumed != published {
					return false, fmt.Sprintf("%s has heard %d of the %d of %s", listener, consumed, published, source)
				}
			}
		}
		return true, ""
	})
}
