package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// Parked is a message that waits for an operator, or behind one that does.
type Parked struct {
	// ID names it in this module; later ones have higher numbers.
	ID       string
	EventID  string
	Type     string
	Source   string
	Subject  string
	Key      string
	Sequence int64
	// Cause is why it is parked; empty if it only waits.
	Cause    string
	Attempts int
	ParkedAt time.Time
	// Head says that it is the first of its topic and key: the one that can be replayed or dropped.
	Head bool
}

// List returns parked messages, oldest first, limit at most, from the one after the id given; "" for the beginning.
func (l *Listener) List(ctx context.Context, after string, limit int) ([]Parked, error) {
	number := int64(0)
	if after != "" {
		var err error
		if number, err = numberOf("after", after); err != nil {
			return nil, err
		}
	}
	rows, err := l.db.Query(ctx, `SELECT number, event_id, type, source, subject, key, sequence, cause, attempts, parked_at,
			NOT EXISTS (SELECT 1 FROM parked q WHERE q.topic = p.topic AND q.key = p.key AND q.ended = '' AND q.number < p.number)
		FROM parked p WHERE ended = '' AND number > ? ORDER BY number LIMIT ?`, number, limit)
	if err != nil {
		return nil, fmt.Errorf("list parked messages: %w", err)
	}
	defer rows.Close()
	var list []Parked
	for rows.Next() {
		var p Parked
		var parkedAt int64
		if err := rows.Scan(&p.ID, &p.EventID, &p.Type, &p.Source, &p.Subject, &p.Key, &p.Sequence, &p.Cause, &p.Attempts,
			&parkedAt, &p.Head); err != nil {
			return nil, fmt.Errorf("list parked messages: %w", err)
		}
		p.ParkedAt = database.Time(parkedAt)
		list = append(list, p)
	}
	return list, rows.Err()
}

func numberOf(field, id string) (int64, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0, fault.Invalid(fault.Violation{Field: field, Description: "must be the id of a parked message"})
	}
	return number, nil
}

// Replay hands the head of a queue to its handler once more, and if that succeeds those behind it, in order, until one fails. It returns
// how many were handled: 0 if the head failed again, which is then noted with it. Asking again with the same operation key, or about a
// message that has been replayed or dropped, changes nothing and returns the same number. Errors: NotFound; Refused not_head.
func (l *Listener) Replay(ctx context.Context, id, operation string) (int, error) {
	return l.end(ctx, id, operation, "replayed", func(ctx context.Context, tx *database.Tx, p *queuedMessage) (bool, error) {
		return l.rerun(ctx, tx, p)
	})
}

// Drop gives up the head of a queue, and then handles those behind it, as Replay does; it returns how many were handled. The errors and
// repeats are those of Replay.
func (l *Listener) Drop(ctx context.Context, id, operation string) (int, error) {
	return l.end(ctx, id, operation, "dropped", func(_ context.Context, tx *database.Tx, p *queuedMessage) (bool, error) {
		if p.sequence == 0 {
			return true, nil // it never had a place in a sequence
		}
		return true, tx.ExecLater(stepOver, p.topic, p.subject, p.sequence, p.eventID)
	})
}

// queuedMessage is a row of the table parked.
type queuedMessage struct {
	number                       int64
	topic, key, subject, eventID string
	sequence                     int64
	metadata, cause              string
	payload                      []byte
	operation, ended             string
	released                     int
}

const queuedColumns = `number, topic, key, subject, event_id, sequence, metadata, cause, payload, operation, ended, released`

// load returns the message that a query finds; nil if none.
func load(tx *database.Tx, where string, args ...any) (*queuedMessage, error) {
	var p queuedMessage
	err := tx.QueryRow(`SELECT `+queuedColumns+` FROM parked WHERE `+where, args...).Scan(&p.number, &p.topic, &p.key, &p.subject,
		&p.eventID, &p.sequence, &p.metadata, &p.cause, &p.payload, &p.operation, &p.ended, &p.released)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &p, err
}

const headWhere = `topic = ? AND key = ? AND ended = '' ORDER BY number LIMIT 1`

