package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"kerf/platform/web"
)

func TestAnEditStatesTheVersionThatItSaw(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.PUT("/thing", func(c echo.Context) error {
			version, err := web.RequireIfMatch(c)
			if err != nil {
				return err
			}
			return c.String(http.StatusOK, strconv.FormatInt(version, 10))
		})
		e.POST("/thing/closing", func(c echo.Context) error {
			version, given, err := web.IfMatch(c)
			if err != nil {
				return err
			}
			return c.String(http.StatusOK, fmt.Sprint(version, given))
		})
	})
	for _, row := range []struct {
		header string
		status int
		code   string
	}{
		{`"3"`, 200, ""},
		{` "3" `, 200, ""},
		{`"9223372036854775807"`, 200, ""},
		{"", 428, "if_match_required"},
		{`W/"3"`, 412, "stale"},
		{`"x"`, 412, "stale"},
		{`"03"`, 412, "stale"},
		{`"0"`, 412, "stale"},
		{`"-1"`, 412, "stale"},
		{`*`, 400, "invalid"},
		{`3`, 400, "invalid"},
		{`"`, 400, "invalid"},
		{`"3", "4"`, 400, "invalid"},
	} {
		var headers []string
		if row.header != "" {
			headers = []string{"If-Match", row.header}
		}
		r := e.do("PUT", "/thing", "", headers...)
		if r.status != row.status || row.code != "" && r.problem(t).Code != row.code {
			t.Errorf("If-Match %s = %d %s", row.header, r.status, r.body)
		}
	}
	if r := e.do("POST", "/thing/closing", ""); r.body != "0 false" {
		t.Errorf("an action without If-Match: %s", r.body)
	}
	if r := e.do("POST", "/thing/closing", "", "If-Match", `"7"`); r.body != "7 true" {
		t.Errorf("an action with If-Match: %s", r.body)
	}
}

func TestWhatTheClientHasIsNotSentAgain(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/thing", func(c echo.Context) error { return web.Versioned(c, 3, "thing") })
		e.GET("/page", func(c echo.Context) error { return web.Composed(c, c.QueryParam("of")) })
	})
	for _, row := range []struct {
		have   string
		status int
	}{{`"3"`, 304}, {`W/"3"`, 304}, {`"1", "3"`, 304}, {`*`, 304}, {`"2"`, 200}, {`3`, 200}, {``, 200}} {
		r := e.do("GET", "/thing", "", "If-None-Match", row.have)
		if r.status != row.status || (r.body == "") != (row.status == 304) || r.header.Get("Etag") != `"3"` || r.header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("If-None-Match %s = %d %q %v", row.have, r.status, r.body, r.header)
		}
	}
	a, b := e.do("GET", "/page?of=a", ""), e.do("GET", "/page?of=b", "")
	if a.body != `"a"` || a.header.Get("Etag") == b.header.Get("Etag") || a.header.Get("Etag")[:2] != "W/" {
		t.Errorf("%s %q, %s %q", a.body, a.header.Get("Etag"), b.body, b.header.Get("Etag"))
	}
	if r := e.do("GET", "/page?of=a", "", "If-None-Match", a.header.Get("Etag")); r.status != 304 || r.body != "" {
		t.Errorf("%d %q", r.status, r.body)
	}
}

