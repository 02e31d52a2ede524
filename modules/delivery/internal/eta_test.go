package internal

import (
	"testing"
	"time"

	"kerf/platform/geo"
)

var testRoad = road{speed: 320, approach: 8 * time.Minute, pickupService: 4 * time.Minute, dropoffService: 4 * time.Minute}

func TestTheExpectedArrivalFollowsTheDelivery(t *testing.T) {
	far, near := north(counter, -6400), north(door, -1600) // twenty minutes before the counter, five before the door
	for _, c := range []struct {
		name  string
		state State
		ready time.Duration // from now
		from  *geo.Position
		want  time.Duration // from now
	}{
		{"nobody yet, food later than any courier", Unassigned, 15 * time.Minute, nil, 15 + 4 + 10 + 4},
		{"nobody yet, food waits", Unassigned, -time.Hour, nil, 8 + 4 + 10 + 4},
		{"an offer promises nothing", Offered, -time.Hour, &far, 8 + 4 + 10 + 4},
		{"courier there before the food", Assigned, 30 * time.Minute, &far, 30 + 4 + 10 + 4},
		{"food there before the courier", Assigned, 5 * time.Minute, &far, 20 + 4 + 10 + 4},
		{"courier nobody has seen", Assigned, -time.Hour, nil, 8 + 4 + 10 + 4},
		{"at the counter", AtPickup, 6 * time.Minute, &counter, 6 + 2 + 10 + 4},
		{"on the road", PickedUp, -time.Hour, &near, 5 + 4},
		{"on the road, not seen", PickedUp, -time.Hour, nil, 10 + 4},
		{"at the door", AtDropoff, -time.Hour, &door, 2},
	} {
		d := aDelivery(c.state)
		d.ReadyBy = noon.Add(c.ready)
		got := testRoad.expect(d, c.from, noon).Sub(noon)
		if want := c.want * time.Minute; (got - want).Abs() > time.Second {
			t.Errorf("%s: in %v, want %v", c.name, got, want)
		}
	}
}

func TestAnArrivalIsToldAgainOnlyWhenItMovesByMinutes(t *testing.T) {
	d := aDelivery(PickedUp)
	d.promise(noon.Add(20*time.Minute), noon)
	if d.EtaEarliest.After(d.Eta) || d.EtaLatest.Before(d.Eta) || !d.EtaLatest.After(d.EtaEarliest) {
		t.Errorf("%v is no range around %v", [2]time.Time{d.EtaEarliest, d.EtaLatest}, d.Eta)
	}
	for _, c := range []struct {
		by   time.Duration
		want bool
	}{{0, false}, {119 * time.Second, false}, {2 * time.Minute, true}, {-119 * time.Second, false}, {-2 * time.Minute, true}} {
		if got := d.moved(d.Eta.Add(c.by)); got != c.want {
			t.Errorf("moved by %v: told %v", c.by, got)
		}
	}
	d.State = Delivered
	if d.moved(d.Eta.Add(time.Hour)) {
		t.Error("an order that has arrived is expected")
	}
}

func TestTheRangeNeverBeginsInThePast(t *testing.T) {
	d := aDelivery(AtDropoff)
	d.promise(noon.Add(time.Minute), noon)
	if d.EtaEarliest.Before(noon) {
		t.Errorf("expected from %v, and it is %v", d.EtaEarliest, noon)
	}
}
