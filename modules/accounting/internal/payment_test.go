package internal

import (
	"testing"
	"time"

	"kerf/platform/fault"
	"kerf/platform/money"
)

// aPayment is a payment that stands in a state, as its life would have left it there.
func aPayment(state State) *Payment {
	p := &Payment{OrderID: "o", ConsumerID: "c", RestaurantID: "r", Currency: "EUR", Version: 5, State: state, Authorized: 1000,
		Breakdown: Breakdown{Subtotal: 1000}, CreatedAt: noon, UpdatedAt: noon}
	switch state {
	case Created:
		p.Authorizing = true
	case Authorized:
		p.Held = true
	case Captured:
		p.Captured = 900
	case Refunded:
		p.Captured, p.Refunded = 900, 100
	}
	return p
}

// pull runs a trigger's method with arguments that suit it.
func pull(p *Payment, trigger Trigger, now time.Time) (Effect, error) {
	amount := money.Money{Amount: 100, Currency: "EUR"}
	switch trigger {
	case AskAuthorize:
		return p.fire(AskAuthorize, now)
	case AskCapture:
		return p.AskCapture(amount, now)
	case AskVoid:
		return p.AskVoid("why", now)
	case AskRefund:
		return p.AskRefund(amount, now)
	case Approve:
		return p.Approve(now)
	case Decline:
		return p.Decline("why", now)
	case Capture:
		return p.Capture(100, ForOrder, "", now)
	case Lapse:
		return p.Lapse(now)
	case Release:
		return p.Release(true, false, now)
	case Refund:
		return p.Refund(100, now)
	}
	panic("no such trigger")
}

func TestEveryTriggerInEveryStateDoesWhatTheTableSays(t *testing.T) {
	for _, state := range states {
		for _, trigger := range triggers {
			t.Run(string(state)+"/"+string(trigger), func(t *testing.T) {
				p := aPayment(state)
				effect, err := pull(p, trigger, noon.Add(time.Minute))
				row, allowed := machine[occasion{state, trigger}]
				switch {
				case !allowed && (trigger == AskAuthorize || trigger == AskCapture || trigger == AskVoid || trigger == AskRefund):
					wantFault(t, err, refusal(state, trigger).Code)
				case !allowed:
					wantFault(t, err, "provider_contradiction")
				case err != nil || p.State != row.to || effect != row.effect:
					t.Errorf("got %s, %q, %v; want %s, %q", p.State, effect, err, row.to, row.effect)
				}
				if fault.Definite(err) && err != nil && p.Version != 5 {
					t.Error("a refusal changed the version")
				}
			})
		}
	}
}

func TestTheTableHasOneRowForEachOccasionAndNoWayBack(t *testing.T) {
	if len(machine) != len(transitions) {
		t.Errorf("%d rows for %d occasions", len(transitions), len(machine))
	}
	forward := map[State][]State{
		Created: {Authorized, Declined, Voided}, Authorized: {Captured, Voided, Expired}, Captured: {Refunded},
		Refunded: nil, Declined: nil, Voided: nil, Expired: nil,
	}
	for _, row := range transitions {
		legal := row.to == row.from
		for _, next := range forward[row.from] {
			legal = legal || row.to == next
		}
		if !legal {
			t.Errorf("%s leads to %s by %s", row.from, row.to, row.trigger)
		}
	}
}

func TestOneMovementAtATime(t *testing.T) {
	p := aPayment(Authorized)
	if _, err := p.AskCapture(money.Money{Amount: 1000, Currency: "EUR"}, noon); err != nil || p.Moving != KindCapture {
		t.Fatalf("moving %q, %v", p.Moving, err)
	}
	_, err := p.AskVoid("why", noon)
	wantFault(t, err, "payment_busy")
	if fault.Definite(err) {
		t.Error("a busy payment is the last word")
	}
}

func TestAnApprovalAfterTheVoidIsReleased(t *testing.T) {
	for name, tt := range map[string]struct {
		do     func(p *Payment) Effect
		held   bool
		effect Effect
	}{
		"the void found nothing, then it is approved": {func(p *Payment) Effect {
			_, _ = p.Release(false, false, noon)
			effect, _ := p.Approve(noon)
			return effect
		}, true, ReleaseLate},
		"it is approved while the void is on its way, which finds nothing": {func(p *Payment) Effect {
			_, _ = p.Approve(noon)
			effect, _ := p.Release(false, false, noon)
			return effect
		}, true, ReleaseLate},
		"it is approved while the void is on its way, which releases it": {func(p *Payment) Effect {
			_, _ = p.Approve(noon)
			effect, _ := p.Release(true, false, noon)
			return effect
		}, false, PublishVoided},
		"the late void finds that it was released": {func(p *Payment) Effect {
			_, _ = p.Approve(noon)
			effect, _ := p.Release(false, true, noon)
			return effect
		}, false, Nothing},
	} {
		p := aPayment(Created)
		must(t, second(p.AskVoid("why", noon)))
		if effect := tt.do(p); effect != tt.effect || p.Held != tt.held || p.State != Voided {
			t.Errorf("%s: %q, held %t, %s", name, effect, p.Held, p.State)
		}
	}
}

func second(_ Effect, err error) error { return err }
