package internal

import (
	"context"
	"fmt"
	"time"
)

const (
	// followBatch is how many changes of other processes are read at a time.
	followBatch = 1000
	// followRetry is the wait after they could not be read.
	followRetry = time.Second
)

// follow wakes the streams of this process for what other processes that share the schema write. For what this one writes they have been
// woken already.
func (s *Service) follow(ctx context.Context) error {
	wake := newBell()
	defer s.db.ListenOthers(topicViews, wake.ring)()
	position := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
		next, err := s.wakeAfter(ctx, position)
		switch {
		case err == nil:
			position = next
		case ctx.Err() == nil:
			s.log.WarnContext(ctx, "streams are not told what other processes wrote", "error", err)
			pause(ctx, followRetry)
			wake.ring()
		}
	}
}

// wakeAfter wakes the streams of the orders that were changed after a position, and returns the last position. A negative one is not known:
// then all are woken. Where nobody watches, nobody has to be looked for.
func (s *Service) wakeAfter(ctx context.Context, position int64) (int64, error) {
	if position < 0 || !s.watchers.any() {
		err := s.db.QueryRow(ctx, selectLastPosition).Scan(&position)
		s.watchers.all() // who came between the two looks
		if err != nil {
			return 0, fmt.Errorf("read where the log of changes ends: %w", err)
		}
		return position, nil
	}
	for {
		found, err := s.wakeSome(ctx, &position)
		if err != nil || found < followBatch {
			return position, err
		}
	}
}

func (s *Service) wakeSome(ctx context.Context, position *int64) (found int, err error) {
	rows, err := s.db.Query(ctx, selectChanged, *position, followBatch)
	if err != nil {
		return 0, fmt.Errorf("read what was changed: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for ; rows.Next(); found++ {
		var orderID string
		if err := rows.Scan(position, &orderID); err != nil {
			return found, fmt.Errorf("read what was changed: %w", err)
		}
		s.watchers.changed(orderID)
	}
	return found, rows.Err()
}
