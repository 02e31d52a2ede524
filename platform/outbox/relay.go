package outbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"kerf/platform/bus"
)

// RelayConfig shapes a Relay. Its zero value is usable.
type RelayConfig struct {
	// Format of events on the bus; protobuf if empty.
	Format bus.Format
	// Poll is how often the table is searched for rows that were missed, and for those whose key had failed; 1 s if zero.
	Poll time.Duration
	// Mark is for how long what became of rows is gathered before it is written to the table; 10 ms if zero.
	Mark time.Duration
	// Keep is for how long settled rows are kept, on the wall clock; 30 days if zero.
	Keep time.Duration
}

func (c RelayConfig) withDefaults() RelayConfig {
	if c.Format == "" {
		c.Format = bus.Protobuf
	}
	if c.Poll == 0 {
		c.Poll = time.Second
	}
	if c.Mark == 0 {
		c.Mark = 10 * time.Millisecond
	}
	if c.Keep == 0 {
		c.Keep = 30 * 24 * time.Hour
	}
	return c
}

const (
	// page is how many rows are read from the table and published at a time.
	page = 256
	// longestStop is the longest that a key waits after its row could not be published.
	longestStop = time.Minute
)

// Relay publishes what an Outbox holds. There is one for each outbox, in one process.
type Relay struct {
	outbox    *Outbox
	publisher message.Publisher
	settler   bus.Settler // the publisher, if it is one
	topic     string
	cfg       RelayConfig
	log       *slog.Logger
	metrics   *metrics
	flights   *flights

	// Of the publishing goroutine. next is the last position that was given, by partition.
	next    [Partitions]int64
	stopped map[string]stop
}

// stop says until when a key waits, how often in a row it has failed, and whether its time is over.
type stop struct {
	until    time.Time
	failures int
	retrying bool
}

// NewRelay returns a relay that publishes with publisher on the module's topic. If publisher is a bus.Settler, rows are settled
// when it says so, else when they are published. reg may be nil.
func NewRelay(o *Outbox, publisher message.Publisher, cfg RelayConfig, log *slog.Logger, reg prometheus.Registerer) *Relay {
	settler, _ := publisher.(bus.Settler)
	return &Relay{
		outbox:    o,
		publisher: publisher,
		settler:   settler,
		topic:     bus.Topic(o.source),
		cfg:       cfg.withDefaults(),
		log:       log.With("module", o.source),
		metrics:   newMetrics(o.source, reg),
		flights:   newFlights(),
		stopped:   map[string]stop{},
	}
}

// Run publishes until ctx ends, and then writes down what became of the rows so far. Neither a failing database nor a failing bus
// ends it: it tries again.
func (r *Relay) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.publishAll(ctx) })
	g.Go(func() error { return r.markAll(ctx) })
	return g.Wait()
}

// publishAll sends rows as they are committed, and those found in the table at the start, after an overflow and at each poll.
func (r *Relay) publishAll(ctx context.Context) error {
	poll := time.NewTicker(r.cfg.Poll)
	defer poll.Stop()
	started, search := false, true
	for {
		rows, overflow := r.outbox.take()
		switch {
		case search || overflow:
			if err := r.publishTable(ctx, !started); err != nil {
				if ctx.Err() == nil {
					r.log.Error("outbox cannot be read, trying again", "error", err)
				}
			} else {
				started, search = true, false
			}
		default:
			r.publishRows(ctx, rows)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.outbox.wake:
		case <-poll.C:
			search = true
		}
	}
}

// publishTable sends the rows that the table has open. The first time, those that an earlier process published but did not see
// settled are sent again, and keep their positions.
func (r *Relay) publishTable(ctx context.Context, first bool) error {
	if first {
		last, err := r.outbox.positions(ctx)
		if err != nil {
			return err
		}
		r.next = last
	}
	r.flights.forgetSettled()
	r.retryStopped()
	for number := int64(0); ; {
		rows, err := r.outbox.open(ctx, number, first && r.settler != nil, page)
		if err != nil {
			return err
		}
		r.publishRows(ctx, rows)
		if len(rows) < page || ctx.Err() != nil {
			return ctx.Err()
		}
		number = rows[len(rows)-1].number
	}
}

