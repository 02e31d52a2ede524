package outbox

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"kerf/platform/bus"
	"kerf/platform/database"
)

// RelayConfig shapes a Relay. Its zero value is usable.
type RelayConfig struct {
	// Bus names the bus that is published on, the broker included; "memory" if empty. The schema remembers it, and when it is another one
	// than the last time, events that are not known to be consumed are sent again.
	Bus string
	// Format of events on the bus; protobuf if empty.
	Format bus.Format
	// Poll is how often the table is searched for rows that nobody told of, as after a notice that was lost; 30 s if zero.
	Poll time.Duration
	// Mark is for how long what became of rows is gathered before it is written to the table; 10 ms if zero.
	Mark time.Duration
	// Keep is for how long settled rows are kept, on the wall clock; 30 days if zero.
	Keep time.Duration
}

func (c RelayConfig) withDefaults() RelayConfig {
	c.Bus = cmp.Or(c.Bus, firstBus)
	c.Format = cmp.Or(c.Format, bus.Protobuf)
	c.Poll = cmp.Or(c.Poll, 30*time.Second)
	c.Mark = cmp.Or(c.Mark, 10*time.Millisecond)
	c.Keep = cmp.Or(c.Keep, 30*24*time.Hour)
	return c
}

// page is how many rows are read from the table and published at a time.
const page = 256

// Relay publishes what an Outbox holds. Each process of a module has one, and one of them at a time is at work: it holds the
// exclusive job "relay" of the schema.
//
// One for the whole schema, and not one for each partition of the log, is enough because a schema has one writer at a time: it is
// that writer which bounds how many events there can be, and since its transactions end one after another, rows are committed in the
// order of their numbers. So a search of the table that has seen a row has seen all before it, nothing has to be skipped while it
// is locked, and what is published in order of number is in order for each key.
//
// A holder that dies, or is stopped for longer than its session may be silent, is replaced. The next one begins with what the table
// says. What the old one had published and not yet marked, it publishes again: events may come twice. What the old one still
// believes when it wakes up, it cannot write: every mark is fenced, so a position in the log is never given twice, nor out of order.
// What it still publishes are copies of rows that the next one publishes too, each key in its order, and so late copies of events
// that listeners drop.
type Relay struct {
	outbox    *Outbox
	publisher message.Publisher
	settler   bus.Settler // the publisher, if it is one
	done      int         // what a row's column settled says once it is: acked or stored
	topic     string
	cfg       RelayConfig
	log       *slog.Logger
	metrics   *metrics
}

// NewRelay returns a relay that publishes with publisher on the module's topic. If publisher is a bus.Settler, rows are settled
// when it says so, else when they are published. reg may be nil.
func NewRelay(o *Outbox, publisher message.Publisher, cfg RelayConfig, log *slog.Logger, reg prometheus.Registerer) *Relay {
	r := &Relay{
		outbox:    o,
		publisher: publisher,
		done:      stored,
		topic:     bus.Topic(o.source),
		cfg:       cfg.withDefaults(),
		log:       log.With("module", o.source),
		metrics:   newMetrics(o.source, reg),
	}
	if settler, ok := publisher.(bus.Settler); ok {
		r.settler, r.done = settler, acked
	}
	return r
}

// Run publishes, whenever this process is the one to do so, until ctx ends, and then writes down what became of the rows so far.
// Neither a failing database nor a failing bus ends it: it tries again.
func (r *Relay) Run(ctx context.Context) error {
	stop := r.outbox.db.Listen(committed, r.outbox.look)
	defer stop()
	for ctx.Err() == nil {
		err := r.outbox.db.Exclusive(ctx, "relay", func(held context.Context, fence *database.Fence) error {
			return r.serve(ctx, held, fence)
		})
		if err != nil && ctx.Err() == nil && !errors.Is(err, database.ErrFenced) {
			r.log.Error("relay cannot be held, trying again", "error", err)
			wait(ctx, databaseRetry)
		}
	}
	return nil
}

// serve publishes until held ends, which it does when ctx does, and when another process may have become the relay.
func (r *Relay) serve(ctx, held context.Context, fence *database.Fence) error {
	s := newShift(r, fence)
	r.outbox.relaying.Store(true)
	defer func() {
		r.outbox.relaying.Store(false)
		r.handOver(ctx)
	}()
	g, held := errgroup.WithContext(held)
	g.Go(func() error { return s.publishAll(held) })
	g.Go(func() error { return s.markAll(held) })
	return g.Wait()
}

// handOver tells the relays of other processes of rows that were written for this one. Its command comes after those that took this
// process to be the relay.
func (r *Relay) handOver(ctx context.Context) {
	if !r.outbox.db.Shared() {
		return
	}
	for {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMark)
		err := r.outbox.db.Write(last, func(_ context.Context, tx *database.Tx) error {
			tx.Notify(committed)
			return nil
		})
		cancel()
		if err == nil || ctx.Err() != nil {
			return
		}
		wait(ctx, databaseRetry)
	}
}