// end ends the head of a queue by act, which returns false if it failed and noted that, and then releases the queue.
func (l *Listener) end(ctx context.Context, id, operation, how string,
	act func(context.Context, *database.Tx, *queuedMessage) (bool, error)) (int, error) {
	number, err := numberOf("id", id)
	if err != nil {
		return 0, err
	}
	var p *queuedMessage
	gone := false
	err = l.db.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if p, err = load(tx, `number = ?`, number); err != nil {
			return err
		}
		if p == nil {
			return fault.NotFound("parked message")
		}
		if gone = p.ended != ""; gone || operation != "" && p.operation == operation {
			return nil
		}
		if head, err := load(tx, headWhere, p.topic, p.key); err != nil {
			return err
		} else if head.number != number {
			return fault.Refused("not_head", "the message waits behind %d, which has to be replayed or dropped first", head.number)
		}
		if err := tx.ExecLater(`UPDATE parked SET operation = ? WHERE number = ?`, operation, number); err != nil {
			return err
		}
		if gone, err = act(ctx, tx, p); err != nil || !gone {
			return err
		}
		if how == "replayed" {
			p.released = 1
		}
		return l.leave(tx, number, how, p.released)
	})
	if err != nil || !gone {
		return 0, err
	}
	more, err := l.releaseKey(ctx, p.topic, p.key, number)
	return p.released + more, err
}

// leave takes a message out of its queue.
func (l *Listener) leave(tx *database.Tx, number int64, how string, released int) error {
	return tx.ExecLater(`UPDATE parked SET ended = ?, ended_at = ?, released = ? WHERE number = ?`,
		how, database.Micros(l.clock.Wall()), released, number)
}

// rerun hands a parked message to its handler. If that fails it notes so and returns false; its error is the database's.
func (l *Listener) rerun(ctx context.Context, tx *database.Tx, p *queuedMessage) (bool, error) {
	err := tx.Savepoint(func() error {
		r, err := l.restore(p)
		if err != nil {
			return err
		}
		m := &r.meta
		ctx := bus.WithCause(bus.WithTraceParent(ctx, m.TraceParent), *m)
		admitted, err := changed(tx.Exec(admitParked, p.topic, m.Subject, m.Sequence, m.ID))
		if err != nil {
			return err
		}
		if admitted {
			_, err := r.handle(ctx, tx)
			return err
		}
		last, err := lastOf(tx, r)
		if err != nil || last.seen(r) {
			return err
		}
		return last.follows(r)
	})
	if err == nil || isDatabaseFailure(err) {
		return err == nil, err
	}
	return false, tx.ExecLater(`UPDATE parked SET cause = ?, attempts = attempts + 1 WHERE number = ?`, causeOf(err), p.number)
}

// restore understands a parked message again; the error says why it cannot.
func (l *Listener) restore(p *queuedMessage) (*received, error) {
	t := l.topics[p.topic]
	if t == nil {
		return nil, fmt.Errorf("%s does not hear %s any more", l.group, p.topic)
	}
	msg := message.NewMessage(p.eventID, p.payload)
	if err := json.Unmarshal([]byte(p.metadata), &msg.Metadata); err != nil {
		return nil, fmt.Errorf("read parked metadata: %w", err)
	}
	r := t.read(msg)
	if r.cause != "" {
		return nil, errors.New(r.cause)
	}
	return r, nil
}

// releaseKey handles a queue from its head for as long as the head only waits, and adds to what the message first has released. It
// returns how many it handled. What an error keeps it from is done later.
func (l *Listener) releaseKey(ctx context.Context, topic, key string, first int64) (released int, err error) {
	for {
		done := false
		err := l.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
			p, err := load(tx, headWhere, topic, key)
			if done = err == nil && (p == nil || p.cause != ""); done || err != nil {
				return err
			}
			ok, err := l.rerun(ctx, tx, p)
			if done = !ok; done || err != nil {
				return err
			}
			if err := l.leave(tx, p.number, "replayed", 0); err != nil {
				return err
			}
			return tx.ExecLater(`UPDATE parked SET released = released + 1 WHERE number = ?`, first)
		})
		if err != nil {
			l.releaseLater()
		}
		if err != nil || done {
			return released, err
		}
		released++
	}
}
