package rules

import "kerf/cmd/simulate/api"

// line is the way of an order that nothing happens to.
var line = map[string]int{"PENDING": 0, "APPROVED": 1, "ACCEPTED": 2, "PREPARING": 3, "READY": 4, "PICKED_UP": 5, api.Delivered: 6}

// Steps is how many statuses the way of an order has, PENDING and DELIVERED included.
const Steps = 7

// Reached is how far an order with this status is on the way from PENDING, which is 0, over APPROVED, 1, to DELIVERED, 6. A status that is not on
// the way counts as 0.
func Reached(status string) int { return line[status] }

// Forward tells whether an order's status may change so; what lies between may be skipped.
func Forward(from, to string) bool {
	if from == to {
		return true
	}
	if api.Ended(from) {
		return false
	}
	switch to {
	case api.Rejected:
		return from == "PENDING"
	case "CANCEL_PENDING":
		return line[from] < line["PICKED_UP"]
	case api.Cancelled:
		return from != "PICKED_UP"
	case api.Undeliverable:
		return true
	}
	if from == "CANCEL_PENDING" { // refused: back to how far it was
		return line[to] > 0
	}
	return line[to] > line[from]
}

// Track is what the live stream told of one order.
type Track struct {
	Sequence  int64
	Status    string
	backwards []string // changes of the status that no order makes (I7)
	unordered int      // views that came later than a newer one (I8)
}

// Hear takes the next view, and tells whether it says something new: one that was told before, as after a reconnection, does not.
func (t *Track) Hear(sequence int64, status string) bool {
	switch {
	case sequence < t.Sequence:
		t.unordered++
		return false
	case sequence == t.Sequence:
		return false
	}
	if t.Sequence > 0 && !Forward(t.Status, status) {
		t.backwards = append(t.backwards, t.Status+" → "+status)
	}
	t.Sequence, t.Status = sequence, status
	return true
}

// Tracked reports what must not have happened to an order's view.
func (f *Found) Tracked(orderID string, t Track) {
	for _, change := range t.backwards {
		f.Violated("I7", "order %s changed %s", orderID, change)
	}
	if t.unordered > 0 {
		f.Violated("I8", "%d views of order %s came after newer ones", t.unordered, orderID)
	}
}
