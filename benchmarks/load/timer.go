package load

import (
	"context"
	"time"
)

// blind is how long a timer may wait without looking whether the load has ended.
const blind = 10 * time.Millisecond

// timer waits until instants, one after another. An idle Go program wakes for its timers by the millisecond, 0.6 ms late on average; that would be half of
// the response time of a fast server. The last milliseconds are therefore slept more precisely where the system offers a way. Spinning would be more
// precise yet, and would take from the server the CPU that it shares with the load.
type timer struct{ fine *fineTimer }

// newTimer makes a timer; a coarse one sleeps by Go's timers alone.
func newTimer(coarse bool) *timer {
	if coarse {
		return &timer{}
	}
	return &timer{fine: newFineTimer()}
}

func (t *timer) close() {
	if t.fine != nil {
		t.fine.close()
	}
}

// wait waits until an instant; it is false if the context ended or stop was closed.
func (t *timer) wait(ctx context.Context, stop <-chan struct{}, until time.Time) bool {
	if t.fine == nil {
		return pass(ctx, time.Until(until), stop)
	}
	if !pass(ctx, time.Until(until)-blind, stop) {
		return false
	}
	if left := time.Until(until); left > 0 {
		t.fine.sleep(left)
	}
	return pass(ctx, 0, stop)
}
