package inbox

import (
	"context"
	"fmt"
)

// Counts says how many events the module has handled, by the module that published them, those of types that it has no handler for
// included; how many messages are parked or queued now; and how many were ever dropped.
type Counts struct {
	Consumed        map[string]int64
	Parked, Dropped int64
}

// Counts counts messages. Its cost grows with the number of aggregates.
func (l *Listener) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Consumed: map[string]int64{}}
	err := l.db.QueryRow(ctx, `SELECT (SELECT count(*) FROM parked WHERE ended = ''), (SELECT count(*) FROM parked WHERE ended = 'dropped')`).
		Scan(&c.Parked, &c.Dropped)
	if err != nil {
		return c, fmt.Errorf("count parked messages: %w", err)
	}
	rows, err := l.db.Query(ctx, `SELECT topic, CAST(sum(handled) AS BIGINT) FROM inbox GROUP BY topic`)
	if err != nil {
		return c, fmt.Errorf("count handled events: %w", err)
	}
	defer rows.Close()
	for _, t := range l.topics {
		c.Consumed[t.module] = 0
	}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return c, fmt.Errorf("count handled events: %w", err)
		}
		if t := l.topics[name]; t != nil {
			c.Consumed[t.module] = n
		}
	}
	return c, rows.Err()
}
