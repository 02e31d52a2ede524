package inbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"kerf/platform/bus"
)

// storable returns text as every database can store it: PostgreSQL takes neither bytes that are not UTF-8 nor the character 0.
func storable(text string) string {
	if isStorable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func isStorable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// unstorable returns the name of an attribute that can be stored only in other words, in which it would be another one; empty if none.
func unstorable(m *bus.Meta) string {
	for _, a := range [...]struct{ name, value string }{
		{"id", m.ID}, {"type", m.Type}, {"source", m.Source}, {"subject", m.Subject}, {"key", m.Key},
		{"correlation id", m.CorrelationID},
	} {
		if !isStorable(a.value) {
			return a.name
		}
	}
	return ""
}

const longestCause = 1000

// causeOf returns an error's text, which is never empty: an empty cause says that a message only waits.
func causeOf(err error) string {
	text := err.Error()
	if text == "" {
		text = fmt.Sprintf("%T", err)
	}
	return storable(text[:min(len(text), longestCause)])
}
