package outbox

import "sync"

// flights are the rows that were handed to the publisher and are not yet known to be settled in the table. A row stays here until
// the next search of the table begins, so that a search that read it before it was marked does not send it again.
type flights struct {
	wake chan struct{} // has a token when there is something to mark

	mu    sync.Mutex
	rows  map[int64]*flight
	dirty []int64 // rows that changed since they were marked; may name one twice
}

// flight is what became of one row.
type flight struct {
	position int64 // 0 until published
	settled  bool
	// What the table says.
	marked flightMark
}

type flightMark uint8

const (
	markedNothing flightMark = iota
	markedPublished
	markedSettled
)

func newFlights() *flights {
	return &flights{wake: make(chan struct{}, 1), rows: map[int64]*flight{}}
}

// begin notes that the row is handed to the publisher now; false if it was before.
func (f *flights) begin(r row) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows[r.number] != nil {
		return false
	}
	state := &flight{}
	if r.position > 0 {
		state.marked = markedPublished
	}
	f.rows[r.number] = state
	return true
}

// abort notes that the row was not published.
func (f *flights) abort(number int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.rows, number)
}

// published notes the position of a row.
func (f *flights) published(number, position int64, settled bool) {
	f.change(number, func(state *flight) {
		state.position = position
		state.settled = state.settled || settled
	})
}

// settle notes that a row is settled; the bus may say so before Publish returns.
func (f *flights) settle(number int64) {
	f.change(number, func(state *flight) { state.settled = true })
}

func (f *flights) change(number int64, change func(*flight)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.rows[number]
	if state == nil {
		return // aborted: its message was published all the same, and the row will be again
	}
	change(state)
	if state.position == 0 {
		return
	}
	f.dirty = append(f.dirty, number)
	f.remind()
}

// remind wakes who marks.
func (f *flights) remind() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// mark is what the table is to be told about a row.
type mark struct {
	number   int64
	position int64
	settled  bool
	first    bool // the row has no position in the table yet
}

// takeMarks returns what the table does not know yet, in the order in which it happened.
func (f *flights) takeMarks() []mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	marks := make([]mark, 0, len(f.dirty))
	seen := make(map[int64]bool, len(f.dirty))
	for _, number := range f.dirty {
		state := f.rows[number]
		if state == nil || seen[number] || state.is() == state.marked {
			continue
		}
		seen[number] = true
		marks = append(marks, mark{number, state.position, state.settled, state.marked == markedNothing})
	}
	f.dirty = nil
	return marks
}

func (s *flight) is() flightMark {
	if s.settled {
		return markedSettled
	}
	return markedPublished
}

// marked notes that the table knows; with ok false that it does not, and has to be told again.
func (f *flights) marked(marks []mark, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range marks {
		state := f.rows[m.number]
		switch {
		case !ok:
			f.dirty = append(f.dirty, m.number)
		case m.settled:
			state.marked = markedSettled
		default:
			state.marked = markedPublished
		}
	}
}

// forgetSettled drops the rows that the table knows to be settled.
func (f *flights) forgetSettled() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for number, state := range f.rows {
		if state.marked == markedSettled {
			delete(f.rows, number)
		}
	}
}
