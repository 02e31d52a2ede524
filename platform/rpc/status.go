package rpc

import (
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// retryUnreachable is when to ask again for a module that cannot be reached.
const retryUnreachable = time.Second

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

// statusOf returns the error of gRPC for an error of route.serve.
func statusOf(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return Status(f).Err()
	}
	return status.Error(codes.Unimplemented, err.Error())
}

// FromStatus returns the fault that a call's error carries, nil for nil. An error without a Detail was made by the transport and
// says nothing about the command: it becomes unavailable, deadline, exhausted or unknown, none of which is definite.
func FromStatus(err error) *fault.Error {
	f, _ := fromStatus(err)
	return f
}

// fromStatus also tells whether the fault is the owner's own answer.
func fromStatus(err error) (f *fault.Error, answered bool) {
	if err == nil {
		return nil, true
	}
	s, ok := status.FromError(err)
	if !ok {
		return transportFault(codes.Unknown, err), false
	}
	for _, any := range s.Proto().GetDetails() {
		var d kerfpb.Detail
		if any.MessageIs(&d) && any.UnmarshalTo(&d) == nil {
			return fault.FromProto(&d), true
		}
	}
	return transportFault(s.Code(), err), false
}

// transportFault returns what a code means that came without a Detail. Connect's codes are gRPC's.
func transportFault(code codes.Code, err error) *fault.Error {
	switch code {
	case codes.DeadlineExceeded:
		return fault.New(fault.KindDeadline, "deadline", "the deadline passed").WithCause(err)
	case codes.Canceled:
		return fault.Unknown(0, "cancelled", "the caller gave up").WithCause(err)
	case codes.Unavailable:
		return fault.Unavailable(retryUnreachable, "unreachable", "the module cannot be reached").WithCause(err)
	case codes.Unimplemented:
		return fault.Unavailable(retryUnreachable, "not_served", "the process at this address does not serve the operation").WithCause(err)
	case codes.ResourceExhausted: // of all that transports run out of, only the size of messages is ours to meet
		return fault.New(fault.KindExhausted, "message_too_large", "the request or its answer is larger than 16 MiB").WithCause(err)
	}
	return fault.Unknown(0, "transport", "the call failed").WithCause(err)
}
