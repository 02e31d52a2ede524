package database

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Micros returns t as a column stores it: microseconds since 1970, UTC. What is finer is cut off.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time returns the instant that a column holds as microseconds since 1970, in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// Instant is a time.Time that is stored as INTEGER microseconds; the zero time is stored as NULL.
type Instant struct{ time.Time }

// At returns the instant of t.
func At(t time.Time) Instant { return Instant{t} }

// Value is how the instant is stored.
func (i Instant) Value() (driver.Value, error) {
	if i.IsZero() {
		return nil, nil
	}
	return Micros(i.Time), nil
}

// Scan reads a stored instant.
func (i *Instant) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		i.Time = time.Time{}
	case int64:
		i.Time = Time(v)
	default:
		return fmt.Errorf("an instant is stored as integer microseconds, not as %T", src)
	}
	return nil
}

// GormDataType names the column's type for GORM.
func (Instant) GormDataType() string { return "integer" }
