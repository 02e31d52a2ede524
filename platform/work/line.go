package work

import "sync"

// line is the queue in memory of claims that wait for a worker, first come first
// served. It has no bound of its own: push is called after a commit, must not
// block and cannot refuse; Queue.hasRoom keeps it short.
type line struct {
	mu      sync.Mutex
	come    sync.Cond
	waiting []*Claim
	closed  bool
}

func newLine() *line {
	l := &line{}
	l.come.L = &l.mu
	return l
}

func (l *line) push(claims ...*Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, claims...)
	for range claims {
		l.come.Signal()
	}
}

// take waits for a claim; false once the line is closed.
func (l *line) take() (*Claim, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 && !l.closed {
		l.come.Wait()
	}
	if l.closed {
		return nil, false
	}
	claim := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return claim, true
}

func (l *line) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// open lets take wait again.
func (l *line) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = false
}

// close ends every take. Claims that nobody took are left for rest.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.come.Broadcast()
}

// rest empties the line.
func (l *line) rest() []*Claim {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.waiting
	l.waiting = nil
	return rest
}
