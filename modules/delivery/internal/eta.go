package internal

import (
	"time"

	"kerf/platform/geo"
)

// road says how long things take out there, on the domain clock.
type road struct {
	speed          float64 // metres per minute, along the great circle
	approach       time.Duration
	pickupService  time.Duration
	dropoffService time.Duration
}

func (r road) travel(from, to geo.Position) time.Duration {
	return time.Duration(from.Distance(to) / r.speed * float64(time.Minute))
}

// etaStep is how far an expected arrival must move to be told: a diner has no use for less, and every telling is an event that
// several modules hear.
const etaStep = 2 * time.Minute

// margins are how much sooner and later than expected the order may arrive, by what is known of it.
func margins(s State) (sooner, later time.Duration) {
	switch s {
	case Unassigned, Offered:
		return 5 * time.Minute, 10 * time.Minute
	case Assigned, AtPickup:
		return 3 * time.Minute, 6 * time.Minute
	default:
		return 2 * time.Minute, 3 * time.Minute
	}
}

// expect returns when the order should be in the diner's hands, as things stand now; from is where the courier is, nil if there is
// none or nobody has seen it.
func (r road) expect(d *Delivery, from *geo.Position, now time.Time) time.Time {
	var collected time.Time // the courier leaves the counter with it
	switch d.State {
	case AtDropoff:
		return now.Add(r.dropoffService / 2)
	case PickedUp:
		left := r.travel(d.Pickup, d.Dropoff)
		if from != nil {
			left = r.travel(*from, d.Dropoff)
		}
		return now.Add(left + r.dropoffService)
	case AtPickup:
		collected = later(d.foodAt(), now).Add(r.pickupService / 2)
	case Assigned:
		collected = later(d.foodAt(), now.Add(r.toCounter(d, from))).Add(r.pickupService)
	default:
		collected = later(d.foodAt(), now.Add(r.approach)).Add(r.pickupService)
	}
	return collected.Add(r.travel(d.Pickup, d.Dropoff) + r.dropoffService)
}

func (r road) toCounter(d *Delivery, from *geo.Position) time.Duration {
	if from == nil {
		return r.approach
	}
	return r.travel(*from, d.Pickup)
}

// moved tells whether an arrival expected now is far enough from what was last told.
func (d *Delivery) moved(expected time.Time) bool {
	return d.State.arriving() && expected.Sub(d.Eta).Abs() >= etaStep
}

// promise sets the range that is told, to the second.
func (d *Delivery) promise(expected, now time.Time) {
	expected = expected.Truncate(time.Second)
	sooner, latest := margins(d.State)
	d.Eta = expected
	d.EtaEarliest, d.EtaLatest = later(expected.Add(-sooner), now), expected.Add(latest)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
