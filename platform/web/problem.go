package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
)

// Problem is the body of every answer that is not a success (RFC 9457).
type Problem struct {
	// Type is urn:kerf:problem: and the code.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is for people, and may change.
	Detail string `json:"detail,omitempty"`
	// Instance is the path that was asked for.
	Instance string `json:"instance,omitempty"`
	// Code is the stable reason, for programs.
	Code       string      `json:"code"`
	Violations []Violation `json:"violations,omitempty"`
	RequestID  string      `json:"request_id,omitempty"`
}

// Violation names a field of the request that is not acceptable, and why.
type Violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// httpFault is a fault that HTTP tells apart more finely than the kinds do.
type httpFault struct {
	status int
	fault  *fault.Error
}

func (h *httpFault) Error() string { return h.fault.Error() }
func (h *httpFault) Unwrap() error { return h.fault }

func withStatus(status int, f *fault.Error) error { return &httpFault{status, f} }

func bodyTooLarge(limit int64) error {
	return withStatus(http.StatusRequestEntityTooLarge,
		fault.New(fault.KindInvalid, "body_too_large", "the body may have at most %d bytes", limit))
}

// Fault returns the status and the fault that answer an error, echo's own errors included.
func Fault(err error) (status int, f *fault.Error) {
	if h, ok := errors.AsType[*httpFault](err); ok {
		return h.status, h.fault
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok && !carriesFault(err) {
		return e.Code, ofEcho(e)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Fault(bodyTooLarge(tooLarge.Limit))
	}
	f = fault.As(err)
	return f.Kind.HTTPStatus(), f
}

func carriesFault(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}

// ofEcho names what the router and echo's helpers refuse. Their text is for developers and stays in the log.
func ofEcho(e *echo.HTTPError) *fault.Error {
	switch {
	case e.Code == http.StatusNotFound:
		return fault.New(fault.KindNotFound, "not_found", "there is nothing here")
	case e.Code == http.StatusMethodNotAllowed:
		return fault.New(fault.KindInvalid, "method_not_allowed", "see the header Allow for what is possible here")
	case e.Code >= http.StatusInternalServerError:
		return fault.Internal(e, "internal")
	}
	code := snakeCase.Replace(strings.ToLower(http.StatusText(e.Code)))
	return fault.New(fault.KindInvalid, code, "%s", http.StatusText(e.Code)).WithCause(e)
}

var snakeCase = strings.NewReplacer(" ", "_", "-", "_", "'", "")

// guarded runs a handler; its panic becomes an Internal fault with the stack as its cause. http.ErrAbortHandler goes on: it is how
// a proxy says that an answer begun cannot be ended.
func guarded(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = fault.Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "internal")
		}
	}()
	return next(c)
}

// statusClientGone is what the log and the metrics say of a client that left without its answer: nginx's 499, no failure of ours.
const statusClientGone = 499

// refuse answers with a problem, unless the answer has begun.
func (s *Server) refuse(c echo.Context, err error) {
	status, f := Fault(err)
	r := requestOf(c)
	if r.client.Err() != nil && errors.Is(err, context.Canceled) {
		status, f = statusClientGone, fault.New(fault.KindUnknown, "client_gone", "the client left").WithCause(err)
	}
	r.problem = f
	if c.Response().Committed {
		return
	}
	body := problemBody(c, r, status, f)
	writeProblem(c, status, f, body)
}

// What a caller sent may come back in a problem, and a problem may be stored, so there is a bound to all of it.
const (
	maxDetail     = 500 // characters
	maxInstance   = 500 // bytes; a longer path is left out, as a part of it would be another
	maxViolations = 20
)

func problemBody(c echo.Context, r *request, status int, f *fault.Error) []byte {
	p := Problem{
		Type: "urn:kerf:problem:" + f.Code, Title: http.StatusText(status), Status: status, Detail: cut(f.Message, maxDetail),
		Instance: c.Request().URL.EscapedPath(), Code: f.Code, RequestID: r.id,
	}
	if len(p.Instance) > maxInstance {
		p.Instance = ""
	}
	if f.Kind == fault.KindInternal {
		p.Detail = "something went wrong here; the request id finds it in the log"
	}
	for i, v := range f.Violations {
		if i == maxViolations {
			p.Detail += fmt.Sprintf("; %d more violations are not shown", len(f.Violations)-i)
			break
		}
		p.Violations = append(p.Violations, Violation{cut(v.Field, maxDetail), cut(v.Description, maxDetail)})
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and integers only: cannot happen
		return []byte(`{"type":"about:blank"}`)
	}
	return body
}

// cut shortens text to so many characters.
func cut(text string, characters int) string {
	n := 0
	for i := range text {
		if n++; n > characters {
			return text[:i] + "…"
		}
	}
	return text
}

func writeProblem(c echo.Context, status int, f *fault.Error, body []byte) {
	h := c.Response().Header()
	h.Del("Etag")
	h.Del(echo.HeaderContentType) // of an answer that did not come about
	h["Cache-Control"] = headerNoStore
	if f != nil && f.RetryAfter > 0 {
		h.Set(echo.HeaderRetryAfter, strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if status == http.StatusUnauthorized {
		challenge := `Bearer realm="kerf"`
		if f != nil && f.Code == codeInvalidToken {
			challenge += `, error="invalid_token"`
		}
		h.Set(echo.HeaderWWWAuthenticate, challenge)
	}
	// The client may be gone; then there is nobody to tell.
	_ = c.Blob(status, contentProblem, body)
}

const contentProblem = "application/problem+json"
