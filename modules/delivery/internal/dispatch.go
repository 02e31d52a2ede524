package internal

import (
	"cmp"
	"slices"
	"time"

	"kerf/platform/geo"
)

// waiting is a delivery that a round looks at.
type waiting struct {
	orderID string
	pickup  geo.Position
	foodAt  time.Time
	// until is when it is given up if it has no courier.
	until time.Time
	// turnedDown are the couriers who are not to be asked now.
	turnedDown map[string]bool
}

// free is a courier that a round may give a delivery.
type free struct {
	courierID string
	position  geo.Position
}

// pair is a delivery for a courier.
type pair struct{ orderID, courierID string }

// candidate is a pair that may be chosen: the delivery and the courier by their places in the lists that a round looks at.
type candidate struct {
	cost, travel      time.Duration
	delivery, courier int
}

// latenessWeight is how much worse a minute is that the food waits for the courier than one that the courier waits or travels.
const latenessWeight = 2

// costOf says how bad it is to send a courier who needs travel to a counter where the food waits in untilFood from now (negative: since
// then). The courier's time is one part: until travel and food are both there. The other is the food's time, that this choice adds.
// Food that has been waiting makes everything cheaper by as long: were that time a cost, the latest order would be the last served.
func costOf(travel, untilFood time.Duration) time.Duration {
	occupied := max(travel, untilFood)
	late := max(0, travel-max(0, untilFood))
	overdue := max(0, -untilFood)
	return occupied + latenessWeight*late - overdue
}

// assign pairs waiting deliveries with free couriers, cheapest pair first; of pairs of equal cost the one whose food waits longer, then
// the one with the shorter way. No delivery and no courier is in two pairs.
//
// A delivery whose food is ready only more than slack after the nearest courier could be there is left to a later round, so that no
// courier stands at a counter while other food gets cold. And nobody is sent who would be there only after the delivery is to be given up:
// the diner is better told than left waiting for somebody from the next town. Whoever is near goes nevertheless, up to the last moment.
func assign(now time.Time, deliveries []waiting, couriers []free, way road, slack time.Duration) []pair {
	// By age, so that a delivery's place says which of two is more urgent.
	deliveries = slices.SortedFunc(slices.Values(deliveries), func(a, b waiting) int {
		return cmp.Or(a.foodAt.Compare(b.foodAt), cmp.Compare(a.orderID, b.orderID))
	})
	var all []candidate
	for i, d := range deliveries {
		begin := len(all)
		nearest := time.Duration(-1)
		untilFood := d.foodAt.Sub(now)
		for j, c := range couriers {
			if d.turnedDown[c.courierID] {
				continue
			}
			travel := way.travel(c.position, d.pickup)
			if now.Add(travel).After(d.until) && travel > way.approach {
				continue
			}
			if nearest < 0 || travel < nearest {
				nearest = travel
			}
			all = append(all, candidate{costOf(travel, untilFood), travel, i, j})
		}
		if nearest < untilFood-slack {
			all = all[:begin]
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.delivery, b.delivery), cmp.Compare(a.travel, b.travel),
			cmp.Compare(a.courier, b.courier))
	})
	return disjoint(all, deliveries, couriers)
}

// disjoint takes candidates from the front, and leaves out those whose delivery or courier is taken.
func disjoint(all []candidate, deliveries []waiting, couriers []free) []pair {
	var chosen []pair
	given, taken := make([]bool, len(deliveries)), make([]bool, len(couriers))
	for _, c := range all {
		if given[c.delivery] || taken[c.courier] {
			continue
		}
		given[c.delivery], taken[c.courier] = true, true
		chosen = append(chosen, pair{deliveries[c.delivery].orderID, couriers[c.courier].courierID})
	}
	return chosen
}
