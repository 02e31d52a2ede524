package ids

import (
	"github.com/google/uuid"

	"kerf/platform/fault"
)

// New returns a fresh id; ids made later sort later, to the millisecond of the wall clock.
func New() string { return uuid.Must(uuid.NewV7()).String() }

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
