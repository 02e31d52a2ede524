package internal

import (
	"sync"
	"time"
)

// tracks are what is known of the couriers without asking the disc: where they were last seen, and the version that was last
// committed, so that a report costs no transaction and a poll that finds nothing new no query. It is filled as couriers are asked
// for, and kept in step by every commit that changes a courier; this process is the only one that does. Positions are ahead of the
// database by up to Config.WriteEvery.
type tracks struct {
	mu sync.Mutex
	by map[string]*track
}

// track is one courier.
type track struct {
	version int64 // as committed
	state   CourierState
	has     *Delivery // what the courier is offered or has, as committed; never changed
	seen    report    // the latest
	written int64     // sequence of the report that is in the database
	movedAt time.Time // on the wall: when CourierMoved was last published
}

func newTracks() *tracks { return &tracks{by: map[string]*track{}} }

// committed takes note of a courier as a transaction has left it, with the delivery that it has. What is older than what is known is
// passed over: it was read before a commit that has been noted.
func (t *tracks) committed(c Courier, has *Delivery) {
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
	known.version, known.state, known.has = c.Version, c.State, has
	known.written = max(known.written, c.Sequence)
	if c.Sequence > known.seen.sequence || !c.LocatedAt.IsZero() && c.LocatedAt.After(known.seen.at) {
		known.seen = report{c.Position, c.Sequence, c.LocatedAt}
	}
}

// wrote takes note that the report of this sequence is in the database, which gave the courier a new version.
func (t *tracks) wrote(id string, sequence, version int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.by[id]; known != nil && version > known.version {
		known.version = version
		known.written = max(known.written, sequence)
	}
}

// version returns the version that a courier was last committed with, false if it is not known here.
func (t *tracks) version(id string) (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.by[id]
	if known == nil {
		return 0, false
	}
	return known.version, true
}

// lastSeen returns the latest report of a courier, false if there is none here.
func (t *tracks) lastSeen(id string) (report, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.by[id]
	if known == nil || known.seen.at.IsZero() {
		return report{}, false
	}
	return known.seen, true
}

// overlay puts the latest position into a courier that was read.
func (t *tracks) overlay(c *Courier) {
	if r, ok := t.lastSeen(c.ID); ok {
		c.seen(r)
	}
}

// sighting is what a report meant.
type sighting struct {
	known   bool // the courier is known here
	fresh   bool // it was taken, as the latest
	publish bool
	has     *Delivery
}

// see takes a report of a courier on shift, if it is newer than the last, and tells whether to publish it: not sooner than every after
// the last, on the wall.
func (t *tracks) see(id string, r report, wall time.Time, every time.Duration) sighting {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.by[id]
	if known == nil {
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
