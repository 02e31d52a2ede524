package play

import (
	"fmt"
	"testing"

	"kerf/cmd/simulate/api"
)

func TestTheStreamTellsWhoWaits(t *testing.T) {
	w := newWatch()
	tell := func(sequence int, status, state string) {
		w.hear(api.Event{Name: "view", Data: fmt.Appendf(nil, `{"order_id":"o","sequence":%d,"status":%q,"order":{"state":%q}}`, sequence, status, state)})
	}
	changed := w.changed("o")
	tell(1, "PENDING", "PENDING")
	select {
	case <-changed:
	default:
		t.Error("who waited was not woken")
	}
	if _, approved := w.view("o"); !approved.IsZero() {
		t.Error("approved while pending")
	}
	tell(2, "APPROVED", "APPROVED")
	_, approved := w.view("o")
	if approved.IsZero() {
		t.Error("not approved when the stream said so")
	}
	tell(3, "READY", "APPROVED")
	if _, again := w.view("o"); again != approved {
		t.Error("approved twice")
	}
	tell(2, "APPROVED", "APPROVED")
	if view, _ := w.view("o"); view.Status != "READY" || w.told("o").Sequence != 3 {
		t.Errorf("an older view replaced a newer one: %+v", view)
	}
}

func TestACourierWithTwoOrdersIsFound(t *testing.T) {
	var h holders
	h.expect("o1", &diner{})
	h.expect("o2", &diner{})
	h.took("c1", "o1")
	h.gave("c1", "o1")
	h.took("c2", "o1")
	if len(h.clashes) != 0 {
		t.Errorf("found %v where an order was passed on", h.clashes)
	}
	h.took("c3", "o1")
	h.took("c3", "o2")
	if len(h.clashes) != 2 {
		t.Errorf("found %v", h.clashes)
	}
}

func TestPercentilesAreOfTheSortedValues(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for n, want := range map[int]float64{50: 3, 90: 5, 99: 5, 1: 1} {
		if got := percentile(values, n); got != want {
			t.Errorf("p%d is %v, not %v", n, got, want)
		}
	}
	if percentile(nil, 50) != 0 || mean(nil) != 0 || mean(values) != 3 {
		t.Error("mean or nothing")
	}
}
