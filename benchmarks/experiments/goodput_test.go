package experiments

import (
	"math"
	"testing"
	"time"
)

// outage has 20 requests a second, for ten seconds, of which those between two offsets fail.
func outage(from, to time.Duration) *goodput {
	g := newGoodput(time.Unix(1000, 0), 100*time.Millisecond)
	for offset := time.Duration(0); offset < 10*time.Second; offset += 50 * time.Millisecond {
		g.note("place", g.began.Add(offset), offset < from || offset >= to)
	}
	return g
}

func TestWhatIsLostIsTheOutage(t *testing.T) {
	g := outage(3*time.Second, 4500*time.Millisecond)
	if lost := g.lost("place", 3*time.Second, 7*time.Second); math.Abs(lost.Seconds()-1.5) > 1e-6 {
		t.Errorf("lost %s", lost)
	}
	if lost := g.lost("place", 2*time.Second, time.Second); lost != 0 {
		t.Errorf("lost %s before", lost)
	}
	if back, ok := g.back("place", 3*time.Second, 10*time.Second); !ok || (back-1500*time.Millisecond).Abs() > 100*time.Millisecond {
		t.Errorf("back after %s, %t", back, ok)
	}
	if got := g.between("place", 3*time.Second, 4500*time.Millisecond); got != (tally{Made: 30}) {
		t.Errorf("in the outage: %+v", got)
	}
}

func TestHalfOfTheRequestsLostIsHalfOfTheTime(t *testing.T) {
	g := newGoodput(time.Unix(1000, 0), 100*time.Millisecond)
	for i := range 40 {
		g.note("page", g.began.Add(time.Duration(i)*50*time.Millisecond), i%2 == 0)
	}
	if lost := g.lost("page", 0, 2*time.Second); lost != time.Second {
		t.Errorf("lost %s", lost)
	}
}

func TestWhatWasLostBeforeIsNoLossOfTheOutage(t *testing.T) {
	g := newGoodput(time.Unix(1000, 0), 100*time.Millisecond)
	for i := range 100 { // one in four always fails, and in the last two seconds one more
		at := time.Duration(i) * 50 * time.Millisecond
		g.note("page", g.began.Add(at), i%4 != 0 && (at < 3*time.Second || i%4 != 1))
	}
	if lost := g.lost("page", 3*time.Second, 2*time.Second); lost != 500*time.Millisecond {
		t.Errorf("lost %s", lost)
	}
	if lost := g.lost("page", time.Second, 2*time.Second); lost != 0 {
		t.Errorf("lost %s where nothing changed", lost)
	}
}

func TestWhoNeverFailedIsBackAtOnce(t *testing.T) {
	g := outage(20*time.Second, 20*time.Second)
	if back, ok := g.back("place", 3*time.Second, 10*time.Second); !ok || back != 0 {
		t.Errorf("back after %s, %t", back, ok)
	}
}

func TestWhoDoesNotComeBackIsSaidNotTo(t *testing.T) {
	g := outage(3*time.Second, 20*time.Second)
	if back, ok := g.back("place", 3*time.Second, 10*time.Second); ok {
		t.Errorf("back after %s", back)
	}
	if _, ok := g.back("unheard of", 3*time.Second, 10*time.Second); ok {
		t.Error("an endpoint that nobody asks is not known to be back")
	}
}

func TestOneFailureInManyIsNoOutage(t *testing.T) {
	g := outage(5*time.Second, 5050*time.Millisecond) // one of twenty in that second
	if back, ok := g.back("place", 5*time.Second, 10*time.Second); !ok || back != 0 {
		t.Errorf("back after %s, %t", back, ok)
	}
}

func TestTheSeriesIsOfSecondsAroundTheKill(t *testing.T) {
	g := outage(3*time.Second, 4*time.Second)
	made, points := g.series("place", 3*time.Second)
	if len(points) != 100 || math.Abs(points[0].X+2.95) > 1e-9 || points[0].Y != 20 || points[35].Y != 0 || points[45].Y != 20 {
		t.Errorf("%d points, of which %+v %+v %+v", len(points), points[0], points[35], points[45])
	}
	if len(made) != 100 || made[35].Y != 20 {
		t.Errorf("%d points of what was asked, in the outage %+v", len(made), made[35])
	}
	g.note("place", g.began.Add(-time.Second), true)
	if _, again := g.series("place", 3*time.Second); len(again) != 100 {
		t.Error("a request before the beginning was counted")
	}
}
