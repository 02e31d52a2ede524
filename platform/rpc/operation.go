package rpc

import (
	"context"
	"path"

	"google.golang.org/protobuf/proto"
)

// Operation is what the glue tells of a method.
type Operation struct {
	// Path is gRPC's and Connect's, such as /kerf.kitchen.v1.KitchenService/CreateTicket.
	Path string
	// Command is true of an operation that has an effect; a query has none.
	Command bool
}

// Name returns the operation's name, such as CreateTicket.
func (o Operation) Name() string { return path.Base(o.Path) }

// Caller calls operations of one module elsewhere. An error is a *fault.Error; res is filled only without one.
type Caller interface {
	Call(ctx context.Context, operation Operation, req, res proto.Message) error
}

// repeatable tells whether the same request may be sent twice: that of a query, and that of a command which names its key.
func (o Operation) repeatable(req proto.Message) bool {
	if !o.Command {
		return true
	}
	keyed, ok := req.(interface{ GetOperationKey() string })
	return ok && keyed.GetOperationKey() != ""
}
