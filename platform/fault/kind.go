package fault

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// Kind is how an operation ended. The numbers are those of kerf.error.v1.Kind.
type Kind uint8

const (
	// KindOK is no fault at all; an Error never has it.
	KindOK Kind = iota
	// KindInvalid is a request that is malformed by itself, whatever the state; its violations name the fields.
	KindInvalid
	// KindUnauthenticated is a caller who has not said who he is, or could not prove it.
	KindUnauthenticated
	// KindForbidden is a caller who is known, and may not do this.
	KindForbidden
	// KindNotFound is an object that does not exist, or that the caller may not know of.
	KindNotFound
	// KindConflict is a clash with another request that is in flight; asking again may help.
	KindConflict
	// KindStale is an edit of another version than the present one.
	KindStale
	// KindRefused is a business rule that says no, or an operation key used with another request.
	KindRefused
	// KindExhausted is a caller over a limit of rate or size.
	KindExhausted
	// KindUnavailable is an owner that could not take the request.
	KindUnavailable
	// KindDeadline is a caller's time that ran out.
	KindDeadline
	// KindUnknown is an outcome that nobody can tell: the command may have happened.
	KindUnknown
	// KindInternal is a defect of ours.
	KindInternal
)

// kinds says what each kind is called, what carries it, and whether it is definite, in the order of the constants.
var kinds = [...]struct {
	name     string
	http     int
	grpc     codes.Code
	definite bool
}{
	KindOK:              {"ok", http.StatusOK, codes.OK, true},
	KindInvalid:         {"invalid", http.StatusBadRequest, codes.InvalidArgument, true},
	KindUnauthenticated: {"unauthenticated", http.StatusUnauthorized, codes.Unauthenticated, false},
	KindForbidden:       {"forbidden", http.StatusForbidden, codes.PermissionDenied, true},
	KindNotFound:        {"not_found", http.StatusNotFound, codes.NotFound, true},
	KindConflict:        {"conflict", http.StatusConflict, codes.Aborted, false},
	KindStale:           {"stale", http.StatusPreconditionFailed, codes.FailedPrecondition, true},
	KindRefused:         {"refused", http.StatusUnprocessableEntity, codes.FailedPrecondition, true},
	KindExhausted:       {"exhausted", http.StatusTooManyRequests, codes.ResourceExhausted, false},
	KindUnavailable:     {"unavailable", http.StatusServiceUnavailable, codes.Unavailable, false},
	KindDeadline:        {"deadline", http.StatusGatewayTimeout, codes.DeadlineExceeded, false},
	KindUnknown:         {"unknown", http.StatusGatewayTimeout, codes.Unknown, false},
	KindInternal:        {"internal", http.StatusInternalServerError, codes.Internal, false},
}

// Kinds returns every kind, KindOK first.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// known maps a kind that this build does not have, sent by a newer peer, to KindUnknown.
func (k Kind) known() Kind {
	if int(k) >= len(kinds) {
		return KindUnknown
	}
	return k
}

// String returns the kind's name in snake_case, as metrics and problems show it.
func (k Kind) String() string { return kinds[k.known()].name }

// HTTPStatus returns the status that answers an HTTP request which ended so.
func (k Kind) HTTPStatus() int { return kinds[k.known()].http }

// GRPCCode returns the code that carries the kind over gRPC. Two kinds may share a code: only the Detail tells them apart.
func (k Kind) GRPCCode() codes.Code { return kinds[k.known()].grpc }
