package outbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
	"kerf/platform/database"
)

// shift is the time from when this process becomes the relay until it is not any more. What a shift knows in memory ends with it:
// the next one, be it of the same process, begins with what the table says.
type shift struct {
	*Relay
	fence   *database.Fence
	flights *flights

	// Of the publishing goroutine. next is the last position that was given, by partition.
	next [Partitions]int64
	// begun says that the bus is recorded and next is known, caughtUp that what earlier shifts had published and left open has all
	// been sent again, and left that a search found some of it which it could not send.
	begun, caughtUp, left bool
	// searched is the number up to which the table has been searched: what is handed over in memory below it was found there.
	searched int64
	halts    halts
}

func newShift(r *Relay, fence *database.Fence) *shift {
	return &shift{Relay: r, fence: fence, flights: newFlights(), halts: halts{keys: map[string]halt{}, now: r.outbox.clock.Wall}}
}

// publishAll sends rows as they are committed. It searches the table for them at first, whenever there are some that it was not given,
// when something that had failed is to be tried again, and at each poll.
func (s *shift) publishAll(ctx context.Context) error {
	poll := time.NewTicker(s.cfg.Poll)
	defer poll.Stop()
	search := true
	for {
		rows, unread := s.outbox.take()
		search = search || unread
		switch {
		case s.halts.all():
			search = true // rows that were taken stay in the table
		case search:
			search = !s.publishTable(ctx)
		default:
			s.publishRows(ctx, rows, s.searched)
			search = s.halts.all()
		}
		retry := s.halts.timer()
		select {
		case <-ctx.Done():
		case <-s.outbox.wake:
		case <-poll.C:
			search = true
		case <-retry.C:
			search = true
		}
		retry.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// publishTable sends the rows that the table has open; false if it could not send all that may be sent.
func (s *shift) publishTable(ctx context.Context) bool {
	err := s.search(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.Error("outbox cannot be read, trying again", "error", err)
		s.halts.haltAll(databaseRetry)
	}
	return err == nil && !s.halts.all()
}

// search sends the rows that the table has open. Until all of those have been sent, it includes rows that an earlier shift published but
// did not see settled; they keep their positions.
func (s *shift) search(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.halts.retry()
	s.left = false
	for number := int64(0); ; {
		s.flights.forgetSettled()
		rows, err := s.outbox.open(ctx, number, !s.caughtUp, page)
		if err != nil {
			return err
		}
		s.publishRows(ctx, rows, 0)
		if ctx.Err() != nil || s.halts.all() {
			return ctx.Err()
		}
		if len(rows) > 0 {
			number = rows[len(rows)-1].number
			s.searched = max(s.searched, number)
		}
		if len(rows) < page {
			s.caughtUp = s.caughtUp || !s.left
			return nil
		}
	}
}

// begin makes sure of what has to be known before anything is published.
func (s *shift) begin(ctx context.Context) (err error) {
	if s.begun {
		return nil
	}
	if err := s.adoptBus(ctx); err != nil {
		return err
	}
	s.next, err = s.outbox.positions(ctx)
	s.begun = err == nil
	return err
}

// publishRows sends rows, given in order of number, that are above the number given, but not those that are on their way already, nor
// those of a key that is halted: they stay in the table, and are found there later.
func (s *shift) publishRows(ctx context.Context, rows []row, above int64) {
	for len(rows) > 0 && ctx.Err() == nil && !s.halts.all() {
		part := rows[:min(page, len(rows))]
		rows = rows[len(part):]
		batch := make([]outgoing, 0, len(part))
		for _, row := range part {
			if row.number <= above {
				continue
			}
			if s.halts.halted(row.meta.Key) {
				s.leave(row)
				continue
			}
			if !s.flights.begin(row) {
				continue
			}
			msg, err := s.message(ctx, row)
			if err != nil {
				s.fail(row, err)
				continue
			}
			batch = append(batch, outgoing{row, msg})
		}
		s.publishBatch(ctx, batch)
	}
}

type outgoing struct {
	row row
	msg *message.Message
}

// publishBatch sends a batch in one call, and if that fails one by one, because some may have been published and one may be at fault.
// If several in a row fail, it is the bus that does, and the rest is left for later.
func (s *shift) publishBatch(ctx context.Context, batch []outgoing) {
	if len(batch) == 0 {
		return
	}
	messages := make([]*message.Message, len(batch))
	for i, out := range batch {
		messages[i] = out.msg
	}
	if err := s.publish(messages...); err == nil {
		s.halts.succeed()
		for _, out := range batch {
			s.succeed(out.row)
		}
		return
	}
	for _, out := range batch {
		if ctx.Err() != nil || s.halts.all() || s.halts.halted(out.row.meta.Key) {
			s.abort(out.row)
			continue
		}
		if err := s.publish(out.msg); err != nil {
			s.fail(out.row, err)
			if wait := s.halts.failed(err); wait > 0 {
				s.log.Error("bus cannot be reached, events wait", "retry_after", wait, "error", err)
			}
			continue
		}
		s.halts.succeed()
		s.succeed(out.row)
	}
}

func (s *shift) publish(messages ...*message.Message) error {
	if s.settler != nil {
		return s.settler.PublishSettling(s.topic, s.settle, messages...)
	}
	return s.publisher.Publish(s.topic, messages...)
}

// message returns the row as a message in the bus's format. Its context ends a call of Publish that waits when the shift ends.
func (s *shift) message(ctx context.Context, row row) (*message.Message, error) {
	payload, err := s.cfg.Format.Transcode(row.meta.Type, row.meta.SchemaVersion, row.data)
	if err != nil {
		return nil, err
	}
	meta := row.meta
	meta.ContentType = s.cfg.Format.ContentType()
	msg := bus.NewMessage(meta, payload)
	msg.SetContext(rowContext{ctx, row.number})
	return msg, nil
}

// rowContext tells settle which row a message is.
type rowContext struct {
	context.Context
	number int64
}

// settle is called by the bus when all groups have acked a message.
func (s *shift) settle(msg *message.Message) {
	s.metrics.settled.Inc()
	s.flights.settle(msg.Context().(rowContext).number)
}

// succeed gives a published row its position in the log.
func (s *shift) succeed(row row) {
	s.metrics.published.Inc()
	s.halts.free(row.meta.Key)
	position := row.position
	if position == 0 {
		s.next[row.partition]++
		position = s.next[row.partition]
	}
	s.flights.published(row.number, position, s.settler == nil)
}

// fail halts the row's key, for longer each time that it fails again.
func (s *shift) fail(row row, err error) {
	s.metrics.failed.Inc()
	s.abort(row)
	wait, failures := s.halts.halt(row.meta.Key)
	s.log.Error("event cannot be published, its key waits", "event_id", row.meta.ID, "type", row.meta.Type, "failures", failures,
		"retry_after", wait, "error", err)
}

// abort notes that a row was not published after all.
func (s *shift) abort(row row) {
	s.flights.abort(row.number)
	s.leave(row)
}

// leave notes that a row stays in the table.
func (s *shift) leave(row row) { s.left = s.left || row.position > 0 }
