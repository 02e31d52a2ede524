package fault

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Checks collects everything that is wrong with a request, so that one answer names it all. The zero value is ready.
type Checks []Violation

// That notes a violation of a field unless ok, and returns ok, for checks that make sense only after others.
func (c *Checks) That(ok bool, field, format string, args ...any) bool {
	if !ok {
		*c = append(*c, Violation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
	return ok
}

// Text wants printable text of least to most characters, in one line and without space at either end.
func (c *Checks) Text(text, field string, least, most int) {
	n := utf8.RuneCountInString(text)
	c.That(isPrintable(text, "") && strings.TrimSpace(text) == text && n >= least && n <= most, field,
		"must be %d to %d characters of text, without control characters or space at the ends", least, most)
}

// Prose wants text of least to most characters that people wrote for people: line feeds and tabs are fine, and space anywhere.
func (c *Checks) Prose(text, field string, least, most int) {
	n := utf8.RuneCountInString(text)
	c.That(isPrintable(text, "\n\t") && n >= least && n <= most, field,
		"must be %d to %d characters of text, without control characters other than line feed and tab", least, most)
}

// isPrintable tells whether text is UTF-8 without control characters but the given ones. What a log, a terminal or a receipt does with
// the others is nothing that a caller should decide.
func isPrintable(text, but string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(but, r) }) < 0
}

// Note takes over the violations of an Invalid error, of ids.Parse for instance; other errors it notes under the field.
func (c *Checks) Note(field string, err error) {
	if err == nil {
		return
	}
	f := As(err)
	if f.Kind == KindInvalid && len(f.Violations) > 0 {
		*c = append(*c, f.Violations...)
		return
	}
	c.That(false, field, "is not acceptable")
}

// Err returns Invalid with all violations, or nil if there are none.
func (c Checks) Err() error {
	if len(c) == 0 {
		return nil
	}
	return Invalid(c...)
}
