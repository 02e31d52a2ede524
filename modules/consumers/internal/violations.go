package internal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

// violations collects every fault of a request, so that a client sees all at once.
type violations []fault.Violation

func (v *violations) check(ok bool, field, description string, args ...any) {
	if !ok {
		*v = append(*v, fault.Violation{Field: field, Description: fmt.Sprintf(description, args...)})
	}
}

// checkText wants printable text of min to max characters, without space at either end.
func (v *violations) checkText(text, field string, min, max int) {
	n := utf8.RuneCountInString(text)
	printable := utf8.ValidString(text) && strings.TrimSpace(text) == text && strings.IndexFunc(text, unicode.IsControl) < 0
	v.check(printable && n >= min && n <= max, field, "must be %d to %d characters of text, without control characters or space at the ends", min, max)
}

func (v *violations) checkPosition(p *geo.Position, field string) {
	v.check(p != nil && p.Valid(), field, "must have latitude -90 to 90 and longitude -180 to 180")
}

// err returns Invalid with all violations, or nil without any.
func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	return fault.Invalid(v...)
}

func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
