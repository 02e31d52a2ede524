package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
)

// maxDepth is how deep a request's JSON may nest: more than any contract needs, less than any stack minds.
const maxDepth = 32

// Bind reads the body into dst: exactly one JSON document in UTF-8, with no member that dst does not have, none twice, names in
// exact case, each of the right type, and no NUL in a text, which not every database keeps. Everything else is Invalid with the path of
// the member, such as lines[2].quantity; a body of another media type gets 415, one beyond the limit 413, one that stalls 408.
//
// The reader is encoding/json/v2 in its form before the standard library's: only that names the place of each error and refuses
// duplicate names and broken UTF-8.
func Bind(c echo.Context, dst any) error {
	if err := requireJSON(c.Request().Header); err != nil {
		return err
	}
	body, err := bodyOf(c)
	if err != nil {
		return err
	}
	return decode(body, dst)
}

func requireJSON(h http.Header) error {
	contentType := h.Get(echo.HeaderContentType)
	plain := h.Get(echo.HeaderContentEncoding) == "" // a small packed body may be a large one, and nobody needs to pack
	if contentType == echo.MIMEApplicationJSON && plain {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(contentType)
	charset, given := params["charset"]
	if err != nil || !plain || mediaType != echo.MIMEApplicationJSON || given && !strings.EqualFold(charset, "utf-8") {
		return withStatus(http.StatusUnsupportedMediaType,
			fault.New(fault.KindInvalid, "unsupported_media_type", "send application/json in UTF-8, not compressed"))
	}
	return nil
}

// bodyOf reads the body once and keeps it: Once hashes what Bind reads.
func bodyOf(c echo.Context) ([]byte, error) {
	r, in := requestOf(c), c.Request()
	if r.bodyRead {
		return r.body, nil
	}
	var body []byte
	var err error
	if n := in.ContentLength; n > 0 && n <= r.server.config.BodyLimit {
		body = make([]byte, n)
		_, err = io.ReadFull(in.Body, body)
	} else if in.Body != nil {
		body, err = io.ReadAll(in.Body)
	}
	switch tooLarge, is := errors.AsType[*http.MaxBytesError](err); {
	case is:
		return nil, bodyTooLarge(tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, withStatus(http.StatusRequestTimeout,
			fault.New(fault.KindInvalid, "request_timeout", "the body did not arrive in time").WithCause(err))
	case err != nil:
		return nil, fault.New(fault.KindInvalid, "invalid", "the body did not arrive whole").WithCause(err)
	}
	r.body, r.bodyRead = body, true
	return body, nil
}

func decode(body []byte, dst any) error {
	if len(body) == 0 {
		return invalidField("", "must be a JSON document, not empty")
	}
	deep, nul := scan(body)
	if deep {
		return invalidField("", "must not nest deeper than "+strconv.Itoa(maxDepth)+" levels")
	}
	if nul {
		if path, found := nulAt(body); found {
			return invalidField(path, "must not have the character NUL")
		}
	}
	err := json.Unmarshal(body, dst, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return semantic(e)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return syntactic(e)
	}
	return invalidField("", "must be one JSON document") // cut off in the middle
}

// semantic answers JSON that is well-formed but not what dst takes. A type that reads itself may answer Invalid: its violations'
// fields are put behind the path to it.
func semantic(e *json.SemanticError) error {
	path := fieldPath(e.JSONPointer)
	if errors.Is(e.Err, json.ErrUnknownName) {
		return invalidField(path, "is not known")
	}
	if own, ok := errors.AsType[*fault.Error](e.Err); ok && own.Kind == fault.KindInvalid && len(own.Violations) > 0 {
		violations := make([]fault.Violation, len(own.Violations))
		for i, v := range own.Violations {
			violations[i] = fault.Violation{Field: join(path, v.Field), Description: v.Description}
		}
		return fault.Invalid(violations...)
	}
	return invalidField(path, "must be "+wanted(e.GoType))
}

func syntactic(e *jsontext.SyntacticError) error {
	path := fieldPath(e.JSONPointer)
	description := "must be well-formed JSON; see byte " + strconv.FormatInt(e.ByteOffset, 10)
	switch {
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		description = "must not be given twice"
	case strings.Contains(e.Err.Error(), "UTF-8"): // text for people only; no decision hangs on it
		description = "must be valid UTF-8"
	case strings.Contains(e.Err.Error(), "after top-level value"):
		description = "must be one JSON document and nothing after it"
	}
	return invalidField(path, description)
}

var timeType = reflect.TypeFor[time.Time]()

// wanted names what a Go type reads, in words of JSON.
func wanted(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == timeType {
		return "an RFC 3339 time such as 2026-01-31T12:00:00Z"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "an integer within its range"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer within its range, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "of another type"
}

// fieldPath turns the JSON pointer /lines/2/quantity into lines[2].quantity.
func fieldPath(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(clip(token))
	}
	return b.String()
}

// clip keeps a member's name that a client made up from filling the answer.
func clip(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}

func join(path, field string) string {
	switch {
	case path == "":
		return field
	case field == "" || strings.HasPrefix(field, "["):
		return path + field
	}
	return path + "." + field
}

// scan counts brackets outside of strings, whether they match is for the reader to say, and looks for NULs in them; both are rare.
func scan(body []byte) (deep, nul bool) {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
			nul = nul || bytes.HasPrefix(body[i:], []byte("u0000"))
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true, nul
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false, nul
}

// nulAt finds the first text or name with a NUL. What is not JSON before it is for the reader to say.
func nulAt(body []byte) (path string, found bool) {
	tokens := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := tokens.ReadToken()
		if err != nil {
			return "", false
		}
		if token.Kind() == '"' && strings.Contains(token.String(), "\x00") {
			return strings.ReplaceAll(fieldPath(tokens.StackPointer()), "\x00", ""), true
		}
	}
}

func invalidField(field, description string) error {
	return fault.Invalid(fault.Violation{Field: field, Description: description})
}
