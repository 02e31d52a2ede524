package fault_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/fault"
	"kerf/platform/ids"
)

func TestChecksNameEverythingAtOnce(t *testing.T) {
	var v fault.Checks
	if err := v.Err(); err != nil {
		t.Fatalf("no check is no error: %v", err)
	}
	_, err := ids.Parse("order_id", "x")
	v.Note("ignored", err)
	v.Note("other", http.ErrNoCookie)
	v.Note("fine", nil)
	if v.That(true, "fine", "") && v.That(false, "lines", "must not be empty") {
		t.Error("That tells the wrong thing")
	}
	want := []fault.Violation{
		{Field: "order_id", Description: "must be a UUID in lower case"},
		{Field: "other", Description: "is not acceptable"},
		{Field: "lines", Description: "must not be empty"},
	}
	if diff := cmp.Diff(want, fault.As(v.Err()).Violations); diff != "" {
		t.Error(diff)
	}
}

func TestTextIsCountedInCharacters(t *testing.T) {
	for text, ok := range map[string]bool{"Gänsebrüst": true, "Gänsebrüste": false, "": false, " a": false, "a\n": false, "a\x00b": false, "\xff": false} {
		var v fault.Checks
		v.Text(text, "name", 1, 10)
		if got := v.Err() == nil; got != ok {
			t.Errorf("%q passes: %v, want %v", text, got, ok)
		}
	}
}

func TestProseMayHaveLinesButNoOtherControlCharacters(t *testing.T) {
	for text, ok := range map[string]bool{
		"two\nlines\t": true, "Gänsebrüst": true, "Gänsebrüste": false, "": false,
		"a\x00b": false, "a\x1b[2J": false, "a\x7f": false, "a\r": false, "a\u0085": false, "\xff": false,
	} {
		var v fault.Checks
		v.Prose(text, "note", 1, 10)
		if got := v.Err() == nil; got != ok {
			t.Errorf("%q passes: %v, want %v", text, got, ok)
		}
	}
}
