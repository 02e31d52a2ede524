package web

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"kerf/platform/fault"

	"github.com/labstack/echo/v4"
)

// The sizes of a page.
const (
	DefaultLimit = 20
	MaxLimit     = 100
)

// Cursor is where a page ends, and the next begins: the sort key and the id of the last element. The zero value is the beginning.
// Clients get it as opaque text. What comes back is checked for its form and its list, so it is nothing but an argument of a query.
type Cursor struct {
	Key string
	ID  string
}

// IsZero tells whether the cursor is the beginning.
func (c Cursor) IsZero() bool { return c == Cursor{} }

const maxCursor = 512

// In returns the cursor's opaque text in a list, which is named by the pattern of its route, such as /v1/orders; empty for the beginning.
// In another list it is no cursor: there its key would be compared with something else.
func (c Cursor) In(list string) string {
	if c.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint32([]byte{cursorForm}, listMark(list))
	b = binary.AppendUvarint(b, uint64(len(c.Key)))
	b = append(b, c.Key...)
	b = append(b, c.ID...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// cursorForm is the first byte of a cursor, so that another form can follow.
const cursorForm = 2

// listMark tells lists apart. It keeps slips out, not forgers.
func listMark(list string) uint32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, list) // a hash never fails
	return h.Sum32()
}

const listMarkSize = 4

// parseCursor reads what In wrote for the list, and nothing else.
func parseCursor(list, text string) (Cursor, bool) {
	if text == "" {
		return Cursor{}, true
	}
	if len(text) > maxCursor {
		return Cursor{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+listMarkSize || b[0] != cursorForm || binary.BigEndian.Uint32(b[1:]) != listMark(list) {
		return Cursor{}, false
	}
	b = b[1+listMarkSize:]
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return Cursor{}, false
	}
	rest := b[size:]
	c := Cursor{Key: string(rest[:n]), ID: string(rest[n:])}
	return c, c.In(list) == text && isText(c.Key) && isText(c.ID)
}

// isText tells whether every database takes s as text.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Page is the part of a list that is asked for: at most Limit elements after the cursor.
type Page struct {
	Limit int
	After Cursor
}

// PageOf reads the query parameters limit (1 to MaxLimit; DefaultLimit if absent) and cursor.
func PageOf(c echo.Context) (Page, error) {
	page := Page{Limit: DefaultLimit}
	var v fault.Checks
	if text := c.QueryParam("limit"); text != "" {
		n, err := strconv.Atoi(text)
		page.Limit = n
		v.That(err == nil && n >= 1 && n <= MaxLimit, "limit", "must be an integer from 1 to %d", MaxLimit)
	}
	after, ok := parseCursor(c.Path(), c.QueryParam("cursor"))
	v.That(ok, "cursor", "must be the cursor of a link that this list gave")
	page.After = after
	if err := v.Err(); err != nil {
		return Page{}, err
	}
	return page, nil
}

// PageLinks returns self, and next if there is more after the cursor (zero if there is not). The other query parameters stay.
func PageLinks(c echo.Context, next Cursor) Links {
	links := Links{"self": {Href: c.Request().URL.RequestURI()}}
	if !next.IsZero() {
		query := c.Request().URL.Query()
		query.Set("cursor", next.In(c.Path()))
		at := url.URL{Path: c.Request().URL.Path, RawPath: c.Request().URL.RawPath, RawQuery: query.Encode()}
		links["next"] = Link{Href: at.RequestURI()}
	}
	return links
}

// Collection is the body of a page.
type Collection[T any] struct {
	Items []T   `json:"items"`
	Links Links `json:"_links"`
}

// CollectionOf returns a page's body from up to limit+1 elements: one more than asked for tells that there is a next page.
func CollectionOf[T any](c echo.Context, page Page, items []T, cursor func(T) Cursor) Collection[T] {
	var next Cursor
	if len(items) > page.Limit {
		items = items[:page.Limit]
		next = cursor(items[len(items)-1])
	}
	if items == nil {
		items = []T{} // an empty page is [], not null
	}
	return Collection[T]{Items: items, Links: PageLinks(c, next)}
}
