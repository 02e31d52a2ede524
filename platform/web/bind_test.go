package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"kerf/platform/money"
	"kerf/platform/web"
)

// placeOrder has every shape that requests have.
type placeOrder struct {
	QuoteID   string            `json:"quote_id"`
	Lines     []line            `json:"lines"`
	Tip       *money.Money      `json:"tip"`
	When      time.Time         `json:"when"`
	Notes     map[string]string `json:"notes"`
	Express   bool              `json:"express"`
	Latitude  float64           `json:"latitude"`
	Anything  any               `json:"anything"`
	Untouched uint8             `json:"untouched"`
}

type line struct {
	ItemID   string `json:"item_id"`
	Quantity int32  `json:"quantity"`
}

func bindEdge(t testing.TB) *edge {
	return newEdge(t, web.Config{}, func(e *echo.Echo) {
		e.POST("/orders", func(c echo.Context) error {
			var r placeOrder
			if err := web.Bind(c, &r); err != nil {
				return err
			}
			return c.JSON(http.StatusOK, r)
		})
	})
}

func TestAGoodBodyIsRead(t *testing.T) {
	e := bindEdge(t)
	r := e.do("POST", "/orders", `{"quote_id":"q","lines":[{"item_id":"a","quantity":2}],"tip":{"amount":100,"currency":"EUR"},
		"when":"2026-01-31T12:00:00+01:00","notes":{"door":"blue"},"express":true,"latitude":52.5}`,
		"Content-Type", "application/json; charset=UTF-8")
	var got placeOrder
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != 200 {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	want := placeOrder{
		QuoteID: "q", Lines: []line{{"a", 2}}, Tip: &money.Money{Amount: 100, Currency: "EUR"},
		When: time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC), Notes: map[string]string{"door": "blue"}, Express: true, Latitude: 52.5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABadBodyIsRefusedByTheNameOfItsField(t *testing.T) {
	e := bindEdge(t)
	for _, row := range []struct{ body, field, description string }{
		{`{"lines":[{"quantity":1},{"quantity":"two"}]}`, "lines[1].quantity", "must be an integer within its range"},
		{`{"lines":[{"quantity":1.5}]}`, "lines[0].quantity", "must be an integer within its range"},
		{`{"lines":[{"quantity":9999999999}]}`, "lines[0].quantity", "must be an integer within its range"},
		{`{"lines":[{"quantity":1,"price":1}]}`, "lines[0].price", "is not known"},
		{`{"Lines":[]}`, "Lines", "is not known"},
		{`{"lines":{}}`, "lines", "must be an array"},
		{`{"lines":[7]}`, "lines[0]", "must be an object"},
		{`{"quote_id":7}`, "quote_id", "must be a string"},
		{`{"express":"yes"}`, "express", "must be true or false"},
		{`{"latitude":"north"}`, "latitude", "must be a number"},
		{`{"untouched":-1}`, "untouched", "must be an integer within its range, not negative"},
		{`{"when":"tomorrow"}`, "when", "must be an RFC 3339 time such as 2026-01-31T12:00:00Z"},
		{`{"notes":{"door":7}}`, "notes.door", "must be a string"},
		{`{"tip":{"amount":12.5,"currency":"EUR"}}`, "tip.amount", "must be an integer of minor units, at most 2^53 - 1"},
		{`{"tip":{"amount":1,"currency":"XXX"}}`, "tip.currency", "must be an ISO 4217 code such as EUR"},
		{`{"tip":12}`, "tip", "must be an object with amount and currency"},
		{`{"express":true,"express":false}`, "express", "must not be given twice"},
		{"{\"quote_id\":\"\xff\"}", "quote_id", "must be valid UTF-8"},
		{`{"lines":[{},{"item_id":"a\u0000b"}]}`, "lines[1].item_id", "must not have the character NUL"},
		{`{"notes":{"do\u0000or":"blue"}}`, "notes.door", "must not have the character NUL"},
		{`{"anything":["\\\u0000"]}`, "anything[0]", "must not have the character NUL"},
		{`{"express":true} {}`, "", "must be one JSON document and nothing after it"},
		{`{"express":true}]`, "", "must be one JSON document and nothing after it"},
		{`{"anything":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "", "must not nest deeper than 32 levels"},
		{strings.Repeat("[", 100_000), "", "must not nest deeper than 32 levels"},
		{`[]`, "", "must be an object"},
		{`"order"`, "", "must be an object"},
		{``, "", "must be a JSON document, not empty"},
		{` `, "", "must be well-formed JSON; see byte 1"},
		{`{"express":tru}`, "express", ""},
		{`{"express":true`, "", ""},
		{`{'express':true}`, "", ""},
	} {
		r := e.do("POST", "/orders", row.body, "Content-Type", "application/json")
		p := r.problem(t)
		if r.status != 400 || p.Code != "invalid" || len(p.Violations) != 1 {
			t.Errorf("%.60s = %d %s", row.body, r.status, r.body)
			continue
		}
		if v := p.Violations[0]; v.Field != row.field || row.description != "" && v.Description != row.description {
			t.Errorf("%.60s: %q %q, want %q %q", row.body, v.Field, v.Description, row.field, row.description)
		}
	}
}

func TestABackslashBeforeAnEscapeIsNoNUL(t *testing.T) {
	if r := bindEdge(t).do("POST", "/orders", `{"quote_id":"\\u0000"}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestABodyThatStallsIsTooLate(t *testing.T) {
	s := web.New(web.Config{})
	s.Echo.POST("/orders", func(c echo.Context) error { return web.Bind(c, &placeOrder{}) })
	server := httptest.NewUnstartedServer(nil)
	server.Config = s.HTTP()
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	e := &edge{t, s, server.URL}
	stalls, last := io.Pipe()
	defer last.Close()
	r, err := e.send("POST", "/orders", stalls)
	if err != nil {
		t.Fatal(err)
	}
	if r.status != 408 || r.problem(t).Code != "request_timeout" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestAnotherMediaTypeIsRefused(t *testing.T) {
	e := bindEdge(t)
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/json; ;", "application/jsonp"} {
		r := e.do("POST", "/orders", `{}`, "Content-Type", contentType)
		if r.status != 415 || r.problem(t).Code != "unsupported_media_type" {
			t.Errorf("%q = %d", contentType, r.status)
		}
	}
	if r := e.do("POST", "/orders", `{}`, "Content-Encoding", "gzip"); r.status != 415 {
		t.Errorf("a packed body = %d", r.status)
	}
}

// FuzzBind: whatever the bytes, the answer is 200 or a problem that names a field; and what is read, reads the same when written.
func FuzzBind(f *testing.F) {
	f.Add([]byte(`{"quote_id":"q","lines":[{"item_id":"a","quantity":2}],"tip":{"amount":100,"currency":"EUR"}}`))
	f.Add([]byte(`{"when":"2026-01-31T12:00:00Z","notes":{"a":"b"},"anything":[{"x":[null,1e9]}]}`))
	f.Add([]byte(`{"lines":[{"quantity":99999999999999999999}]}`))
	f.Add([]byte("{\"quote_id\":\"\xff\"}"))
	f.Add([]byte(`{"a/b~c":1}`))
	f.Add([]byte(strings.Repeat(`{"anything":`, 40)))
	s := web.New(web.Config{BodyLimit: 4 << 10})
	var read placeOrder
	s.Echo.POST("/orders", func(c echo.Context) error {
		read = placeOrder{}
		return web.Bind(c, &read)
	})
	post := func(body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/orders", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := post(body)
		if w.Code != 200 {
			var p web.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" {
				t.Fatalf("%q: %d %s", body, w.Code, w.Body)
			}
			if w.Code != 413 && (w.Code != 400 || len(p.Violations) == 0 || p.Violations[0].Description == "") {
				t.Fatalf("%q: %d %s", body, w.Code, w.Body)
			}
			return
		}
		first := read
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q was read into what cannot be written: %v", body, err)
		}
		if w := post(written); w.Code == 413 {
			return // written out, it is longer than it was
		} else if w.Code != 200 {
			t.Fatalf("%q → %s: %d %s", body, written, w.Code, w.Body)
		}
		again, err := json.Marshal(read)
		if err != nil || !reflect.DeepEqual(written, again) {
			t.Fatalf("%q → %s → %s, %v", body, written, again, err)
		}
	})
}
