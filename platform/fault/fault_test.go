package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// The table of the kinds written a second time so that a slip in one of them shows.
func TestEachKindHasItsStatusItsCodeAndItsWord(t *testing.T) {
	table := []struct {
		kind     fault.Kind
		name     string
		http     int
		grpc     codes.Code
		proto    kerfpb.Kind
		definite bool
	}{
		{fault.KindInvalid, "invalid", 400, codes.InvalidArgument, kerfpb.Kind_KIND_INVALID, true},
		{fault.KindUnauthenticated, "unauthenticated", 401, codes.Unauthenticated, kerfpb.Kind_KIND_UNAUTHENTICATED, false},
		{fault.KindForbidden, "forbidden", 403, codes.PermissionDenied, kerfpb.Kind_KIND_FORBIDDEN, true},
		{fault.KindNotFound, "not_found", 404, codes.NotFound, kerfpb.Kind_KIND_NOT_FOUND, true},
		{fault.KindConflict, "conflict", 409, codes.Aborted, kerfpb.Kind_KIND_CONFLICT, false},
		{fault.KindStale, "stale", 412, codes.FailedPrecondition, kerfpb.Kind_KIND_STALE, true},
		{fault.KindRefused, "refused", 422, codes.FailedPrecondition, kerfpb.Kind_KIND_REFUSED, true},
		{fault.KindExhausted, "exhausted", 429, codes.ResourceExhausted, kerfpb.Kind_KIND_EXHAUSTED, false},
		{fault.KindUnavailable, "unavailable", 503, codes.Unavailable, kerfpb.Kind_KIND_UNAVAILABLE, false},
		{fault.KindDeadline, "deadline", 504, codes.DeadlineExceeded, kerfpb.Kind_KIND_DEADLINE, false},
		{fault.KindUnknown, "unknown", 504, codes.Unknown, kerfpb.Kind_KIND_UNKNOWN, false},
		{fault.KindInternal, "internal", 500, codes.Internal, kerfpb.Kind_KIND_INTERNAL, false},
	}
	if got, want := len(table)+1, len(fault.Kinds()); got != want {
		t.Errorf("the table has %d kinds with ok, the package %d", got, want)
	}
	if got, want := len(fault.Kinds()), len(kerfpb.Kind_name); got != want {
		t.Errorf("the package has %d kinds, the contract %d", got, want)
	}
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			err := fault.New(row.kind, "code", "message")
			if got := row.kind.String(); got != row.name {
				t.Errorf("String() = %q", got)
			}
			if got := row.kind.HTTPStatus(); got != row.http {
				t.Errorf("HTTPStatus() = %d, want %d", got, row.http)
			}
			if got := row.kind.GRPCCode(); got != row.grpc {
				t.Errorf("GRPCCode() = %v, want %v", got, row.grpc)
			}
			if got := fault.ToProto(err).GetKind(); got != row.proto {
				t.Errorf("ToProto() kind = %v, want %v", got, row.proto)
			}
			if got := fault.Definite(fmt.Errorf("asked the kitchen: %w", err)); got != row.definite {
				t.Errorf("Definite() = %v, want %v", got, row.definite)
			}
		})
	}
}

func TestAFaultCrossesTheWireWithoutItsCause(t *testing.T) {
	sent := fault.Invalid(fault.Violation{Field: "lines[2].quantity", Description: "must be positive"})
	sent.RetryAfter = 1500 * time.Millisecond
	bytes, err := proto.Marshal(fault.ToProto(sent.WithCause(errors.New("secret"))))
	if err != nil {
		t.Fatal(err)
	}
	var detail kerfpb.Detail
	if err := proto.Unmarshal(bytes, &detail); err != nil {
		t.Fatal(err)
	}
	want := *sent
	want.Cause = nil
	if diff := cmp.Diff(&want, fault.FromProto(&detail)); diff != "" {
		t.Errorf("arrived otherwise than sent (-sent +arrived):\n%s", diff)
	}
}

func TestAKindFromANewerPeerIsOfUnknownOutcome(t *testing.T) {
	for _, kind := range []kerfpb.Kind{kerfpb.Kind_KIND_UNSPECIFIED, 99, -1} {
		got := fault.FromProto(&kerfpb.Detail{Kind: kind, Code: "new"})
		if got.Kind != fault.KindUnknown || fault.Definite(got) {
			t.Errorf("kind %d arrived as %v", kind, got.Kind)
		}
	}
	if got := fault.Kind(99); got.String() != "unknown" || got.HTTPStatus() != http.StatusGatewayTimeout {
		t.Errorf("kind 99 is %v, %d", got, got.HTTPStatus())
	}
}

func TestAnErrorNobodyNamedIsNotDefinite(t *testing.T) {
	refused := fault.Refused("closed", "the kitchen is closed")
	for _, row := range []struct {
		name     string
		err      error
		kind     fault.Kind
		definite bool
	}{
		{"success", nil, fault.KindOK, true},
		{"a wrapped fault", fmt.Errorf("accept: %w", refused), fault.KindRefused, true},
		{"a fault beside another error", errors.Join(errors.New("first"), refused), fault.KindRefused, true},
		{"a plain error", errors.New("disk on fire"), fault.KindInternal, false},
		{"a deadline", fmt.Errorf("call: %w", context.DeadlineExceeded), fault.KindDeadline, false},
		{"a caller who left", context.Canceled, fault.KindUnknown, false},
		{"a nil fault in an error", (*fault.Error)(nil), fault.KindInternal, false},
		{"a fault without a kind", &fault.Error{Code: "slip"}, fault.KindInternal, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := fault.KindOf(row.err); got != row.kind {
				t.Errorf("KindOf() = %v, want %v", got, row.kind)
			}
			if got := fault.Definite(row.err); got != row.definite {
				t.Errorf("Definite() = %v, want %v", got, row.definite)
			}
		})
	}
	plain := errors.New("disk on fire")
	if got := fault.As(plain); got.Message != "internal error" || !errors.Is(got, plain) {
		t.Errorf("As(plain) = %#v: it must keep the cause and hide its text", got)
	}
}

func TestAnErrorReadsForTheLog(t *testing.T) {
	err := fault.Invalid(fault.Violation{Field: "tip", Description: "must not be negative"}, fault.Violation{Field: "lines", Description: "must not be empty"})
	want := "invalid (invalid): the request is not valid: tip must not be negative, lines must not be empty: bad"
	if got := err.WithCause(errors.New("bad")).Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
