package provider

// mishap is what goes wrong with an instruction.
type mishap uint8

const (
	fine    mishap = iota
	slow           // answered after a while, but in time
	lost           // the connection breaks before the provider hears of it; told again, it is fine
	timeout        // as lost, but the caller waits until his deadline
	unknown        // takes effect, but the connection breaks before the answer
	late           // takes effect only after the caller has given up waiting
)

// behaviour is how the simulator treats the payments of a token.
type behaviour struct {
	declines string // the reason; empty: approves
	goes     map[Kind]mishap
	expires  bool // the authorisation lapses before it can be captured
}

const insufficientFunds = "insufficient_funds"

// behaviours are the tokens that make the simulator behave in a certain way. Every other token, tok_approve among them, is approved.
var behaviours = map[string]behaviour{
	// Declined at once.
	"tok_decline": {declines: insufficientFunds},
	// Approved, after a while but in time.
	"tok_slow": {goes: map[Kind]mishap{Authorize: slow, Capture: slow}},
	// The first attempt is not answered and has no effect; asked again, it is approved. tok_lost does so without the wait.
	"tok_timeout": {goes: map[Kind]mishap{Authorize: timeout}},
	"tok_lost":    {goes: map[Kind]mishap{Authorize: lost}},
	// Approved or declined, but the connection breaks before the answer.
	"tok_unknown":          {goes: map[Kind]mishap{Authorize: unknown}},
	"tok_unknown_declined": {declines: insufficientFunds, goes: map[Kind]mishap{Authorize: unknown}},
	// Not answered in time, and approved or declined only afterwards.
	"tok_late":          {goes: map[Kind]mishap{Authorize: late}},
	"tok_late_declined": {declines: insufficientFunds, goes: map[Kind]mishap{Authorize: late}},
	// Approved; the first attempt to capture is not answered and has no effect.
	"tok_capture_timeout": {goes: map[Kind]mishap{Capture: timeout}},
	// Approved; capture, void or refund take effect, but the connection breaks before the answer.
	"tok_capture_unknown": {goes: map[Kind]mishap{Capture: unknown}},
	"tok_void_unknown":    {goes: map[Kind]mishap{Void: unknown}},
	"tok_refund_unknown":  {goes: map[Kind]mishap{Refund: unknown}},
	// Approved; the authorisation lapses before it can be captured.
	"tok_expire": {expires: true},
}
