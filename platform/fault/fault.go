package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Violation names a field of the request that is not acceptable, and why.
type Violation struct {
	// Field is the path in the request, such as lines[2].quantity.
	Field       string
	Description string
}

// Error is an operation's answer that it failed. It is not changed once it was returned.
type Error struct {
	Kind Kind
	// Code is the stable reason in snake_case, such as quote_expired, for programs.
	Code string
	// Message is for people. It is sent to the caller, so it holds no secret and no personal data.
	Message    string
	Violations []Violation
	// RetryAfter is when to ask again; zero when asking again does not help.
	RetryAfter time.Duration
	// Cause is for our own log. It is never sent.
	Cause error
}

// New returns an error of a kind with its stable code and a message for people.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid says that a request is malformed, and in which fields.
func Invalid(violations ...Violation) *Error {
	e := New(KindInvalid, "invalid", "the request is not valid")
	e.Violations = violations
	return e
}

// Unauthenticated says that the caller has to prove who he is.
func Unauthenticated(format string, args ...any) *Error {
	return New(KindUnauthenticated, "unauthenticated", format, args...)
}

// Forbidden says that this caller may not do this. An object of somebody else is NotFound, not Forbidden.
func Forbidden(code, format string, args ...any) *Error {
	return New(KindForbidden, code, format, args...)
}

// NotFound says that there is no such object for this caller; what is its noun, such as "order".
func NotFound(what string) *Error {
	return New(KindNotFound, "not_found", "%s not found", what)
}

// Conflict says that another request is in the way now, and when to ask again.
func Conflict(retryAfter time.Duration, code, format string, args ...any) *Error {
	return later(retryAfter, New(KindConflict, code, format, args...))
}

// Stale says that an edit states another version than the present one.
func Stale(format string, args ...any) *Error {
	return New(KindStale, "stale", format, args...)
}

// Refused says that a business rule forbids the operation in this state.
func Refused(code, format string, args ...any) *Error {
	return New(KindRefused, code, format, args...)
}

// Exhausted says that the caller is over a limit, and when to ask again.
func Exhausted(retryAfter time.Duration, code, format string, args ...any) *Error {
	return later(retryAfter, New(KindExhausted, code, format, args...))
}

// Unavailable says that the owner cannot take requests now, and when to ask again.
func Unavailable(retryAfter time.Duration, code, format string, args ...any) *Error {
	return later(retryAfter, New(KindUnavailable, code, format, args...))
}

// Unknown says that the command may have happened; asking again with the same operation key tells.
func Unknown(retryAfter time.Duration, code, format string, args ...any) *Error {
	return later(retryAfter, New(KindUnknown, code, format, args...))
}

// Internal hides a defect behind a code; the cause is for the log alone.
func Internal(cause error, code string) *Error {
	return New(KindInternal, code, "internal error").WithCause(cause)
}

func later(after time.Duration, e *Error) *Error {
	e.RetryAfter = after
	return e
}

// WithCause records what led to a new error, for the log, and returns the error.
func (e *Error) WithCause(cause error) *Error {
	e.Cause = cause
	return e
}

// Error describes the fault for the log, its cause included; a caller is shown Message.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", e.Kind, e.Code, e.Message)
	for i, v := range e.Violations {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&b, "%s%s %s", separator, v.Field, v.Description)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// As returns the fault in an error's chain, and nil for nil. A deadline that ran out becomes KindDeadline, a call that was given
// up KindUnknown, and every other error KindInternal with the error as its cause: nobody has said what it means.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		if e == nil || e.Kind == KindOK {
			return Internal(errors.New("a fault without a kind was returned"), "internal")
		}
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return New(KindDeadline, "deadline", "the deadline passed").WithCause(err)
	case errors.Is(err, context.Canceled):
		return New(KindUnknown, "cancelled", "the caller gave up").WithCause(err)
	}
	return Internal(err, "internal")
}

// KindOf returns the kind of an error as As finds it, and KindOK for nil.
func KindOf(err error) Kind {
	if err == nil {
		return KindOK
	}
	return As(err).Kind
}

// Definite tells whether err is the owner's own last word on a command: success, or a fault of kind Invalid, Forbidden,
// NotFound, Stale or Refused. After any other error the command may still have happened, or may yet succeed: ask again with
// the same operation key.
func Definite(err error) bool { return kinds[KindOf(err).known()].definite }
