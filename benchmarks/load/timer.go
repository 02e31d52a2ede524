package load

import (
	"context"
	"time"
)

// timer waits until instants, one after another.
type timer struct{ timer *time.Timer }

func newTimer() *timer { return &timer{} }

func (t *timer) close() {}

// wait waits until an instant; it is false if the context ended or stop was closed.
func (t *timer) wait(ctx context.Context, stop <-chan struct{}, until time.Time) bool {
	return pass(ctx, time.Until(until), stop)
}
