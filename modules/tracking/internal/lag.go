package internal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"kerf/platform/database"
)

// freshness is how long what was measured of the last event says something about now: who works off a backlog applies events all the time.
const freshness = time.Second

// lag measures how far the views are behind.
type lag struct {
	clock Clock

	mu    sync.Mutex
	delay time.Duration // of the newest event when it was applied, on the wall
	at    time.Time     // when that was, on the wall
}

// applied notes that an event of a domain instant is in its view.
func (l *lag) applied(happened time.Time) {
	delay := time.Duration(float64(max(0, l.clock.Now().Sub(happened))) / l.clock.Speed())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay, l.at = delay, l.clock.Wall()
}

func (l *lag) last() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clock.Wall().Sub(l.at) > freshness {
		return 0
	}
	return l.delay
}

// The oldest message that is parked, and the beginning of a rebuild without which there are views of new orders only; 0 for none.
const selectSince = `SELECT coalesce((SELECT min(parked_at) FROM parked WHERE ended = ''), 0),
	coalesce((SELECT started_at FROM rebuild WHERE cause = 'empty' AND phase IN ('reading', 'merging')), 0)`

// behind is how far the views lag behind what happened: see the contract.
func (s *Service) behind(ctx context.Context) (time.Duration, error) {
	var parked, building int64
	if err := s.db.QueryRow(ctx, selectSince).Scan(&parked, &building); err != nil {
		return 0, fmt.Errorf("look for what views lack: %w", err)
	}
	behind := s.lag.last()
	for _, since := range []int64{parked, building} {
		if since != 0 {
			behind = max(behind, s.clock.Wall().Sub(database.Time(since)))
		}
	}
	return behind, nil
}
