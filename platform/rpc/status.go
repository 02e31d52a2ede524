package rpc

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// Status returns the gRPC status that carries a fault, with its Detail and without its cause.
func Status(f *fault.Error) *status.Status {
	plain := status.New(f.Kind.GRPCCode(), f.Message)
	detailed, err := plain.WithDetails(fault.ToProto(f))
	if err != nil {
		// Only text that is not UTF-8 gets here. Without a Detail the outcome is unknown to the caller, which is safe.
		return plain
	}
	return detailed
}

// FromStatus returns the fault that a call's error carries, nil for nil. An error without a Detail was made by the transport and
// says nothing about the command: it becomes unavailable, deadline or unknown, none of which is definite.
func FromStatus(err error) *fault.Error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return fault.Unknown(0, "transport", "the call failed").WithCause(err)
	}
	for _, any := range s.Proto().GetDetails() {
		var d kerfpb.Detail
		if any.MessageIs(&d) && any.UnmarshalTo(&d) == nil {
			return fault.FromProto(&d)
		}
	}
	switch s.Code() {
	case codes.DeadlineExceeded:
		return fault.New(fault.KindDeadline, "deadline", "the deadline passed").WithCause(err)
	case codes.Canceled:
		return fault.Unknown(0, "cancelled", "the caller gave up").WithCause(err)
	case codes.Unavailable:
		return fault.Unavailable(0, "unreachable", "the module cannot be reached").WithCause(err)
	case codes.Unimplemented:
		return fault.Unavailable(0, "not_served", "the process at this address does not serve the operation").WithCause(err)
	}
	return fault.Unknown(0, "transport", "the call failed").WithCause(err)
}