// A list of numbers, which may be listed by their text, with ids for those that look alike.
func TestPagesFollowOneAnotherWithoutGapOrRepeat(t *testing.T) {
	type number struct {
		Key string `json:"key"`
		ID  string `json:"id"`
	}
	var all []number
	for i := range 45 {
		all = append(all, number{Key: fmt.Sprintf("%02d", i/3), ID: fmt.Sprint(i % 3)})
	}
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/numbers", func(c echo.Context) error {
			page, err := web.PageOf(c)
			if err != nil {
				return err
			}
			var found []number
			for _, n := range all {
				after := page.After.IsZero() || n.Key > page.After.Key || n.Key == page.After.Key && n.ID > page.After.ID
				if after && len(found) <= page.Limit {
					found = append(found, n)
				}
			}
			return c.JSON(http.StatusOK, web.CollectionOf(c, page, found, func(n number) web.Cursor { return web.Cursor(n) }))
		})
		e.GET("/none", func(c echo.Context) error {
			return c.JSON(http.StatusOK, web.CollectionOf(c, web.Page{Limit: 1}, nil, func(n number) web.Cursor { return web.Cursor(n) }))
		})
	})
	for limit, pages := range map[string]int{"": 3, "7": 7, "45": 1, "44": 2, "100": 1} {
		path := "/numbers?color=red%20green"
		if limit != "" {
			path += "&limit=" + limit
		}
		var seen []number
		var count int
		for path != "" {
			var page web.Collection[number]
			r := e.do("GET", path, "")
			if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 || page.Links["self"].Href != path {
				t.Fatalf("%s = %d %s", path, r.status, r.body)
			}
			seen, path = append(seen, page.Items...), page.Links["next"].Href
			count++
		}
		if diff := cmp.Diff(all, seen); diff != "" || count != pages {
			t.Errorf("limit %q: %d pages, want %d (-all +seen):\n%s", limit, count, pages, diff)
		}
	}
	if r := e.do("GET", "/none", ""); r.body != `{"items":[],"_links":{"self":{"href":"/none"}}}` {
		t.Errorf("an empty page is %s", r.body)
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "limit=1e1": "limit",
		"limit=1&limit=2": "limit", "limit=%zz": "limit", "li%zz=1": "query", "colour=%ff": "colour", "colour=%00": "colour", "limit=1;x=2": "limit",
		"cursor=%zz": "cursor", "cursor=" + web.Cursor{Key: "01"}.In("/none"): "cursor",
		"cursor=x": "cursor", "cursor=AAAA": "cursor", "cursor=AQ": "cursor", "cursor=Af8": "cursor", "cursor=AQFhYQ==": "cursor",
	} {
		r := e.do("GET", "/numbers?"+query, "")
		if p := r.problem(t); r.status != 400 || len(p.Violations) != 1 || p.Violations[0].Field != field {
			t.Errorf("%s = %d %s", query, r.status, r.body)
		}
	}
}

func TestAParameterThatNobodyReadsIsNoFault(t *testing.T) {
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.GET("/things", func(c echo.Context) error { return c.String(http.StatusOK, c.QueryParam("name")) })
	})
	if r := e.do("GET", "/things?utm=%C3%A4&name=a%26b+c%3B&&flag", ""); r.status != 200 || r.body != "a&b c;" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("2026-01-31T12:00:00Z", "0199f3a2-0000-7000-8000-000000000001")
	f.Add("", "x")
	f.Add("x", "")
	f.Fuzz(func(t *testing.T, key, id string) {
		if len(key)+len(id) > 300 {
			return
		}
		e := echo.New()
		var page web.Page
		var err error
		e.GET("/", func(c echo.Context) error {
			page, err = web.PageOf(c)
			return nil
		})
		cursor := web.Cursor{Key: key, ID: id}
		serve(e, "/?cursor="+cursor.In("/"))
		if valid := utf8.ValidString(key) && utf8.ValidString(id) && !strings.Contains(key+id, "\x00"); valid && (err != nil || page.After != cursor) {
			t.Errorf("%q → %s → %q, %v", cursor, cursor.In("/"), page.After, err)
		}
		serve(e, "/?cursor="+url.QueryEscape(key)) // anything: an error or a cursor, no panic
	})
}

func TestLinksAreHAL(t *testing.T) {
	links := web.Links{}
	links.Get("self", "/v1/orders/1")
	links.Act("cancel", "POST", "/v1/orders/1/cancellation")
	b, err := json.Marshal(links)
	want := `{"cancel":{"href":"/v1/orders/1/cancellation","method":"POST"},"self":{"href":"/v1/orders/1"}}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}
