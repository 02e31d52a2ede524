package work

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// Time says which clock tells when an item is due.
type Time uint8

const (
	Wall   Time = iota // retries, step time-outs, reconciliation
	Domain             // what the business counts in: expiry, offers, rounds
)

// Handler does what an item asks for. It runs outside of any transaction, under a
// deadline (Config.Timeout), and records its answer by c.Record. Returning nil
// without having ended the item finishes it; an error has it tried again later.
type Handler func(ctx context.Context, c *Claim) error

// Config tunes a queue. Zero fields mean the default.
type Config struct {
	Workers    int           // items handled at once; 32
	Timeout    time.Duration // deadline of one handling; 30 s
	Lease      time.Duration // how long a claim holds unless recorded anew, more than Timeout; twice Timeout
	BackOff    time.Duration // wait after the first failure, doubled with each further one; 50 ms
	MaxBackOff time.Duration // longest wait; 30 s
	StuckAfter int           // failures in a row that make an item stuck; 10
	Drain      time.Duration // how long handlers may go on after Run was told to end; 5 s
	Poll       time.Duration // how often to look for what nobody was woken for; 5 s
}

func (c Config) withDefaults() Config {
	c.Workers = cmp.Or(c.Workers, 32)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.Lease = cmp.Or(c.Lease, 2*c.Timeout)
	c.BackOff = cmp.Or(c.BackOff, 50*time.Millisecond)
	c.MaxBackOff = cmp.Or(c.MaxBackOff, 30*time.Second)
	c.StuckAfter = cmp.Or(c.StuckAfter, 10)
	c.Drain = cmp.Or(c.Drain, 5*time.Second)
	c.Poll = cmp.Or(c.Poll, 5*time.Second)
	return c
}

// Queue is the due work of one module. Register all kinds with Handle, then Run.
type Queue struct {
	db      *database.DB
	clock   *clock.Clock
	config  Config
	log     *slog.Logger
	metrics *metrics

	kinds  map[string]kind
	tokens atomic.Int64 // the last that was given: see token

	ready   *line         // claimed, waiting for a worker
	running atomic.Bool   // Run has begun and not been told to end
	backlog atomic.Bool   // more is due in the table than ready holds: nothing may jump the queue
	wakeup  chan struct{} // capacity 1: look at the table, or at due, again

	mu  sync.Mutex
	due [2]time.Time // by Time: when the next known item in the table is due; zero: none known
}

type kind struct {
	name   string
	on     Time
	handle Handler
}

// New makes a queue over the table work of the module's database.
func New(db *database.DB, clk *clock.Clock, cfg Config, log *slog.Logger, reg prometheus.Registerer) *Queue {
	cfg = cfg.withDefaults()
	q := &Queue{
		db:     db,
		clock:  clk,
		config: cfg,
		log:    log.With("module", db.Module()),
		kinds:  map[string]kind{},
		ready:  newLine(),
		wakeup: make(chan struct{}, 1),
	}
	q.metrics = newMetrics(db.Module(), q, reg)
	return q
}

// Handle registers the handler of a kind, and the clock that its instants are on.
// It must be called before Schedule and Run see the kind; twice for one kind is a
// programming error and panics.
func (q *Queue) Handle(name string, on Time, h Handler) {
	if _, ok := q.kinds[name]; ok || q.running.Load() {
		panic(fmt.Sprintf("work: kind %s registered twice or too late", name))
	}
	q.kinds[name] = kind{name: name, on: on, handle: h}
}

