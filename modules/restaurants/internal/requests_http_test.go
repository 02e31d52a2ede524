package internal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestAnEditOfNothingIsNone(t *testing.T) {
	e := newEdge(t)
	id := e.open()
	path, tag, told := "/v1/restaurants/"+id, e.etag(id), len(e.events(id))
	var shown map[string]any
	if err := json.Unmarshal([]byte(e.do(owner, "GET", path, "").text), &shown); err != nil {
		t.Fatal(err)
	}
	for _, nothing := range []string{`{}`, fmt.Sprintf(`{"name":%q,"cuisine":%q}`, shown["name"], shown["cuisine"])} {
		if got := e.do(owner, "PATCH", path, nothing, "If-Match", tag).want(t, 200, "").header.Get("ETag"); got != tag {
			t.Errorf("%s makes version %s of %s", nothing, got, tag)
		}
	}
	for _, field := range []string{"name", "cuisine", "position"} {
		if r := e.do(owner, "PATCH", path, fmt.Sprintf(`{%q:null}`, field), "If-Match", tag).want(t, 400, "invalid"); !r.names(field) {
			t.Error(r.text)
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
	for _, r := range []reply{
		e.put(id, "opening-hours", `{"weekly":[`+many+`]}`), e.put(id, "opening-hours", `{"exceptions":[`+many+`]}`),
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", `{"items":[`+many+`]}`),
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", `{"items":[{"modifier_groups":[`+many+`]}]}`),
		e.do(owner, "POST", "/v1/restaurants/"+id+"/menus", `{"items":[{"modifier_groups":[{"options":[`+many+`]}]}]}`),
		e.do(diner, "POST", "/v1/quotes", `{"lines":[`+many+`]}`),
		e.do(diner, "POST", "/v1/quotes", `{"lines":[{"options":[`+many+`]}]}`),
	} {
		if r.want(t, 400, "invalid"); len(r.text) > 100_000 {
			t.Errorf("%d bytes answer too many", len(r.text))
		}
	}
}
