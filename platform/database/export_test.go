package database

// Waiting is how many commands wait for the writer.
func (db *DB) Waiting() int { return len(db.writer.queue) }

// WALLimit is the size in bytes from which the log is cut.
const WALLimit = walLimit

// MaxHold is how long a group may take others in.
const MaxHold = maxHold
