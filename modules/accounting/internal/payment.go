package internal

import (
	"fmt"
	"time"

	"kerf/platform/fault"
	"kerf/platform/money"
)

// Payment is what a diner pays for an order. All its amounts are of one currency, in minor units.
type Payment struct {
	OrderID      string
	Version      int64
	State        State
	Reason       string
	ConsumerID   string
	RestaurantID string
	// Token names the payment method to the provider. It is shown to nobody.
	Token      string
	Currency   string
	Authorized int64
	Captured   int64
	Refunded   int64
	Breakdown  Breakdown
	// Purpose and CourierID are the capture's: what for, and who brought the food.
	Purpose   Purpose
	CourierID string
	// Refunds counts the refunds that were begun: the revision that tells one from the next.
	Refunds int64

	// Authorizing says that the provider has not answered the authorisation yet.
	Authorizing bool
	// Moving is the one capture, void or refund that the provider has not answered yet.
	Moving Kind
	// Held says that the provider holds the authorised amount, as far as it has answered.
	Held bool

	CreatedAt  time.Time
	UpdatedAt  time.Time
	CapturedAt time.Time
}

// Purpose is what a capture is for.
type Purpose string

// The purposes.
const (
	ForOrder           Purpose = "ORDER"
	ForCancellationFee Purpose = "CANCELLATION_FEE"
)

// Breakdown is what an amount is made of, in minor units.
type Breakdown struct {
	Subtotal, Tax, DeliveryFee, ServiceFee, SmallOrderFee, Tip int64
}

// tombstone is the payment of an order that must never be authorised.
func tombstone(orderID, reason string, now time.Time) *Payment {
	return &Payment{OrderID: orderID, Version: 1, State: Voided, Reason: reason, CreatedAt: now, UpdatedAt: now}
}

// isTombstone tells whether the payment was voided before it came. It is shown to nobody.
func (p *Payment) isTombstone() bool { return p.ConsumerID == "" }

// money is an amount of the payment's currency.
func (p *Payment) money(amount int64) money.Money {
	return money.Money{Amount: amount, Currency: p.Currency}
}

// fire takes the trigger's row of the machine. What is asked for and not there is refused; an answer that is not there contradicts
// the provider's earlier ones, which is Internal: an operator has to look. After an error the payment is to be thrown away.
func (p *Payment) fire(trigger Trigger, now time.Time) (Effect, error) {
	row, ok := machine[occasion{p.State, trigger}]
	if !ok {
		switch trigger {
		case AskAuthorize, AskCapture, AskVoid, AskRefund:
			return Nothing, refusal(p.State, trigger)
		}
		return Nothing, fault.Internal(fmt.Errorf("the provider says %s of a payment that is %s", trigger, p.State), "provider_contradiction")
	}
	if row.to != row.from || row.effect != Nothing && row.effect != AskProvider {
		p.State = row.to
		p.Version++
		p.UpdatedAt = now
	}
	return row.effect, nil
}

// ask begins what moves the money, one at a time: what the next may do depends on how the last ended.
func (p *Payment) ask(trigger Trigger, kind Kind, now time.Time) (Effect, error) {
	effect, err := p.fire(trigger, now)
	if err != nil || effect == Nothing {
		return effect, err
	}
	if p.Moving != "" {
		return Nothing, fault.Conflict(retryBusy, "payment_busy", "the %s of this payment is not answered yet", p.Moving)
	}
	p.Moving = kind
	return effect, nil
}

// AskCapture begins the one charge of the order. It takes the amount out of what is authorised, and the provider lets go of the rest.
func (p *Payment) AskCapture(amount money.Money, now time.Time) (Effect, error) {
	effect, err := p.ask(AskCapture, KindCapture, now)
	if err != nil {
		return effect, err
	}
	if err := p.checkAmount(amount); err != nil {
		return Nothing, err
	}
	if amount.Amount > p.Authorized {
		return Nothing, fault.Refused("over_authorized", "%s is authorised", p.money(p.Authorized))
	}
	return effect, nil
}

// AskVoid begins to give up what is authorised. While the authorisation's outcome is not known the payment is VOIDED at once: whatever
// the provider answers later is released.
func (p *Payment) AskVoid(reason string, now time.Time) (Effect, error) {
	effect, err := p.ask(AskVoid, KindVoid, now)
	if effect != Nothing {
		p.Reason = reason
	}
	return effect, err
}

// AskRefund begins to give an amount back.
func (p *Payment) AskRefund(amount money.Money, now time.Time) (Effect, error) {
	effect, err := p.ask(AskRefund, KindRefund, now)
	if err != nil {
		return effect, err
	}
	if err := p.checkAmount(amount); err != nil {
		return Nothing, err
	}
	if left := p.Captured - p.Refunded; amount.Amount > left {
		return Nothing, fault.Refused("over_captured", "%s of what was charged is left", p.money(left))
	}
	p.Refunds++
	return effect, nil
}

func (p *Payment) checkAmount(amount money.Money) error {
	switch {
	case amount.Currency != p.Currency:
		return fault.Invalid(fault.Violation{Field: "amount.currency", Description: "must be " + p.Currency + ", as was authorised"})
	case amount.Check() != nil || amount.Amount <= 0:
		return fault.Invalid(fault.Violation{Field: "amount.amount", Description: "must be positive"})
	}
	return nil
}

// Approve records that the provider holds the amount. If the payment was voided meanwhile, the hold has to be released: at once, or
// by the void that is on its way.
func (p *Payment) Approve(now time.Time) (Effect, error) {
	p.Authorizing = false
	effect, err := p.fire(Approve, now)
	p.Held = err == nil
	return effect, err
}

// Decline records that the provider holds nothing, and why.
func (p *Payment) Decline(reason string, now time.Time) (Effect, error) {
	p.Authorizing = false
	effect, err := p.fire(Decline, now)
	if effect == PublishDeclined {
		p.Reason = reason
	}
	return effect, err
}

// Capture records the charge.
func (p *Payment) Capture(amount int64, purpose Purpose, courierID string, now time.Time) (Effect, error) {
	effect, err := p.fire(Capture, now)
	p.Captured, p.Purpose, p.CourierID, p.CapturedAt = amount, purpose, courierID, now
	p.Moving, p.Held = "", false
	return effect, err
}

// Lapse records that the authorisation was no longer there when it was to be captured.
func (p *Payment) Lapse(now time.Time) (Effect, error) {
	effect, err := p.fire(Lapse, now)
	p.Reason, p.Moving, p.Held = "authorization_expired", "", false
	return effect, err
}

// Release records the provider's answer to a void: whether it held something, which it has let go. A void that was asked for before
// the approval was known may have reached the provider before it; then it is followed by a late one, whose answer is final.
func (p *Payment) Release(released, late bool, now time.Time) (Effect, error) {
	p.Moving = ""
	if p.State == Voided && !released {
		if p.Held && !late {
			return ReleaseLate, nil
		}
		p.Held = false
		return Nothing, nil
	}
	p.Held, p.Authorizing = false, false // what was released had been approved
	return p.fire(Release, now)
}

// Refund records that an amount was given back.
func (p *Payment) Refund(amount int64, now time.Time) (Effect, error) {
	effect, err := p.fire(Refund, now)
	p.Refunded += amount
	p.Moving = ""
	return effect, err
}
