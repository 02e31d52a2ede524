package internal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"kerf/platform/web/webtest"
)

func TestAnEditOfNothingIsNone(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path, tag, told := "/v1/restaurants/"+id, e.etag(id), len(e.events(id))
	var shown map[string]any
	if err := json.Unmarshal([]byte(e.do(owner, "GET", path, "").Raw), &shown); err != nil {
		t.Fatal(err)
	}
	for _, nothing := range []string{`{}`, fmt.Sprintf(`{"name":%q,"cuisine":%q}`, shown["name"], shown["cuisine"])} {
		if got := e.do(owner, "PATCH", path, nothing, "If-Match", tag).Want(200).Header.Get("ETag"); got != tag {
			t.Errorf("%s makes version %s of %s", nothing, got, tag)
		}
	}
	for _, field := range []string{"name", "cuisine", "position"} {
		if r := e.do(owner, "PATCH", path, fmt.Sprintf(`{%q:null}`, field), "If-Match", tag).Problem(400, "invalid"); !r.Names(field) {
			t.Error(r.Raw)
		}
	}
	if got := e.events(id); len(got) != told {
		t.Errorf("published %v", got[told:])
	}
}

func TestListsWithoutEndAreRefusedShortly(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	many := strings.TrimSuffix(strings.Repeat("{},", 100_000), ",")
	for _, r := range []*webtest.Answer{
		e.put(id, "opening-hours", `{"weekly":[`+many+`]}`), e.put(id, "opening-hours", `{"exceptions":[`+many+`]}`),
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", `{"items":[`+many+`]}`),
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", `{"items":[{"modifier_groups":[`+many+`]}]}`),
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", `{"items":[{"modifier_groups":[{"options":[`+many+`]}]}]}`),
		e.do(diner, "POST", "/v1/quotes", `{"lines":[`+many+`]}`),
		e.do(diner, "POST", "/v1/quotes", `{"lines":[{"options":[`+many+`]}]}`),
	} {
		if r.Problem(400, "invalid"); len(r.Raw) > 100_000 {
			t.Errorf("%d bytes answer too many", len(r.Raw))
		}
	}
}
