package web

import (
	"net/url"
	"strings"

	"kerf/platform/fault"
)

// checkQuery refuses a query string that can be read in more than one way: what is not percent-encoded as it must be, net/url drops
// without a word, and of a parameter that is given twice one reader takes the first and another the last. A parameter that no route
// reads is no fault. Errors: Invalid with the parameter, or "query" where there is none to name.
func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	var v fault.Checks
	seen := map[string]bool{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		parameter, ok := unescape(name)
		if !v.That(ok, "query", "must have names in percent-encoded UTF-8") {
			continue
		}
		_, ok = unescape(value)
		v.That(ok, clip(parameter), "must be percent-encoded UTF-8 without NUL")
		v.That(!seen[parameter], clip(parameter), "must not be given twice")
		seen[parameter] = true
	}
	return v.Err()
}

// unescape decodes a name or a value. A bare semicolon once parted parameters, so it is not taken for one of the text.
func unescape(s string) (string, bool) {
	text, err := url.QueryUnescape(s)
	return text, err == nil && isText(text) && !strings.Contains(s, ";")
}
