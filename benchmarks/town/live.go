package town

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"kerf/benchmarks/load"
	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// live is what the one stream of all orders has told. It scans views rather than decoding them, because there are a dozen for each order.
type live struct {
	mu     sync.Mutex
	tracks map[string]*track
	ended  error // why the stream is heard no more
}

// track is an order in the stream.
type track struct {
	rules.Track
	// When the stream first told that the order was so far, as rules.Reached counts, or farther; zero before.
	at      [rules.Steps]time.Time
	changed chan struct{} // closed at the next change, if somebody waits for it
}

func newLive() *live { return &live{tracks: map[string]*track{}} }

func (l *live) hear(event api.Event) {
	if event.Name != "view" {
		return // where couriers are
	}
	now := time.Now()
	order, status := text(event.Data, `"order_id":"`), text(event.Data, `"status":"`)
	_, rest, _ := bytes.Cut(event.Data, []byte(`"sequence":`)) // the view's own comes before those of its sections
	sequence := digits(rest)
	if order == "" || status == "" || sequence == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.track(order)
	if !t.Hear(sequence, status) {
		return
	}
	for reached := rules.Reached(status); reached >= 0 && t.at[reached].IsZero(); reached-- {
		t.at[reached] = now
	}
	t.wake()
}

func (t *track) wake() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (l *live) track(orderID string) *track {
	t := l.tracks[orderID]
	if t == nil {
		t = &track{}
		l.tracks[orderID] = t
	}
	return t
}

// end wakes everybody: nothing more is told.
func (l *live) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = err
	for _, t := range l.tracks {
		t.wake()
	}
}

// told is how an order went.
func (l *live) told(orderID string) rules.Track {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.track(orderID).Track
}

// unseen says that what was waited for did not show.
type unseen struct {
	what    string
	tooLate bool // it may yet, but was waited for in vain
}

func (u unseen) Error() string { return u.what }

// Kind counts a wait that was given up as one for an answer that was: its length is known to be at least so much, and belongs to the distribution.
func (u unseen) Kind() string {
	if u.tooLate {
		return load.KindDeadline
	}
	return "unseen"
}

// await waits until the stream has told that an order is so far, and returns when it first did.
func (l *live) await(ctx context.Context, orderID string, patience time.Duration, reached int) (time.Time, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		l.mu.Lock()
		t := l.track(orderID)
		at, status, broken := t.at[reached], t.Status, l.ended
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		l.mu.Unlock()
		switch {
		case !at.IsZero():
			return at, nil
		case broken != nil:
			return time.Now(), fmt.Errorf("the live stream broke: %w", broken)
		case api.Ended(status):
			return time.Now(), unseen{what: fmt.Sprintf("the order ended as %s", status)}
		}
		select {
		case <-changed:
		case <-timer.C:
			return time.Now(), unseen{fmt.Sprintf("the order is %q after %s", status, patience), true}
		case <-ctx.Done():
			return time.Now(), ctx.Err()
		}
	}
}
