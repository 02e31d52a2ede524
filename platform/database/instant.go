package database

import (
	"database/sql"
	"fmt"
	"time"
)

// Micros returns t as a column stores it: microseconds since 1970, UTC. What is finer is cut off.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// NullMicros is Micros for a column that may be empty: NULL for the zero time.
func NullMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return Micros(t)
}

// Time returns the instant that a column holds as microseconds since 1970, in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// IntoTime is where a column of Micros or NullMicros is scanned to: into *t, the zero time for NULL.
func IntoTime(t *time.Time) sql.Scanner { return (*instant)(t) }

type instant time.Time

func (i *instant) Scan(column any) error {
	switch v := column.(type) {
	case nil:
		*i = instant{}
	case int64:
		*i = instant(Time(v))
	default:
		return fmt.Errorf("an instant is stored as integer microseconds, not as %T", column)
	}
	return nil
}

// Row is what a query found, one row of it. Scan reads it into dest.
type Row interface{ Scan(dest ...any) error }
