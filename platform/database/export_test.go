package database

import (
	"context"
	"time"
)

// Waiting is how many commands wait for the writer.
func (db *DB) Waiting() int { return len(db.writer.queue) }

// WALLimit is the size in bytes from which the log is cut.
const WALLimit = walLimit

// MaxHold is how long a group may take others in.
const MaxHold = maxHold

// WithPatience returns a configuration for a schema of PostgreSQL whose parts wait for each other as long as that.
func (c Config) WithPatience(reconnect, resolve, heartbeat, silence time.Duration) Config {
	c.patience = &patience{reconnect: reconnect, resolve: resolve, heartbeat: heartbeat, silence: silence}
	return c
}

// TranslateFor is what a read of a schema of PostgreSQL fails with when its connection fails with err.
func TranslateFor(ctx context.Context, module string, err error) error {
	return (&schema{module: module}).translateFor(ctx, err)
}
