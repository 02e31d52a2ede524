package internal

import "kerf/platform/fault"

// State is where a payment stands.
type State string

// The states of a payment. REFUNDED says that something was given back, not that all was.
const (
	Created    State = "CREATED" // the provider has not said yet
	Authorized State = "AUTHORIZED"
	Captured   State = "CAPTURED"
	Refunded   State = "REFUNDED"
	Declined   State = "DECLINED"
	Voided     State = "VOIDED"
	Expired    State = "EXPIRED" // the provider let the authorisation lapse
)

var states = []State{Created, Authorized, Captured, Refunded, Declined, Voided, Expired}

// Trigger is what may happen to a payment: a module asks for something, or the provider has answered.
type Trigger string

// Asked for, a step goes to the provider; answered, it takes effect.
const (
	AskAuthorize Trigger = "AuthorizePayment"
	AskCapture   Trigger = "CapturePayment"
	AskVoid      Trigger = "VoidPayment"
	AskRefund    Trigger = "RefundPayment"

	Approve Trigger = "authorisation approved"
	Decline Trigger = "authorisation declined"
	Capture Trigger = "captured"
	Lapse   Trigger = "authorisation expired"
	Release Trigger = "hold released"
	Refund  Trigger = "refunded"
)

var triggers = []Trigger{AskAuthorize, AskCapture, AskVoid, AskRefund, Approve, Decline, Capture, Lapse, Release, Refund}

// Effect is what a transition does beside changing the state.
type Effect string

// Effects. Nothing leaves the payment as it is.
const (
	Nothing     Effect = ""
	AskProvider Effect = "ask the provider"
	// GiveUp is a void that overtakes its authorisation: refused from now on, and whatever the provider holds is released.
	GiveUp Effect = "refuse the authorisation, ask the provider to release what it may hold"
	// ReleaseLate follows an approval that comes after the void.
	ReleaseLate Effect = "ask the provider to release what it holds"

	PublishAuthorized Effect = "PaymentAuthorized"
	PublishDeclined   Effect = "PaymentDeclined"
	PublishVoided     Effect = "PaymentVoided"
	BookCapture       Effect = "PaymentCaptured, and its posting"
	BookRefund        Effect = "PaymentRefunded, and its posting"
)

// transition is one row of the machine.
type transition struct {
	from    State
	trigger Trigger
	to      State
	effect  Effect
}

// transitions is the whole machine. What is asked for and not here is refused with refusal's code; an answer of the provider that is
// not here would contradict what it answered before.
var transitions = []transition{
	{Created, Approve, Authorized, PublishAuthorized},
	{Created, Decline, Declined, PublishDeclined},
	{Created, AskVoid, Voided, GiveUp},

	{Authorized, AskCapture, Authorized, AskProvider},
	{Authorized, AskVoid, Authorized, AskProvider},
	{Authorized, Capture, Captured, BookCapture},
	{Authorized, Lapse, Expired, PublishVoided},
	{Authorized, Release, Voided, PublishVoided},

	{Captured, AskRefund, Captured, AskProvider},
	{Captured, Refund, Refunded, BookRefund},

	{Refunded, AskRefund, Refunded, AskProvider},
	{Refunded, Refund, Refunded, BookRefund},

	{Declined, AskVoid, Declined, Nothing},

	{Voided, AskVoid, Voided, Nothing},
	{Voided, Approve, Voided, ReleaseLate},
	{Voided, Decline, Voided, Nothing},
	{Voided, Release, Voided, PublishVoided},

	{Expired, AskVoid, Expired, Nothing},
}

type occasion struct {
	state   State
	trigger Trigger
}

// machine is transitions by what it is looked up with; nobody writes it after this.
var machine = func() map[occasion]transition {
	m := make(map[occasion]transition, len(transitions))
	for _, t := range transitions {
		m[occasion{t.from, t.trigger}] = t
	}
	return m
}()

// refusal answers what is asked for in a state where the table has nothing for it.
func refusal(s State, t Trigger) *fault.Error {
	code := "payment_exists"
	switch {
	case s == Voided && t == AskAuthorize:
		code = "payment_voided"
	case t == AskCapture:
		code = "not_authorized"
	case t == AskVoid:
		code = "already_captured"
	case t == AskRefund:
		code = "over_captured"
	}
	return fault.Refused(code, "the payment is %s", s)
}
