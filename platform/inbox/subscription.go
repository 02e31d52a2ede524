package inbox

import (
	"context"

	"google.golang.org/protobuf/proto"

	"kerf/platform/bus"
	"kerf/platform/database"
)

// Subscription says which events of a module are handled, and how.
type Subscription struct {
	// Module whose topic it is.
	Module string
	// Handlers, at most one for each type of event. Events of other types are passed over.
	Handlers []Handler
}

// Handler handles the events of one type. Make one with On.
type Handler struct {
	eventType string
	decode    func(contentType string, payload []byte) (proto.Message, error)
	handle    func(ctx context.Context, tx *database.Tx, meta bus.Meta, event proto.Message) error
}

// On returns a handler that runs f for each event of type E, in a transaction with the mark that the event was handled. If f returns an
// error all of that is undone, and f runs again some times before the message is parked. Events that f appends to the outbox with ctx
// carry this one as their cause.
func On[E proto.Message](f func(ctx context.Context, tx *database.Tx, meta bus.Meta, event E) error) Handler {
	var none E
	kind := none.ProtoReflect().Type()
	eventType, _ := bus.TypeOf(none)
	return Handler{
		eventType: eventType,
		decode: func(contentType string, payload []byte) (proto.Message, error) {
			event := kind.New().Interface()
			return event, bus.Decode(contentType, payload, event)
		},
		handle: func(ctx context.Context, tx *database.Tx, meta bus.Meta, event proto.Message) error {
			return f(ctx, tx, meta, event.(E))
		},
	}
}
