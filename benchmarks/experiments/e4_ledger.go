package experiments

import (
	"fmt"
	"sync"
	"time"

	"kerf/platform/bus"
)

// ledger knows what was published and what was handled.
type ledger struct {
	mu         sync.Mutex
	published  map[string]int64 // by key: the last sequence
	seen       map[string]int64
	due        map[string]time.Time // by id: when the message was to be published
	count      int64                // handled
	credit     chan struct{}
	violations map[string]int
	told       []string
	// observe is told of each message that was due.
	observe func(intended, handled time.Time)
}

func newLedger() *ledger {
	return &ledger{
		published: map[string]int64{}, seen: map[string]int64{}, due: map[string]time.Time{}, credit: make(chan struct{}, busCredit),
		violations: map[string]int{},
	}
}

func (l *ledger) take(key string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published[key]++
	return l.published[key]
}

func (l *ledger) expect(id string, intended time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due[id] = intended
}

func (l *ledger) handled(meta bus.Meta, err error, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	switch last := l.seen[meta.Key]; {
	case err != nil:
		l.violate("I8", fmt.Sprintf("a message cannot be read: %v", err))
	case meta.Sequence <= last:
		l.violate("I8", fmt.Sprintf("number %d of %s came after %d: doubled, or out of order", meta.Sequence, meta.Key, last))
		return // it has had its place in the credit
	case meta.Sequence > last+1:
		l.violate("I8", fmt.Sprintf("number %d of %s came after %d: one is lost, or out of order", meta.Sequence, meta.Key, last))
	}
	l.seen[meta.Key] = max(l.seen[meta.Key], meta.Sequence)
	if intended, ok := l.due[meta.ID]; ok {
		delete(l.due, meta.ID)
		l.observe(intended, at)
	}
	select {
	case <-l.credit:
	default: // one that was published without credit
	}
}

// violate counts a violation.
func (l *ledger) violate(invariant, words string) {
	l.violations[invariant]++
	l.tell(words)
}

// tell keeps the first few words.
func (l *ledger) tell(words string) {
	if len(l.told) < 5 {
		l.told = append(l.told, words)
	}
}

func (l *ledger) handledSoFar() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// missing is how many messages were published and not handled.
func (l *ledger) missing() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, last := range l.published {
		n += last - l.seen[key]
	}
	return n
}

// lose counts what was published and not handled, and gives up on it.
func (l *ledger) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, last := range l.published {
		if missing := last - l.seen[key]; missing > 0 {
			l.violations["I10"] += int(missing)
			l.tell(fmt.Sprintf("%d messages of %s were published and not handled within %v", missing, key, busDrain))
			l.seen[key] = last
		}
	}
	for len(l.credit) > 0 {
		<-l.credit
	}
}
