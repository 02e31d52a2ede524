package outbox

import (
	"errors"
	"time"

	"kerf/platform/bus"
)

const (
	// firstHalt is how long a key waits after its row could not be published, and the whole relay after the bus was found to fail.
	// It doubles with each further failure.
	firstHalt = time.Second
	// longestHalt and longestOutage bound it, for a key and for all.
	longestHalt   = time.Minute
	longestOutage = 15 * time.Second
	// outage is how many failures in a row, of different keys, say that it is the bus that fails.
	outage = 3
)

// halts are the keys that wait because their row could not be published, and whether all do because the bus fails.
type halts struct {
	now  func() time.Time
	keys map[string]halt

	inARow int       // failures since something was published
	until  time.Time // nothing is sent before
}

// halt says until when a key waits, how often in a row it has failed, and whether its time is over.
type halt struct {
	until    time.Time
	failures int
	retrying bool
}

// halt makes a key wait.
func (h *halts) halt(key string) (wait time.Duration, failures int) {
	failures = h.keys[key].failures + 1
	wait = min(firstHalt<<min(failures-1, 10), longestHalt)
	h.keys[key] = halt{until: h.now().Add(wait), failures: failures}
	return wait, failures
}

func (h *halts) halted(key string) bool {
	s, ok := h.keys[key]
	return ok && !s.retrying
}

func (h *halts) free(key string) { delete(h.keys, key) }

// retry lets the keys go whose time is over. That is done only before the table is searched, which finds the row that failed before the
// key's later ones.
func (h *halts) retry() {
	now := h.now()
	for key, s := range h.keys {
		if !now.Before(s.until) {
			s.retrying = true
			h.keys[key] = s
		}
	}
}

// failed counts a failure, and returns for how long all wait if it is the bus that fails, because it says so or has too often; else 0.
func (h *halts) failed(err error) time.Duration {
	h.inARow++
	if errors.Is(err, bus.ErrUnavailable) {
		h.inARow = max(h.inARow, outage)
	}
	if h.inARow < outage {
		return 0
	}
	wait := min(firstHalt<<min(h.inARow-outage, 10), longestOutage)
	h.haltAll(wait)
	return wait
}

// succeed notes that the bus works. What had failed while it did not need not wait its time.
func (h *halts) succeed() {
	if h.inARow >= outage {
		for key, s := range h.keys {
			s.until = time.Time{}
			h.keys[key] = s
		}
	}
	h.inARow = 0
}

func (h *halts) haltAll(wait time.Duration) { h.until = h.now().Add(wait) }

// all tells whether nothing is to be sent.
func (h *halts) all() bool { return h.now().Before(h.until) }

// timer fires when something that waits may be tried again; never if nothing does.
func (h *halts) timer() *time.Timer {
	now := h.now()
	next := time.Duration(-1)
	consider := func(at time.Time) {
		if left := max(at.Sub(now), 0); next < 0 || left < next {
			next = left
		}
	}
	switch {
	case now.Before(h.until):
		consider(h.until)
	default:
		for _, s := range h.keys {
			if !s.retrying {
				consider(s.until)
			}
		}
	}
	if next < 0 {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		return timer
	}
	return time.NewTimer(next)
}
