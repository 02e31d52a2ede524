package bus

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Answer is what a subscriber says of a message.
type Answer int

// The answers. A message is abandoned when its context ends before the subscriber has said anything.
const (
	Acked Answer = iota
	Nacked
	Abandoned
)

// HandOut gives a message to the subscriber that reads out, and waits for its answer. The message's context ends then, or with ctx. taken is
// called when the subscriber has it.
func HandOut(ctx context.Context, out chan<- *message.Message, msg *message.Message, taken func()) Answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg.SetContext(ctx)
	select {
	case out <- msg:
		taken()
	case <-ctx.Done():
		return Abandoned
	}
	select {
	case <-msg.Acked():
		return Acked
	case <-msg.Nacked():
		return Nacked
	case <-ctx.Done():
	}
	select {
	case <-msg.Acked(): // both happened, and an ack must not be lost
		return Acked
	default:
		return Abandoned
	}
}
