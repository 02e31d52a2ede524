package inbox

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// releaser releases the queues behind messages that are parked no longer, where whoever ended those has not: because his process ended,
// or because the database failed. To the router it is a subscriber whose subscription brings nothing, and so it lives as long as
// the listener's others.
type releaser struct{ listener *Listener }

// Subscribe implements message.Subscriber: it releases until ctx ends.
func (r *releaser) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	none := make(chan *message.Message)
	go func() {
		defer close(none)
		r.listener.releaseAll(ctx)
	}()
	return none, nil
}

// Close implements message.Subscriber. The router ends the subscription's context right afterwards.
func (r *releaser) Close() error { return nil }

// releaseAll looks for such queues at first, when it is told that there may be some, and from time to time where another process may
// leave them.
func (l *Listener) releaseAll(ctx context.Context) {
	var regularly <-chan time.Time
	if l.db.Shared() {
		tick := time.NewTicker(l.cfg.Release)
		defer tick.Stop()
		regularly = tick.C
	}
	for failures := 0; ctx.Err() == nil; {
		if err := l.resume(ctx); err != nil {
			if failures++; failures == 1 && ctx.Err() == nil {
				l.log.Error("queues behind parked messages cannot be released, trying again", "error", err)
			}
			l.wait(ctx, failures)
			continue
		}
		failures = 0
		select {
		case <-ctx.Done():
		case <-l.unreleased:
		case <-regularly:
		}
	}
}

// releaseLater has the releaser look.
func (l *Listener) releaseLater() {
	select {
	case l.unreleased <- struct{}{}:
	default:
	}
}

// release handles a queue on the listener's own account.
func (l *Listener) release(ctx context.Context, topic, key string) {
	if _, err := l.releaseKey(ctx, topic, key, 0); err != nil {
		l.log.Error("queue behind a parked message cannot be released yet", "topic", topic, "key", key, "error", err)
	}
}

// resume releases the queues whose head only waits.
func (l *Listener) resume(ctx context.Context) error {
	queues, err := l.interrupted(ctx)
	if err != nil {
		return err
	}
	for _, q := range queues {
		if _, err := l.releaseKey(ctx, q.topic, q.key, 0); err != nil {
			return err
		}
	}
	return nil
}

// queue names the parked messages of one topic and key.
type queue struct{ topic, key string }

// interrupted returns the queues whose head only waits.
func (l *Listener) interrupted(ctx context.Context) ([]queue, error) {
	rows, err := l.db.Query(ctx, `SELECT topic, key FROM parked p WHERE ended = '' AND cause = '' AND NOT EXISTS
		(SELECT 1 FROM parked q WHERE q.topic = p.topic AND q.key = p.key AND q.ended = '' AND q.number < p.number)`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var queues []queue
	for rows.Next() {
		var q queue
		if err := rows.Scan(&q.topic, &q.key); err != nil {
			return nil, err
		}
		queues = append(queues, q)
	}
	return queues, rows.Err()
}
