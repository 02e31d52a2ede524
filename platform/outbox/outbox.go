package outbox

import (
	"context"
	"fmt"
	"sync"
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

	wake chan struct{} // has a token when the relay has something to take

	mu       sync.Mutex
	held     []row // committed, not yet taken by the relay, in order of number
	overflow bool  // rows were left out of held
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
	nextSequence = `INSERT INTO outbox_subject (subject, sequence) VALUES (?, 1)
		ON CONFLICT (subject) DO UPDATE SET sequence = sequence + 1 RETURNING sequence`
	insertRow = `INSERT INTO outbox (event_id, type, schema_version, subject, key, sequence, time, correlation_id, causation_id,
		trace_parent, data, partition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
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
	if err := tx.QueryRow(nextSequence, subject).Scan(&m.Sequence); err != nil {
		return fmt.Errorf("append %s: %w", eventType, err)
	}
	result, err := tx.Exec(insertRow, m.ID, m.Type, m.SchemaVersion, m.Subject, m.Key, m.Sequence, database.Micros(m.Time),
		m.CorrelationID, m.CausationID, m.TraceParent, data, r.partition)
	if err != nil {
		return fmt.Errorf("append %s: %w", eventType, err)
	}
	if r.number, err = result.LastInsertId(); err != nil {
		return fmt.Errorf("append %s: %w", eventType, err)
	}
	tx.AfterCommit(func() { o.hold(r) })
	return nil
}

// hold keeps a committed row for the relay.
func (o *Outbox) hold(r row) {
	o.mu.Lock()
	if o.overflow || len(o.held) >= maxHeld {
		o.held, o.overflow = nil, true
	} else {
		o.held = append(o.held, r)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns the rows committed since the last call, or overflow if the caller has to read them from the table.
func (o *Outbox) take() (rows []row, overflow bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rows, overflow = o.held, o.overflow
	o.held, o.overflow = nil, false
	return rows, overflow
}
