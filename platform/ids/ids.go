package ids

import (
	"github.com/google/uuid"

	"kerf/platform/fault"
)

// ID is the id of a T. It is a string by kind, so JSON, SQL and protobuf take it as one:
//
//	type OrderID = ids.ID[Order]
type ID[T any] string

// String returns the id in its canonical spelling.
func (id ID[T]) String() string { return string(id) }

// New returns a fresh id; ids made later sort later, to the millisecond of the wall clock.
func New() string { return uuid.Must(uuid.NewV7()).String() }

// NewFor returns a fresh id of a T.
func NewFor[T any]() ID[T] { return ID[T](New()) }

// Valid tells whether s is a UUID in canonical spelling: lower case, with hyphens. One id has one spelling, because ids
// are compared as text, by SQL too.
func Valid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// Parse returns s if it is a valid id, and otherwise Invalid with the field's name.
func Parse(field, s string) (string, error) {
	if !Valid(s) {
		return "", fault.Invalid(fault.Violation{Field: field, Description: "must be a UUID in lower case"})
	}
	return s, nil
}

// ParseFor is Parse for the id of a T.
func ParseFor[T any](field, s string) (ID[T], error) {
	s, err := Parse(field, s)
	return ID[T](s), err
}
