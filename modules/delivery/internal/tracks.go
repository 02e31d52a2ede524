package internal

import (
	"sync"
	"time"
)

// tracks are what is known of the couriers without asking the database: where they were last seen, and the version that was last
// committed, so that a report costs no transaction and a poll that finds nothing new no query. It is filled as couriers are asked
// for, and kept in step by every commit of this process that changes a courier. At the notice that another process has changed one, all are
// doubted, and each is read again when it is next asked for. Positions are ahead of the database by up to Config.WriteEvery, and those
// that are reported to another process known here only once they are written down.
type tracks struct {
	mu     sync.Mutex
	by     map[string]*track
	doubts int64 // how often all were doubted
}

// track is one courier.
type track struct {
	asOf    int64 // the doubts when it was learnt: with more since, others may know better
	version int64 // as committed
	state   CourierState
	has     *Delivery // what the courier is offered or has, as committed; never changed
	seen    report    // the latest
	written int64     // sequence of the report that is in the database
	movedAt time.Time // on the wall: when CourierMoved was last published
}

func newTracks() *tracks { return &tracks{by: map[string]*track{}} }

// doubt takes note that another process has changed a courier.
func (t *tracks) doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubts++
}

// asOf is taken before a courier is read, or while it is changed, so that a doubt that comes up meanwhile holds for what is learnt.
func (t *tracks) asOf() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.doubts
}

// sure returns what is known of a courier, nil if nothing is, or not for sure.
func (t *tracks) sure(id string) *track {
	if known := t.by[id]; known != nil && known.asOf == t.doubts {
		return known
	}
	return nil
}

// committed takes note of a courier as a transaction has left it, with the delivery that it has. What is older than what is known is
// passed over: it was read before a commit that has been noted.
func (t *tracks) committed(c Courier, has *Delivery, asOf int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.by[c.ID]
	if known == nil {
		known = &track{}
		t.by[c.ID] = known
	}
	if c.Version < known.version {
		return
	}
	known.version, known.state, known.has, known.asOf = c.Version, c.State, has, max(known.asOf, asOf)
	known.written = max(known.written, c.Sequence)
	if c.Sequence > known.seen.sequence || !c.LocatedAt.IsZero() && c.LocatedAt.After(known.seen.at) {
		known.seen = report{c.Position, c.Sequence, c.LocatedAt}
	}
}

// wrote takes note that the report of this sequence is in the database, which gave the courier a new version; 0 if a later one was there.
func (t *tracks) wrote(id string, sequence, version int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.by[id]; known != nil {
		known.version = max(known.version, version)
		known.written = max(known.written, sequence)
	}
}

// version returns the version that a courier was last committed with, false if it is not known here.
func (t *tracks) version(id string) (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.sure(id)
	if known == nil {
		return 0, false
	}
	return known.version, true
}

// lastSeen returns the latest report of a courier, false if it is not known here.
func (t *tracks) lastSeen(id string) (report, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.sure(id)
	if known == nil || known.seen.at.IsZero() {
		return report{}, false
	}
	return known.seen, true
}

// overlay puts the latest report of this process into a courier that was read, if it is later.
func (t *tracks) overlay(c *Courier) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.by[c.ID]; known != nil && !known.seen.at.IsZero() {
		c.seen(known.seen)
	}
}

// sighting is what a report meant.
type sighting struct {
	known   bool // the courier is known here, and for sure if that was asked for
	fresh   bool // it was taken, as the latest
	publish bool
	has     *Delivery
}

// see takes a report of a courier on shift, if it is newer than the last, and tells whether to publish it: not sooner than every after
// the last, on the wall. Only what is known for sure counts, if surely is set.
func (t *tracks) see(id string, r report, wall time.Time, every time.Duration, surely bool) sighting {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.by[id]
	if known == nil || surely && t.sure(id) == nil {
		return sighting{}
	}
	if known.state == Offline || r.sequence <= known.seen.sequence {
		return sighting{known: true}
	}
	known.seen = r
	s := sighting{known: true, fresh: true, publish: wall.Sub(known.movedAt) >= every, has: known.has}
	if s.publish {
		known.movedAt = wall
	}
	return s
}

// unwritten returns the reports that are later than what is in the database, by courier.
func (t *tracks) unwritten() map[string]report {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found map[string]report
	for id, known := range t.by {
		if known.seen.sequence > known.written {
			if found == nil {
				found = map[string]report{}
			}
			found[id] = known.seen
		}
	}
	return found
}
