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
	// turnedDown are the couriers who are not to be asked now.
	turnedDown map[string]bool
}

// free is a courier that a round may give a delivery.
type free struct {
	courierID string
	position  geo.Position
}

// pair is a delivery for a courier.
type pair struct {
	orderID   string
	courierID string

	cost   time.Duration
	foodAt time.Time
	travel time.Duration
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
// courier stands at a counter while other food gets cold.
func assign(now time.Time, deliveries []waiting, couriers []free, way road, slack time.Duration) []pair {
	var pairs []pair
	for _, d := range deliveries {
		begin := len(pairs)
		nearest := time.Duration(-1)
		untilFood := d.foodAt.Sub(now)
		for _, c := range couriers {
			if d.turnedDown[c.courierID] {
				continue
			}
			travel := way.travel(c.position, d.pickup)
			if nearest < 0 || travel < nearest {
				nearest = travel
			}
			pairs = append(pairs, pair{d.orderID, c.courierID, costOf(travel, untilFood), d.foodAt, travel})
		}
		if nearest < untilFood-slack {
			pairs = pairs[:begin]
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), a.foodAt.Compare(b.foodAt), cmp.Compare(a.travel, b.travel),
			cmp.Compare(a.orderID, b.orderID), cmp.Compare(a.courierID, b.courierID))
	})
	return disjoint(pairs, min(len(deliveries), len(couriers)))
}

// disjoint takes pairs from the front, and leaves out those whose delivery or courier is taken.
func disjoint(pairs []pair, most int) []pair {
	chosen := make([]pair, 0, most)
	given, taken := make(map[string]bool, most), make(map[string]bool, most)
	for _, p := range pairs {
		if len(chosen) == most {
			break
		}
		if given[p.orderID] || taken[p.courierID] {
			continue
		}
		given[p.orderID], taken[p.courierID] = true, true
		chosen = append(chosen, p)
	}
	return chosen
}
