package rpc_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

func TestAStatusWithoutADetailIsNeverDefinite(t *testing.T) {
	want := map[codes.Code]fault.Kind{
		codes.DeadlineExceeded:  fault.KindDeadline,
		codes.Unavailable:       fault.KindUnavailable,
		codes.Unimplemented:     fault.KindUnavailable,
		codes.ResourceExhausted: fault.KindExhausted,
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		t.Run(code.String(), func(t *testing.T) {
			f := rpc.FromStatus(status.Error(code, "the text says: invalid"))
			kind, ok := want[code]
			if !ok {
				kind = fault.KindUnknown
			}
			if f.Kind != kind || fault.Definite(f) {
				t.Errorf("the fault is %v, definite %v, want %v", f, fault.Definite(f), kind)
			}
		})
	}
	if f := rpc.FromStatus(errors.New("no status at all")); f.Kind != fault.KindUnknown {
		t.Errorf("an error that is no status became %v", f)
	}
	if f := rpc.FromStatus(context.DeadlineExceeded); fault.Definite(f) {
		t.Errorf("a deadline became %v", f)
	}
	if f := rpc.FromStatus(nil); f != nil {
		t.Errorf("success became %v", f)
	}
}

func TestADetailSaysWhatTheCodeCannot(t *testing.T) {
	for _, kind := range fault.Kinds()[1:] {
		f := fault.New(kind, "why", "because")
		s := rpc.Status(f)
		if s.Code() != kind.GRPCCode() || s.Message() != "because" {
			t.Errorf("%v travels as %v", f, s)
		}
		if got := rpc.FromStatus(s.Err()); got.Kind != kind || got.Code != "why" {
			t.Errorf("%v arrives as %v", f, got)
		}
	}
}
