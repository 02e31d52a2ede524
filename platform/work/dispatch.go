package work

import (
	"context"
	"slices"
	"strings"
	"time"

	"kerf/platform/clock"
	"kerf/platform/database"
)

// dispatch claims what the table has due, whenever something may have become so:
// an instant has come, a worker or a commit woke it, or it is time to poll.
func (q *Queue) dispatch(ctx context.Context) {
	d := &dispatcher{queue: q, kinds: q.kindNames()}
	poll := q.clock.Wall() // at once: a previous process may have left something
	for {
		alarm := q.alarm(poll, d.full)
		select {
		case <-ctx.Done():
			alarm.stop()
			return
		case <-q.wakeup:
		case <-alarm.poll.C:
			poll = q.clock.Wall().Add(q.config.Poll)
			d.sweep(ctx)
		case <-alarm.wall:
		case <-alarm.domain:
		}
		alarm.stop()
		if q.isDue() || q.backlog.Load() {
			d.pass(ctx)
		}
	}
}

// expect lets the dispatcher know that an item in the table will be due.
func (q *Queue) expect(on Time, due int64) {
	at := time.UnixMicro(due)
	q.mu.Lock()
	earlier := q.due[on].IsZero() || at.Before(q.due[on])
	if earlier {
		q.due[on] = at
	}
	q.mu.Unlock()
	if earlier {
		q.wake()
	}
}

func (q *Queue) wake() {
	select {
	case q.wakeup <- struct{}{}:
	default: // it is awake
	}
}

// lookAgain has the dispatcher look for due items although it expects none.
func (q *Queue) lookAgain() { q.expect(Wall, 0) }

func (q *Queue) expected() [2]time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.due
}

func (q *Queue) isDue() bool {
	due, now := q.expected(), q.now()
	for on, at := range due {
		if !at.IsZero() && micros(at) <= now.on(Time(on)) {
			return true
		}
	}
	return false
}

// alarm is what the dispatcher sleeps on. A nil channel never fires.
type alarm struct {
	poll         *clock.Timer
	wall, domain <-chan struct{}
	timers       []*clock.Timer
}

func (q *Queue) alarm(poll time.Time, full bool) alarm {
	due := q.expected()
	a := alarm{poll: q.clock.WallTimer(poll)}
	a.timers = append(a.timers, a.poll)
	if full {
		return a
	}
	if at := due[Wall]; !at.IsZero() {
		timer := q.clock.WallTimer(at)
		a.wall, a.timers = timer.C, append(a.timers, timer)
	}
	if at := due[Domain]; !at.IsZero() {
		timer := q.clock.Timer(at)
		a.domain, a.timers = timer.C, append(a.timers, timer)
	}
	return a
}

func (a alarm) stop() {
	for _, t := range a.timers {
		t.Stop()
	}
}

type dispatcher struct {
	queue *Queue
	kinds []any // names, as arguments of a statement
	full  bool  // memory holds enough: a worker wakes us when it does not, and what is due waits till then
}

func (q *Queue) kindNames() []any {
	var names []any
	for name := range q.kinds {
		names = append(names, name)
	}
	return names
}

// in is the list of placeholders for the kinds; never empty, which SQL refuses.
func (d *dispatcher) in() string {
	return "(NULL" + strings.Repeat(", ?", len(d.kinds)) + ")"
}

// pass claims what is due, as much as memory should hold, and learns when the next
// item is.
func (d *dispatcher) pass(ctx context.Context) {
	q := d.queue
	if d.full = !q.halfEmpty(); d.full {
		q.backlog.Store(true)
		if !q.halfEmpty() { // asked again: a worker that took one meanwhile saw no backlog
			return
		}
		d.full = false
	}
	room := q.room() - q.ready.len()
	q.mu.Lock()
	q.due = [2]time.Time{} // from here on, expect adds what the transaction cannot see
	q.mu.Unlock()
	var (
		claims []*Claim
		next   [2]time.Time
	)
	err := q.db.Write(ctx, func(_ context.Context, tx *database.Tx) (err error) {
		claims = claims[:0]
		now := q.now()
		for _, on := range []Time{Wall, Domain} {
			found, err := d.claimDue(tx, on, now, room-len(claims))
			if err != nil {
				return err
			}
			claims = append(claims, found...)
			if next[on], err = d.nextDue(tx, on, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if ctx.Err() == nil {
			q.log.Warn("due work not claimed", "error", err)
			q.expect(Wall, micros(q.clock.Wall().Add(retryPass)))
		}
		return
	}
	q.backlog.Store(len(claims) >= room)
	q.ready.push(claims...)
	for on, at := range next {
		if !at.IsZero() {
			q.expect(Time(on), micros(at))
		}
	}
}

// halfEmpty tells that it pays to claim more.
func (q *Queue) halfEmpty() bool { return q.ready.len() <= q.room()/2 }

// retryPass is how long to wait after the database failed.
const retryPass = time.Second

// claimDue leases up to limit free items that are due, those due first, one a key,
// and none whose key is held.
func (d *dispatcher) claimDue(tx *database.Tx, on Time, now instants, limit int) ([]*Claim, error) {
	if limit <= 0 {
		return nil, nil
	}
	args := slices.Concat([]any{on, now.on(on)}, d.kinds, []any{now.wall, limit})
	found, err := tx.Query(`SELECT `+columns+` FROM work AS w
		WHERE lease = 0 AND clock = ? AND due <= ? AND kind IN `+d.in()+`
		AND NOT EXISTS (SELECT 1 FROM work AS h WHERE h.key = w.key AND h.lease <> 0 AND h.lease_until > ?)
		ORDER BY due LIMIT ?`, args...)
	if err != nil {
		return nil, err
	}
	items, err := scanRows(found)
	if err != nil {
		return nil, err
	}
	var claims []*Claim
	taken := map[string]bool{}
	for _, item := range items {
		if taken[item.key] {
			continue // handed on when the first of the key ends
		}
		taken[item.key] = true
		claims = append(claims, d.queue.claim(item, now))
		if err := leaseRow(tx, item); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// nextDue is when the next item that is not due yet will be; zero if there is none.
// What is due and free but was not claimed is of a held key, and handed on.
func (d *dispatcher) nextDue(tx *database.Tx, on Time, now instants) (time.Time, error) {
	args := slices.Concat([]any{on, now.on(on)}, d.kinds)
	var due *int64
	err := tx.QueryRow(`SELECT min(due) FROM work WHERE lease = 0 AND clock = ? AND due > ? AND kind IN `+d.in(), args...).Scan(&due)
	if err != nil || due == nil {
		return time.Time{}, err
	}
	return time.UnixMicro(*due), nil
}

// sweep looks, without writing, for what nobody was woken for: items of a process
// that ended without a word, whose leases are worth nothing or have expired, and due
// items that are free. It has the next pass find them.
func (d *dispatcher) sweep(ctx context.Context) {
	q := d.queue
	if err := q.freeLost(ctx); err != nil && ctx.Err() == nil {
		q.log.Warn("leases of others not looked through", "error", err)
	}
	for _, on := range []Time{Wall, Domain} {
		var due *int64
		args := slices.Concat([]any{on}, d.kinds)
		err := q.db.QueryRow(ctx, `SELECT min(due) FROM work WHERE lease = 0 AND clock = ? AND kind IN `+d.in(), args...).Scan(&due)
		if err == nil && due != nil {
			q.expect(on, *due)
		}
	}
}
