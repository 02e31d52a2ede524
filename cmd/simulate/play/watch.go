package play

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"kerf/cmd/simulate/api"
)

// watch is what the live stream of all orders has told. It wakes who waits for an order, measures when an order is seen to be approved, and
// notes what must not happen to a view.
type watch struct {
	mu     sync.Mutex
	tracks map[string]*track
}

// track is one order in the stream.
type track struct {
	view      api.View
	approved  time.Time     // on the wall, when the stream first told that orders had approved; zero before
	changed   chan struct{} // closed at the next change
	backwards []string      // changes of the status that no order makes (I7)
	unordered int           // views that came later than a newer one (I8)
}

func newWatch() *watch { return &watch{tracks: map[string]*track{}} }

// follow hears the stream until ctx ends or the stream cannot be had.
func (w *watch) follow(ctx context.Context, staff *api.Caller, connected func()) error {
	return staff.Follow(ctx, "/v1/tracking/events", connected, w.hear)
}

func (w *watch) hear(event api.Event) {
	if event.Name != "view" {
		return // where couriers are
	}
	now := time.Now()
	var view api.View
	if json.Unmarshal(event.Data, &view) != nil || view.OrderID == "" {
		return // the order's page is asked for when the stream tells nothing
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.track(view.OrderID)
	switch {
	case view.Sequence < t.view.Sequence:
		t.unordered++
		return
	case view.Sequence == t.view.Sequence:
		return // told again after a reconnection
	}
	if t.view.Sequence > 0 && !forward(t.view.Status, view.Status) {
		t.backwards = append(t.backwards, t.view.Status+" → "+view.Status)
	}
	if t.approved.IsZero() && view.Order != nil && view.Order.State != "PENDING" && view.Order.State != api.Rejected {
		t.approved = now
	}
	t.view = view
	close(t.changed)
	t.changed = make(chan struct{})
}

func (w *watch) track(orderID string) *track {
	t := w.tracks[orderID]
	if t == nil {
		t = &track{changed: make(chan struct{})}
		w.tracks[orderID] = t
	}
	return t
}

// changed gives a channel that is closed when the stream next tells of the order.
func (w *watch) changed(orderID string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.track(orderID).changed
}

// view is the order as last told, and when it was first told to be approved.
func (w *watch) view(orderID string) (view api.View, approved time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.track(orderID)
	return t.view, t.approved
}

// faults are what must not have happened to an order's view.
func (w *watch) faults(orderID string) (backwards []string, unordered int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.track(orderID)
	return t.backwards, t.unordered
}

// line is the way of an order that nothing happens to.
var line = map[string]int{"PENDING": 0, "APPROVED": 1, "ACCEPTED": 2, "PREPARING": 3, "READY": 4, "PICKED_UP": 5, api.Delivered: 6}

// forward tells whether an order's status may change so; what lies between may be skipped.
func forward(from, to string) bool {
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
