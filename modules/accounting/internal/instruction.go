package internal

import (
	"fmt"
	"time"

	"kerf/modules/accounting/internal/provider"
	"kerf/platform/money"
)

// Kind is what the provider is told to do.
type Kind = provider.Kind

// The kinds of instruction.
const (
	KindAuthorize = provider.Authorize
	KindCapture   = provider.Capture
	KindVoid      = provider.Void
	KindRefund    = provider.Refund
)

// Instruction is something that this module has asked the provider to do. It is written down before the provider hears of it, and
// done when the provider's answer is.
type Instruction struct {
	// Key is the operation key of who asked.
	Key string
	// Reference is the key that the provider knows it by: one for each effect on an order, whoever asks how often.
	Reference string
	OrderID   string
	Kind      Kind
	Amount    int64
	Purpose   Purpose
	CourierID string
	Reason    string
	// BegunAt is on the wall clock.
	BegunAt time.Time
}

// The references. There is one authorisation, one capture and one void of an order; a late void follows an approval that came after
// the void; refunds are numbered.
func authorizeReference(orderID string) string { return orderID + ":authorize" }
func captureReference(orderID string) string   { return orderID + ":capture" }
func voidReference(orderID string) string      { return orderID + ":void" }
func lateVoidReference(orderID string) string  { return orderID + ":late-void" }
func refundReference(orderID string, number int64) string {
	return fmt.Sprintf("%s:refund:%d", orderID, number)
}

// late tells whether this is the void that follows a late approval.
func (in *Instruction) late() bool { return in.Reference == lateVoidReference(in.OrderID) }

// told is the instruction as the provider is told it.
func (in *Instruction) told(p *Payment) provider.Instruction {
	out := provider.Instruction{
		Key: in.Reference, Kind: in.Kind, OrderID: in.OrderID, Authorization: authorizeReference(in.OrderID),
		Amount: money.Money{Amount: in.Amount, Currency: p.Currency},
	}
	if in.Kind == KindAuthorize {
		out.Token = p.Token
	}
	return out
}
