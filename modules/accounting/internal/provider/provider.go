package provider

import (
	"context"

	"kerf/platform/money"
)

// Kind is what a provider can be told to do.
type Kind string

// The kinds of instruction.
const (
	Authorize Kind = "authorize"
	Capture   Kind = "capture"
	Void      Kind = "void"
	Refund    Kind = "refund"
)

// Instruction tells the provider to do something with a payment.
type Instruction struct {
	// Key identifies the instruction: told again, it has no second effect and gets the first answer.
	Key  string
	Kind Kind
	// OrderID is for people at the provider.
	OrderID string
	// Authorization is the key of the authorisation that this captures, voids or refunds; its own for Authorize.
	Authorization string
	// Token is the payment method, for Authorize.
	Token string
	// Amount is to be held, charged or given back; a Void names none.
	Amount money.Money
}

// Status is how an instruction ended.
type Status string

// The statuses.
const (
	// Approved means that it took effect: held, charged and the rest released, released, given back.
	Approved Status = "approved"
	// Declined means that it did not and never will, for the Reason.
	Declined Status = "declined"
	// NothingHeld answers a Void: no such authorisation holds anything now. One that is still on its way may hold something later.
	NothingHeld Status = "nothing"
	// Pending means that the provider has not decided: ask again later.
	Pending Status = "pending"
)

// ReasonExpired declines a capture of an authorisation that has lapsed.
const ReasonExpired = "authorization_expired"

// Answer is what the provider says of an instruction.
type Answer struct {
	Status Status
	// Reason is a snake_case code when Declined.
	Reason string
}

// Provider moves money. Its methods are safe for concurrent use, and return by the deadline of ctx.
type Provider interface {
	// Execute carries an instruction out and answers it. An error means that the outcome is unknown: it may have taken effect, may do
	// so yet, or never; Lookup, or the same instruction again, tells.
	Execute(ctx context.Context, in Instruction) (Answer, error)
	// Lookup returns the answer to an instruction that was told earlier, and false if the provider does not know of it. One that it
	// does not know of a while after the deadline of its Execute will never take effect.
	Lookup(ctx context.Context, key string) (Answer, bool, error)
}