// publishRows sends rows, given in order of number, but not those that are on their way already, nor those of a key that is
// stopped: they stay in the table, and are found there later.
func (r *Relay) publishRows(ctx context.Context, rows []row) {
	for len(rows) > 0 && ctx.Err() == nil {
		part := rows[:min(page, len(rows))]
		rows = rows[len(part):]
		batch := make([]outgoing, 0, len(part))
		for _, row := range part {
			if r.isStopped(row.meta.Key) || !r.flights.begin(row) {
				continue
			}
			msg, err := r.message(ctx, row)
			if err != nil {
				r.fail(row, err)
				continue
			}
			batch = append(batch, outgoing{row, msg})
		}
		r.publishBatch(ctx, batch)
	}
}

type outgoing struct {
	row row
	msg *message.Message
}

// publishBatch sends a batch in one call, and if that fails one by one, because some may have been published and one may be at fault.
func (r *Relay) publishBatch(ctx context.Context, batch []outgoing) {
	if len(batch) == 0 {
		return
	}
	messages := make([]*message.Message, len(batch))
	for i, out := range batch {
		messages[i] = out.msg
	}
	if err := r.publish(messages...); err == nil {
		for _, out := range batch {
			r.succeed(out.row)
		}
		return
	}
	for _, out := range batch {
		if ctx.Err() != nil || r.isStopped(out.row.meta.Key) {
			r.flights.abort(out.row.number)
			continue
		}
		if err := r.publish(out.msg); err != nil {
			r.fail(out.row, err)
			continue
		}
		r.succeed(out.row)
	}
}

func (r *Relay) publish(messages ...*message.Message) error {
	if r.settler != nil {
		return r.settler.PublishSettling(r.topic, r.settle, messages...)
	}
	return r.publisher.Publish(r.topic, messages...)
}

// message returns the row as a message in the bus's format. Its context ends a call of Publish that waits when the relay ends.
func (r *Relay) message(ctx context.Context, row row) (*message.Message, error) {
	payload, err := r.cfg.Format.Transcode(row.meta.Type, row.meta.SchemaVersion, row.data)
	if err != nil {
		return nil, err
	}
	meta := row.meta
	meta.ContentType = r.cfg.Format.ContentType()
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
func (r *Relay) settle(msg *message.Message) {
	r.metrics.settled.Inc()
	r.flights.settle(msg.Context().(rowContext).number)
}

// succeed gives a published row its position in the log.
func (r *Relay) succeed(row row) {
	r.metrics.published.Inc()
	delete(r.stopped, row.meta.Key)
	position := row.position
	if position == 0 {
		r.next[row.partition]++
		position = r.next[row.partition]
	}
	r.flights.published(row.number, position, r.settler == nil)
}

// fail stops the row's key, for longer each time that it fails again.
func (r *Relay) fail(row row, err error) {
	r.metrics.failed.Inc()
	r.flights.abort(row.number)
	s := stop{failures: r.stopped[row.meta.Key].failures + 1}
	wait := min(r.cfg.Poll<<min(s.failures-1, 10), longestStop)
	s.until = r.outbox.clock.Wall().Add(wait)
	r.stopped[row.meta.Key] = s
	r.log.Error("event cannot be published, its key waits", "event_id", row.meta.ID, "type", row.meta.Type, "failures", s.failures,
		"retry_after", wait, "error", err)
}

func (r *Relay) isStopped(key string) bool {
	s, ok := r.stopped[key]
	return ok && !s.retrying
}

// retryStopped lets the keys go whose time is over. That is done only before the table is searched, which finds the row that failed
// before the key's later ones.
func (r *Relay) retryStopped() {
	now := r.outbox.clock.Wall()
	for key, s := range r.stopped {
		if !now.Before(s.until) {
			s.retrying = true
			r.stopped[key] = s
		}
	}
}