// Schedule asks, when tx commits, for a run of the kind's handler for key, once
// due has come on the kind's clock. There is at most one item for a kind and key:
//   - if one waits, the earlier due wins, and a non-nil payload replaces the old;
//   - if one waits to be tried again after a failure, it keeps that time;
//   - if one is being handled, the handler runs once more after it has ended.
//
// It fails with Internal for an unknown kind or an empty key, and otherwise as tx
// does.
func (q *Queue) Schedule(tx *database.Tx, kind, key string, due time.Time, payload []byte) error {
	k, ok := q.kinds[kind]
	if !ok || key == "" {
		return fault.Internal(fmt.Errorf("work: no kind %q or no key (%q)", kind, key), "work_misused")
	}
	rows, err := rowsOf(tx, key)
	if err != nil {
		return err
	}
	item := rows.of(kind)
	switch {
	case item == nil:
		item = &row{key: key, kind: kind, clock: k.on, due: micros(due), payload: payload, origin: originOf(tx)}
		return q.place(tx, rows, item, insertRow)
	case item.lease != 0:
		item.renew(micros(due))
	case item.attempts > 0:
	case item.clock != k.on || micros(due) < item.due:
		item.clock, item.due = k.on, micros(due)
	case payload == nil:
		return nil // it waits already, not later than this
	}
	if payload != nil {
		item.payload = payload
	}
	item.origin = originOf(tx)
	if item.lease != 0 || item.attempts > 0 {
		return updateRow(tx, item)
	}
	return q.place(tx, rows, item, updateRow)
}

// Cancel takes the item back when tx commits, if there is one. If it has been claimed
// the handler may still run, but its record fails with ErrLeaseLost. A handler does
// not cancel itself, it finishes.
func (q *Queue) Cancel(tx *database.Tx, kind, key string) error {
	return tx.ExecLater(`DELETE FROM work WHERE key = ? AND kind = ?`, key, kind)
}

// place writes a free item down. If it is due, its key is free and there is room,
// it is written down as claimed and goes to a worker right after commit, which
// saves the transaction of a claim; otherwise the dispatcher learns when it is due.
func (q *Queue) place(tx *database.Tx, rows rows, item *row, write func(*database.Tx, *row) error) error {
	now := q.now()
	due, held := item.dueAt(now), rows.heldByOther(item.kind, now.wall)
	if !due || held || !q.hasRoom() {
		if err := write(tx, item); err != nil {
			return err
		}
		q.announce(tx, item, due && !held)
		return nil
	}
	claim := q.claim(item, now)
	if err := write(tx, item); err != nil {
		return err
	}
	tx.AfterCommit(func() { q.ready.push(claim) })
	return nil
}

// notice is what processes tell each other that there is something to do which they
// do not do themselves.
const notice = "work"

// announce lets it be known, once tx has committed, when a free item is due: here, and
// where others share the schema also to them, unless this process will see to it. If
// it dies before, they find the item when they next sweep.
func (q *Queue) announce(tx *database.Tx, item *row, due bool) {
	on, at := item.clock, item.due
	tx.AfterCommit(func() { q.expect(on, at) })
	if q.db.Shared() && (due || !q.running.Load()) {
		tx.Notify(notice)
	}
}

// claim leases the item in memory; the caller writes it down.
func (q *Queue) claim(item *row, now instants) *Claim {
	item.lease = q.token()
	item.leaseUntil = now.wall + q.config.Lease.Microseconds()
	return &Claim{
		Kind:     item.kind,
		Key:      item.key,
		Payload:  item.payload,
		Attempts: item.attempts,
		queue:    q,
		kind:     q.kinds[item.kind],
		origin:   item.origin,
		token:    item.lease,
		until:    item.leaseUntil,
		late:     q.late(item, now),
	}
}

func (q *Queue) hasRoom() bool {
	return q.running.Load() && !q.backlog.Load() && q.ready.len() < q.room()
}

// room is how many claimed items may wait in memory.
func (q *Queue) room() int { return 16 * q.config.Workers }

// instants are the present on both clocks, in microseconds.
type instants struct{ wall, domain int64 }

func (n instants) on(t Time) int64 {
	if t == Domain {
		return n.domain
	}
	return n.wall
}

func (q *Queue) now() instants {
	return instants{wall: micros(q.clock.Wall()), domain: micros(q.clock.Now())}
}

// late is how long ago, on the wall, the item became due.
func (q *Queue) late(item *row, now instants) time.Duration {
	late := time.Duration(max(0, now.on(item.clock)-item.due)) * time.Microsecond
	if item.clock == Domain {
		return time.Duration(float64(late) / q.clock.Speed())
	}
	return late
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// ErrLeaseLost says that the item is no longer the claim's: it was cancelled, or
// the lease expired and somebody else has it. Nothing was recorded.
var ErrLeaseLost = errors.New("work: the lease of this item is lost")
