package outbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/ids"
)

// Partitions is how many partitions the log has, by event key. It is fixed, since readers keep a position for each, and has nothing
// to do with the partitions of a bus.
const Partitions = 16

// maxHeld bounds the committed rows that wait in memory for the relay; beyond, it reads them from the table.
const maxHeld = 4096

// committed is the notice that other processes get when rows were committed.
const committed = "outbox"

// Clock tells domain time and wall time.
type Clock interface {
	Now() time.Time
	Wall() time.Time
}

// Outbox writes and reads the log of one module. All methods may be called concurrently.
type Outbox struct {
	db     *database.DB
	source string
	clock  Clock

	relaying atomic.Bool   // this process is the one that publishes
	wake     chan struct{} // has a token when the relay has something to take

	mu     sync.Mutex
	held   []row // committed, not yet taken by the relay, in order of number
	unread bool  // there are rows that held leaves out, and only the table has
}

// row is an event in the table.
type row struct {
	number    int64
	partition int
	position  int64 // 0 until it was published
	meta      bus.Meta
	data      []byte
}

// New returns the outbox of the module source, which keeps its rows in db.
func New(db *database.DB, source string, clock Clock) *Outbox {
	return &Outbox{db: db, source: source, clock: clock, wake: make(chan struct{}, 1)}
}

const (
	countSubject = `INSERT INTO outbox_subject (subject, sequence) VALUES (?, 1)
		ON CONFLICT (subject) DO UPDATE SET sequence = outbox_subject.sequence + 1`
	// insertRow takes the sequence from where countSubject has just put it, so that neither has to be waited for.
	insertRow = `INSERT INTO outbox (event_id, type, schema_version, subject, key, sequence, time, correlation_id, causation_id,
		trace_parent, data, partition) SELECT ?, ?, ?, subject, ?, sequence, ?, ?, ?, ?, ?, ? FROM outbox_subject WHERE subject = ?`
	returning = ` RETURNING number, sequence`
)

// Append records in tx that event happened to the aggregate subject. It is published after the commit, after all earlier events of
// the same key. The key is the order's id for everything about an order, else the aggregate's own; an aggregate has one key.
// Correlation, causation and trace are taken from ctx.
func (o *Outbox) Append(ctx context.Context, tx *database.Tx, key, subject string, event proto.Message) error {
	eventType, version := bus.TypeOf(event)
	if key == "" || subject == "" {
		return fmt.Errorf("append %s: key %q and subject %q must not be empty", eventType, key, subject)
	}
	data, err := proto.Marshal(event)
	if err != nil {
		return fmt.Errorf("append %s: %w", eventType, err)
	}
	r := row{
		partition: bus.Partition(key, Partitions),
		data:      data,
		meta: bus.Meta{
			ID: ids.New(), Type: eventType, Source: o.source, Subject: subject, Key: key,
			Time: o.clock.Now(), SchemaVersion: version, TraceParent: bus.TraceParentOf(ctx),
		},
	}
	m := &r.meta
	m.CorrelationID, m.CausationID = bus.CauseOf(ctx)
	if m.CorrelationID == "" {
		m.CorrelationID = m.ID
	}
	if err := o.insert(tx, &r); err != nil {
		return fmt.Errorf("append %s: %w", eventType, err)
	}
	return nil
}

// insert writes a row, and has the relay know of it once it is committed. In a schema that only this process writes to, the row is
// handed over in memory. In one that is shared the relay may be elsewhere, and where it is here it reads the table: who writes
// holds up the writers of all processes, and so does not wait to hear the row's number.
func (o *Outbox) insert(tx *database.Tx, r *row) error {
	m := &r.meta
	if err := tx.ExecLater(countSubject, m.Subject); err != nil {
		return err
	}
	args := []any{m.ID, m.Type, m.SchemaVersion, m.Key, database.Micros(m.Time), m.CorrelationID, m.CausationID, m.TraceParent, r.data,
		r.partition, m.Subject}
	if o.db.Shared() {
		if o.relaying.Load() {
			tx.AfterCommit(o.look)
		} else {
			tx.Notify(committed)
		}
		return tx.ExecLater(insertRow, args...)
	}
	if err := tx.QueryRow(insertRow+returning, args...).Scan(&r.number, &m.Sequence); err != nil {
		return err
	}
	tx.AfterCommit(func() { o.hold(*r) })
	return nil
}

// hold keeps a committed row for the relay, if it is at work: when it begins, it reads the table.
func (o *Outbox) hold(r row) {
	if !o.relaying.Load() {
		return
	}
	o.mu.Lock()
	if o.unread || len(o.held) >= maxHeld {
		o.held, o.unread = nil, true
	} else {
		o.held = append(o.held, r)
	}
	o.mu.Unlock()
	o.remind()
}

// look tells the relay that the table has rows that it has not been given.
func (o *Outbox) look() {
	o.mu.Lock()
	o.held, o.unread = nil, true
	o.mu.Unlock()
	o.remind()
}

func (o *Outbox) remind() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns the rows committed since the last call, or unread if the caller has to read the table.
func (o *Outbox) take() (rows []row, unread bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rows, unread = o.held, o.unread
	o.held, o.unread = nil, false
	return rows, unread
}
