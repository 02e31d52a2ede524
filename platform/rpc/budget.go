package rpc

import "sync/atomic"

// budget bounds retries to a share of the calls, however fast those fail. That of failsafe-go bounds how many are under way at a time,
// which a module that fails at once would not notice.
type budget struct {
	perCall int64
	saved   atomic.Int64 // in thousandths of a retry
}

const (
	oneRetry = 1000
	// mostSaved is how many retries may come at once after a quiet time, and at the start.
	mostSaved = 10 * oneRetry
)

func newBudget(share float64) *budget {
	b := &budget{perCall: int64(share * oneRetry)}
	b.saved.Store(mostSaved)
	return b
}

// deposit counts a call.
func (b *budget) deposit() {
	// A deposit that meets another one may be lost at the brim, or go a little over it; neither matters.
	if b.saved.Load() < mostSaved {
		b.saved.Add(b.perCall)
	}
}

// withdraw takes one retry, if there is one.
func (b *budget) withdraw() bool {
	if b.saved.Add(-oneRetry) < 0 {
		b.saved.Add(oneRetry)
		return false
	}
	return true
}
