package ids_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"kerf/platform/fault"
	"kerf/platform/ids"
)

func TestAFreshIDIsACanonicalUUIDv7AndSortsAfterTheOneBefore(t *testing.T) {
	before := ""
	for range 1000 {
		id := ids.New()
		if u, err := uuid.Parse(id); err != nil || u.Version() != 7 {
			t.Fatalf("%q is not a UUIDv7: %v", id, err)
		}
		if !ids.Valid(id) {
			t.Fatalf("Valid(%q) = false", id)
		}
		if id <= before {
			t.Fatalf("%q does not sort after %q", id, before)
		}
		before = id
	}
}

func TestAnIDHasOneSpelling(t *testing.T) {
	id := ids.New()
	for _, other := range []string{
		"", "1", strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), id + " ", id[:35] + "g",
	} {
		_, err := ids.Parse("order_id", other)
		f := fault.As(err)
		if f == nil || f.Kind != fault.KindInvalid || len(f.Violations) != 1 || f.Violations[0].Field != "order_id" {
			t.Errorf("Parse(%q) = %v", other, err)
		}
	}
	if got, err := ids.Parse("order_id", id); err != nil || got != id {
		t.Errorf("Parse(%q) = %q, %v", id, got, err)
	}
}
