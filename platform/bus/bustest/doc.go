// Package bustest is the conformance suite that every event bus of Kerf passes, beside Watermill's own.
package bustest
