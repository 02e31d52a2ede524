package play

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// watch is what the live stream of all orders has told. It wakes who waits for an order, measures when an order is seen to be approved, and
// notes what must not happen to a view.
type watch struct {
	mu     sync.Mutex
	tracks map[string]*track
}

// track is one order in the stream.
type track struct {
	view     api.View
	told     rules.Track   // the view's sequence and status, and what is wrong with how they went
	approved time.Time     // on the wall, when the stream first told that orders had approved; zero before
	changed  chan struct{} // closed at the next change
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
	if !t.told.Hear(view.Sequence, view.Status) {
		return
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

// told is how an order's view went.
func (w *watch) told(orderID string) rules.Track {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.track(orderID).told
}
