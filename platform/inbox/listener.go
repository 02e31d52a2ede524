package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// Config shapes a Listener. Its zero value is usable.
type Config struct {
	// Attempts is how often a handler is run before its message is parked; 5 if zero.
	Attempts int
	// FirstRetry is the wait after the first failure, give or take half; it doubles with each further one. 50 ms if zero.
	FirstRetry time.Duration
	// LongestRetry bounds that wait, and the one for a database that fails; 5 s if zero.
	LongestRetry time.Duration
	// Release is how often a listener whose schema is shared looks for parked messages that nothing holds up any more, because the process
	// that was to release them has ended; 30 s if zero.
	Release time.Duration
	// Tracer makes a span for each message whose event is sampled; none if nil.
	Tracer trace.Tracer
}

func (c Config) withDefaults() Config {
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.FirstRetry == 0 {
		c.FirstRetry = 50 * time.Millisecond
	}
	if c.LongestRetry == 0 {
		c.LongestRetry = 5 * time.Second
	}
	if c.Release == 0 {
		c.Release = 30 * time.Second
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return c
}

// Clock tells domain time and wall time.
type Clock interface {
	Now() time.Time
	Wall() time.Time
}

// Listener handles the messages that a module hears. All methods may be called concurrently.
type Listener struct {
	group  string
	db     *database.DB
	topics map[string]*topic
	cfg    Config
	clock  Clock
	log    *slog.Logger
	// unreleased has a token when a queue may have been left that nothing holds up any more.
	unreleased chan struct{}
}

// topic is what a listener does with the messages of one topic.
type topic struct {
	name     string
	module   string
	handlers map[string]Handler // by event type
	metrics  *topicMetrics
}

// NewListener returns a listener of the group, which is the module that owns db. It panics if a module or a type of event is
// subscribed twice. reg may be nil.
func NewListener(group string, db *database.DB, subs []Subscription, cfg Config, clock Clock, log *slog.Logger,
	reg prometheus.Registerer) *Listener {
	l := &Listener{
		group:  group,
		db:     db,
		topics: map[string]*topic{},
		cfg:    cfg.withDefaults(),
		clock:  clock,
		log:    log.With("module", group),

		unreleased: make(chan struct{}, 1),
	}
	metrics := newMetrics(group, reg)
	for _, sub := range subs {
		name := bus.Topic(sub.Module)
		if l.topics[name] != nil {
			panic(fmt.Sprintf("inbox of %s: %s is subscribed twice", group, sub.Module))
		}
		t := &topic{name: name, module: sub.Module, handlers: map[string]Handler{}, metrics: metrics.of(sub.Module)}
		for _, h := range sub.Handlers {
			if _, twice := t.handlers[h.eventType]; twice {
				panic(fmt.Sprintf("inbox of %s: two handlers for %s", group, h.eventType))
			}
			t.handlers[h.eventType] = h
		}
		l.topics[name] = t
	}
	return l
}

// Topics returns the names of the topics that the listener hears.
func (l *Listener) Topics() []string {
	names := make([]string, 0, len(l.topics))
	for name := range l.topics {
		names = append(names, name)
	}
	return names
}

// AddTo has router bring the messages of all topics from sub, a subscriber of the listener's group.
func (l *Listener) AddTo(router *message.Router, sub message.Subscriber) error {
	if initializer, ok := sub.(message.SubscribeInitializer); ok {
		for name := range l.topics {
			if err := initializer.SubscribeInitialize(name); err != nil {
				return fmt.Errorf("%s hears %s: %w", l.group, name, err)
			}
		}
	}
	for name, t := range l.topics {
		router.AddConsumerHandler(l.group+" hears "+name, name, sub, func(msg *message.Message) error {
			return l.take(t, msg)
		})
	}
	if len(l.topics) == 0 {
		return nil
	}
	router.AddConsumerHandler(l.group+" releases", "nothing", &releaser{listener: l}, func(*message.Message) error { return nil })
	return nil
}

// take handles a message, or parks it. It returns an error, and so nacks the message, only if the message's context ends first.
func (l *Listener) take(t *topic, msg *message.Message) error {
	r := t.read(msg)
	ctx := bus.WithCause(bus.WithTraceParent(msg.Context(), r.meta.TraceParent), r.meta)
	ctx, span := l.span(ctx, r)
	defer span.End()
	for pauses := 0; ; {
		v, err := l.attempt(ctx, r)
		switch {
		case err == nil:
			l.finish(ctx, r, v)
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s gives back %s: %w", l.group, r.meta.ID, ctx.Err())
		case isDatabaseFailure(err):
			if pauses++; pauses == 1 {
				l.log.Error("database fails, its messages wait", "topic", t.name, "event_id", r.id(), "error", err)
			}
			l.wait(ctx, pauses)
		default:
			pauses = 0
			r.attempts++
			span.RecordError(err)
			if r.cause != "" {
				l.log.Error("message cannot be parked, trying again", "topic", t.name, "event_id", r.id(), "error", err)
				l.wait(ctx, r.attempts)
				continue
			}
			if r.attempts >= l.cfg.Attempts {
				r.cause = causeOf(err)
				continue
			}
			l.log.Warn("handler failed, trying again", "topic", t.name, "event_id", r.id(), "type", r.meta.Type, "attempts", r.attempts,
				"error", err)
			l.wait(ctx, r.attempts)
		}
	}
}

// span starts a span if the event's trace is sampled.
func (l *Listener) span(ctx context.Context, r *received) (context.Context, trace.Span) {
	parent := trace.SpanContextFromContext(ctx)
	if !parent.IsSampled() {
		return ctx, noop.Span{}
	}
	return l.cfg.Tracer.Start(ctx, l.group+" handles "+r.meta.Type,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.destination.name", r.topic.name),
			attribute.String("messaging.consumer.group.name", l.group),
			attribute.String("messaging.message.id", r.meta.ID),
		))
}

// finish tells metrics and log what became of a message.
func (l *Listener) finish(ctx context.Context, r *received, v verdict) {
	r.topic.metrics.outcomes[v.outcome].Inc()
	switch v.outcome {
	case handled:
		r.topic.metrics.lag.Observe(l.clock.Now().Sub(r.meta.Time).Seconds())
	case parked:
		trace.SpanFromContext(ctx).SetStatus(codes.Error, v.cause)
		l.log.Error("message parked, its key waits", "topic", r.topic.name, "event_id", r.id(), "type", r.meta.Type,
			"subject", r.meta.Subject, "key", r.key(), "sequence", r.meta.Sequence, "attempts", r.attempts, "cause", v.cause)
	}
	if v.resume {
		l.release(context.WithoutCancel(ctx), r.topic.name, r.key())
	}
}

// wait sleeps before the nth retry, or until ctx ends.
func (l *Listener) wait(ctx context.Context, n int) {
	d := min(l.cfg.FirstRetry<<min(n-1, 20), l.cfg.LongestRetry)
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// isDatabaseFailure tells a failure of the module's database, which is nobody's fault, from an error of the handler.
func isDatabaseFailure(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return false
	}
	switch f.Code {
	case "database_unavailable", "database_full", "database_outcome_unknown":
		return true
	default:
		return false
	}
}
