package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"

	"kerf/platform/bus"
	"kerf/platform/database"
)

// received is a message as it was understood.
type received struct {
	topic *topic
	msg   *message.Message
	meta  bus.Meta
	// readable says that meta is complete, and can be asked the database for.
	readable bool
	handler  Handler
	known    bool // there is a handler
	event    proto.Message
	// cause is why the message has to be parked, empty while it can be handled; attempts is how often that was tried.
	cause    string
	attempts int
}

// read understands as much of a message as it can. What cannot be decoded has a cause to be parked.
func (t *topic) read(msg *message.Message) *received {
	r := &received{topic: t, msg: msg}
	var err error
	if r.meta, err = bus.MetaOf(msg); err != nil {
		r.cause = causeOf(err)
		return r
	}
	if name := unstorable(&r.meta); name != "" {
		r.cause = "the event's " + name + " is not text that a database can store"
		return r
	}
	r.readable = true
	if r.handler, r.known = t.handlers[r.meta.Type]; !r.known {
		return r
	}
	if r.event, err = r.handler.decode(r.meta.ContentType, msg.Payload); err != nil {
		r.cause = causeOf(fmt.Errorf("decode %s: %w", r.meta.Type, err))
	}
	return r
}

// id returns the event's id, or if it has none that of the message.
func (r *received) id() string {
	if r.meta.ID != "" {
		return r.meta.ID
	}
	return r.msg.UUID
}

// key returns the event's key; a message without one has a key of its own and blocks nothing.
func (r *received) key() string {
	if r.meta.Key != "" {
		return r.meta.Key
	}
	return r.id()
}

// outcome is what became of a message.
type outcome int

const (
	handled outcome = iota
	unknown         // no handler for its type
	duplicate
	parked
	queued // behind a parked one
	outcomes
)

func (o outcome) String() string {
	return [outcomes]string{"handled", "unknown", "duplicate", "parked", "queued"}[o]
}

// verdict is what was decided about a message.
type verdict struct {
	outcome outcome
	// cause is why it was parked.
	cause string
	// resume says that the queue behind which it was put should be moving, but is not.
	resume bool
}

// attempt handles a message in a transaction, or parks it if it has a cause.
func (l *Listener) attempt(ctx context.Context, r *received) (verdict, error) {
	var v verdict
	err := l.db.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		admitted := false
		if r.cause == "" {
			if admitted, err = admit(tx, r); err != nil {
				return err
			}
		}
		if !admitted {
			v, err = l.divert(tx, r)
			return err
		}
		v = verdict{}
		v.outcome, err = r.handle(ctx, tx)
		return err
	})
	return v, err
}

func (r *received) handle(ctx context.Context, tx *database.Tx) (outcome, error) {
	if !r.known {
		return unknown, nil
	}
	return handled, r.handler.handle(ctx, tx, r.meta, r.event)
}

// The three statements that move an aggregate on. The first two do so by one event only, or from none to any.
const (
	admitNext = `INSERT INTO inbox (topic, subject, sequence, event_id, handled)
		SELECT ?, ?, ?, ?, 1 WHERE NOT EXISTS (SELECT 1 FROM parked WHERE topic = ? AND key = ? AND ended = '')
		ON CONFLICT (topic, subject) DO UPDATE SET sequence = excluded.sequence, event_id = excluded.event_id, handled = inbox.handled + 1
		WHERE inbox.sequence = excluded.sequence - 1`
	admitParked = `INSERT INTO inbox (topic, subject, sequence, event_id, handled) VALUES (?, ?, ?, ?, 1)
		ON CONFLICT (topic, subject) DO UPDATE SET sequence = excluded.sequence, event_id = excluded.event_id, handled = inbox.handled + 1
		WHERE inbox.sequence = excluded.sequence - 1`
	stepOver = `INSERT INTO inbox (topic, subject, sequence, event_id, handled) VALUES (?, ?, ?, ?, 0)
		ON CONFLICT (topic, subject) DO UPDATE SET sequence = excluded.sequence, event_id = excluded.event_id
		WHERE inbox.sequence < excluded.sequence`
)

// admit moves the aggregate on to the event, if that is its next and its key is not blocked.
func admit(tx *database.Tx, r *received) (bool, error) {
	m := &r.meta
	return changed(tx.Exec(admitNext, r.topic.name, m.Subject, m.Sequence, m.ID, r.topic.name, m.Key))
}

func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// divert decides about a message that is not to be handled now: it is a duplicate, or waits behind a parked one, or is parked itself.
func (l *Listener) divert(tx *database.Tx, r *received) (verdict, error) {
	v := verdict{outcome: parked, cause: r.cause}
	if !r.readable {
		return v, l.park(tx, r, v.cause)
	}
	last, err := lastOf(tx, r)
	if err != nil {
		return v, err
	}
	if last.seen(r) {
		return verdict{outcome: duplicate}, nil
	}
	head, blocked, err := headOf(tx, r)
	if err != nil {
		return v, err
	}
	if blocked {
		return verdict{outcome: queued, resume: head == ""}, l.park(tx, r, "")
	}
	if err := last.follows(r); err != nil {
		v.cause = causeOf(err)
	}
	return v, l.park(tx, r, v.cause)
}

// mark is how far an aggregate was handled; its zero value says not at all.
type mark struct {
	sequence int64
	eventID  string
}

func lastOf(tx *database.Tx, r *received) (mark, error) {
	var last mark
	err := tx.QueryRow(`SELECT sequence, event_id FROM inbox WHERE topic = ? AND subject = ?`, r.topic.name, r.meta.Subject).
		Scan(&last.sequence, &last.eventID)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return last, err
}

// seen tells whether the event was handled before.
func (m mark) seen(r *received) bool {
	return r.meta.Sequence < m.sequence || r.meta.Sequence == m.sequence && r.meta.ID == m.eventID
}

// follows returns an error unless the event, which was not seen, is the next.
func (m mark) follows(r *received) error {
	switch {
	case m.sequence == 0 || r.meta.Sequence == m.sequence+1:
		return nil
	case r.meta.Sequence == m.sequence:
		return fmt.Errorf("sequence %d of %s was event %s: the publisher's log has forked", m.sequence, r.meta.Subject, m.eventID)
	default:
		return fmt.Errorf("gap: %s is at sequence %d, this is %d", r.meta.Subject, m.sequence, r.meta.Sequence)
	}
}

// headOf returns the cause of the first message in the key's queue, and whether there is a queue.
func headOf(tx *database.Tx, r *received) (cause string, blocked bool, err error) {
	err = tx.QueryRow(`SELECT cause FROM parked WHERE topic = ? AND key = ? AND ended = '' ORDER BY number LIMIT 1`, r.topic.name,
		storable(r.key())).Scan(&cause)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return cause, err == nil, err
}

// park adds a message to its key's queue. One that is there already, or was, is not added again.
func (l *Listener) park(tx *database.Tx, r *received, cause string) error {
	metadata, err := json.Marshal(r.msg.Metadata)
	if err != nil {
		return fmt.Errorf("park %s: %w", r.id(), err)
	}
	payload := []byte(r.msg.Payload)
	if payload == nil {
		payload = []byte{}
	}
	m := &r.meta
	return tx.ExecLater(`INSERT INTO parked (topic, event_id, type, source, subject, key, sequence, metadata, payload, cause, attempts, parked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (topic, event_id) DO NOTHING`,
		r.topic.name, storable(r.id()), storable(m.Type), storable(m.Source), storable(m.Subject), storable(r.key()), m.Sequence,
		string(metadata), payload, cause, r.attempts, database.Micros(l.clock.Wall()))
}
