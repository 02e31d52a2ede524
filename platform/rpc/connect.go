package rpc

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// envelope is what Connect carries for us. Connect wants message types at compile time, and one that is decoded only where its type
// is known serves all operations.
type envelope struct {
	// message is to be sent, unless bytes are.
	message proto.Message
	// bytes are a message as it arrived, or as it is to be sent.
	bytes []byte
	// codec is that by which a message arrived.
	codec *codec
}

// open reads what arrived.
func (e *envelope) open(into any) error { return e.codec.unmarshal(e.bytes, into.(proto.Message)) }

// codec is one of Connect's content types.
type codec struct {
	name      string
	marshal   func(proto.Message) ([]byte, error)
	unmarshal func([]byte, proto.Message) error
}

var errNoEnvelope = errors.New("not an envelope")

func (c *codec) Name() string { return c.name }

func (c *codec) Marshal(message any) ([]byte, error) {
	e, ok := message.(*envelope)
	if !ok {
		return nil, errNoEnvelope
	}
	if e.message == nil {
		return e.bytes, nil
	}
	return c.marshal(e.message)
}

// Unmarshal keeps a copy: the bytes are Connect's and used again.
func (c *codec) Unmarshal(data []byte, message any) error {
	e, ok := message.(*envelope)
	if !ok {
		return errNoEnvelope
	}
	e.bytes, e.codec = slices.Clone(data), c
	return nil
}

func protoCodec() *codec {
	return &codec{name: "proto", marshal: proto.Marshal, unmarshal: proto.Unmarshal}
}

// jsonCodec reads and writes protojson. Fields that it does not know are passed over, as they are in protobuf: contracts grow.
func jsonCodec(name string) *codec {
	return &codec{name: name, marshal: protojson.Marshal, unmarshal: protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal}
}

// connectHandler serves the operation by the Connect protocol.
func (r *route) connectHandler() http.Handler {
	unary := func(ctx context.Context, req *connect.Request[envelope]) (*connect.Response[envelope], error) {
		res, err := r.serve(ctx, httpCaller(ctx), sentHeader(req.Header()), func(into any) error { return malformed(req.Msg.open(into)) })
		if err != nil {
			return nil, connectError(err)
		}
		return connect.NewResponse(&envelope{message: res.(proto.Message)}), nil
	}
	return connect.NewUnaryHandler(r.path, unary,
		connect.WithCodec(protoCodec()), connect.WithCodec(jsonCodec("json")), connect.WithCodec(jsonCodec("json; charset=utf-8")),
		connect.WithCompression("gzip", nil, nil), // processes that talk much are near each other
		connect.WithReadMaxBytes(maxMessageSize), connect.WithSendMaxBytes(maxMessageSize))
}

// connectError returns the error of Connect for an error of route.serve.
func connectError(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return connect.NewError(connect.CodeUnimplemented, err)
	}
	e := connect.NewError(connect.Code(f.Kind.GRPCCode()), errors.New(f.Message))
	if detail, err := connect.NewErrorDetail(fault.ToProto(f)); err == nil {
		e.AddDetail(detail)
	}
	return e
}

// fromConnect returns the fault that an error of Connect carries, and whether it is the owner's own answer.
func fromConnect(ctx context.Context, err error) (f *fault.Error, answered bool) {
	if err == nil {
		return nil, true
	}
	var e *connect.Error
	if !errors.As(err, &e) {
		return transportFault(codes.Unknown, err), false
	}
	if !connect.IsWireError(err) {
		return transportFault(localCode(ctx, e.Code()), err), false
	}
	for _, detail := range e.Details() {
		if value, err := detail.Value(); err == nil {
			if d, ok := value.(*kerfpb.Detail); ok {
				return fault.FromProto(d), true
			}
		}
	}
	return transportFault(codes.Code(e.Code()), err), false
}

// localCode corrects the code of an error that was made on this side. Connect takes a connection that was reset for a client that has
// gone, and a deadline of the dialler for the call's; and a response that cannot be read says nothing about the request.
func localCode(ctx context.Context, code connect.Code) codes.Code {
	switch code {
	case connect.CodeCanceled, connect.CodeDeadlineExceeded:
		if ctx.Err() == nil {
			return codes.Unavailable
		}
	case connect.CodeUnavailable, connect.CodeUnimplemented, connect.CodeResourceExhausted:
	default:
		return codes.Unknown
	}
	return codes.Code(code)
}
