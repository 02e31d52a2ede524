package internal

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/accounting/internal/provider"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

func TestAnOrderIsAuthorizedCapturedAndRefunded(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	b.wantState(o, Authorized)
	b.wantBooks(0, 0, 1)
	must(t, b.capture(o))
	b.wantState(o, Captured)
	must(t, b.giveBack(o, "r1", 300, "late"))
	must(t, b.giveBack(o, "r2", 1300, "late"))
	b.wantState(o, Refunded)
	b.wantFacts(o, "PaymentAuthorized", "PaymentCaptured", "PaymentRefunded", "PaymentRefunded")
	b.wantBooks(total, total, 0)
}

func TestARepeatedCommandGetsTheFirstAnswer(t *testing.T) {
	b := open(t)
	declined := newOrder()
	for range 2 {
		wantFault(t, b.authorize(declined, "tok_decline"), "card_declined")
	}
	b.wantFacts(declined, "PaymentDeclined")
	o := newOrder()
	for range 2 {
		must(t, b.authorize(o, "tok_approve"))
	}
	for range 2 {
		must(t, b.capture(o))
	}
	for range 2 {
		must(t, b.giveBack(o, "r", 100, "late"))
	}
	wantFault(t, b.giveBack(o, "r", 101, "late"), "operation_key_reused")
	b.wantFacts(o, "PaymentAuthorized", "PaymentCaptured", "PaymentRefunded")
	b.wantBooks(total, 100, 0)
}

func TestAnOrderIsChargedOnceWhoeverAsks(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	wantFault(t, b.captureFee(o, 100), "not_authorized")
	again := o.authorization("tok_approve")
	again.OperationKey = "another"
	_, err := b.AuthorizePayment(b.ctx, again)
	wantFault(t, err, "payment_exists")
	wantFault(t, b.void(o), "already_captured")
	b.wantBooks(total, 0, 0)
}

func TestACancellationFeeIsCapturedAndTheRestLetGo(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	wantFault(t, b.captureFee(o, total+1), "over_authorized")
	wantFault(t, b.captureFee(o, 0), "operation_key_reused") // the same key, another amount
	_, err := b.CapturePayment(b.ctx, &accountingapi.CapturePaymentRequest{OperationKey: "fee", OrderId: o.id, Amount: euro(400),
		Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_CANCELLATION_FEE})
	must(t, err)
	b.wantBooks(400, 0, 0)
	wantFault(t, b.giveBack(o, "r", 401, "late"), "over_captured")
	b.wantCharges(o, "captured")
}

func TestRefundsNeverExceedTheCharge(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	wantFault(t, b.giveBack(o, "early", 1, "late"), "over_captured")
	must(t, b.capture(o))
	wantFault(t, b.giveBack(o, "r1", total+1, "late"), "over_captured")
	must(t, b.giveBack(o, "r2", total-1, "late"))
	wantFault(t, b.giveBack(o, "r3", 2, "late"), "over_captured")
	must(t, b.giveBack(o, "r4", 1, "late"))
	b.wantBooks(total, total, 0)
}

func TestAVoidReleasesWhatIsHeld(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	must(t, b.void(o))
	b.wantState(o, Voided)
	b.wantFacts(o, "PaymentAuthorized", "PaymentVoided")
	wantFault(t, b.capture(o), "not_authorized")
	b.wantBooks(0, 0, 0)
	b.wantCharges(o, "released")

	declined := newOrder()
	wantFault(t, b.authorize(declined, "tok_decline"), "card_declined")
	must(t, b.void(declined))
	b.wantState(declined, Declined)
}

func TestAVoidBeforeItsAuthorizationRefusesIt(t *testing.T) {
	b := open(t)
	o := newOrder()
	must(t, b.void(o))
	wantFault(t, b.authorize(o, "tok_approve"), "payment_voided")
	b.wantFacts(o)
	b.wantCharges(o)
	_, err := b.GetPayment(b.ctx, &accountingapi.GetPaymentRequest{OrderId: o.id})
	wantFault(t, err, "not_found")
	wantFault(t, b.capture(o), "not_found")
}

func TestWhatTheProviderDoesBadlyEndsWell(t *testing.T) {
	for _, tt := range []struct {
		token  string
		state  State
		code   string // of the first authorisation
		settle string // of the repeat, when all is quiet
		facts  []string
	}{
		{"tok_approve", Authorized, "", "", []string{"PaymentAuthorized"}},
		{"tok_whatever", Authorized, "", "", []string{"PaymentAuthorized"}},
		{"tok_slow", Authorized, "", "", []string{"PaymentAuthorized"}},
		{"tok_decline", Declined, "card_declined", "card_declined", []string{"PaymentDeclined"}},
		{"tok_timeout", Authorized, "provider_unanswered", "", []string{"PaymentAuthorized"}},
		{"tok_lost", Authorized, "provider_unanswered", "", []string{"PaymentAuthorized"}},
		{"tok_unknown", Authorized, "provider_unanswered", "", []string{"PaymentAuthorized"}},
		{"tok_unknown_declined", Declined, "provider_unanswered", "card_declined", []string{"PaymentDeclined"}},
		{"tok_late", Authorized, "provider_unanswered", "", []string{"PaymentAuthorized"}},
		{"tok_late_declined", Declined, "provider_unanswered", "card_declined", []string{"PaymentDeclined"}},
	} {
		t.Run(tt.token, func(t *testing.T) {
			b := open(t)
			o := newOrder()
			err := b.authorize(o, tt.token)
			wantFault(t, err, tt.code)
			if tt.code == "provider_unanswered" {
				if f := fault.As(err); f.Kind != fault.KindUnknown || f.RetryAfter == 0 {
					t.Errorf("an unknown outcome is %v", f)
				}
				wantFault(t, b.authorize(o, tt.token), tt.code) // meanwhile
			}
			b.quiet()
			wantFault(t, b.authorize(o, tt.token), tt.settle)
			b.wantState(o, tt.state)
			b.wantFacts(o, tt.facts...)
		})
	}
}

func TestUnknownOutcomesOfWhatFollowsEndWell(t *testing.T) {
	b := open(t)
	for _, token := range []string{"tok_capture_timeout", "tok_capture_unknown"} {
		o := b.authorized(token)
		wantFault(t, b.capture(o), "provider_unanswered")
		wantFault(t, b.void(o), "payment_busy")
		b.quiet()
		must(t, b.capture(o))
		wantFault(t, b.void(o), "already_captured")
		b.wantFacts(o, "PaymentAuthorized", "PaymentCaptured")
	}
	b.wantBooks(2*total, 0, 0)

	o := b.captured("tok_refund_unknown")
	wantFault(t, b.giveBack(o, "r", 100, "late"), "provider_unanswered")
	wantFault(t, b.giveBack(o, "s", 100, "late"), "payment_busy")
	b.quiet()
	must(t, b.giveBack(o, "r", 100, "late"))
	b.wantBooks(3*total, 100, 0)

	o = b.authorized("tok_void_unknown")
	wantFault(t, b.void(o), "provider_unanswered")
	wantFault(t, b.capture(o), "payment_busy")
	b.quiet()
	must(t, b.void(o))
	b.wantFacts(o, "PaymentAuthorized", "PaymentVoided")
	b.wantBooks(3*total, 100, 0)
}

func TestAnAuthorizationThatLapsedIsNotCaptured(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_expire")
	for range 2 {
		wantFault(t, b.capture(o), "not_authorized")
	}
	b.wantState(o, Expired)
	b.wantFacts(o, "PaymentAuthorized", "PaymentVoided")
	must(t, b.void(o))
	b.wantBooks(0, 0, 0)
}

func TestAVoidWinsOverAnAuthorizationOfUnknownOutcome(t *testing.T) {
	for token, want := range map[string]struct {
		charge string
		facts  []string
	}{
		"tok_unknown":          {"released", []string{"PaymentVoided"}}, // it had taken effect
		"tok_unknown_declined": {"declined", nil},
		"tok_lost":             {"", nil}, // it never arrives
		"tok_timeout":          {"", nil},
		"tok_late":             {"released", []string{"PaymentVoided"}}, // it takes effect after the void
		"tok_late_declined":    {"declined", nil},
	} {
		t.Run(token, func(t *testing.T) {
			b := open(t)
			o := newOrder()
			wantFault(t, b.authorize(o, token), "provider_unanswered")
			must(t, b.void(o))
			b.wantState(o, Voided)
			b.quiet()
			wantFault(t, b.authorize(o, token), "payment_voided")
			b.wantState(o, Voided)
			b.wantFacts(o, want.facts...)
			b.wantBooks(0, 0, 0)
			if want.charge == "" {
				b.wantCharges(o)
			} else {
				b.wantCharges(o, want.charge)
			}
		})
	}
}

// gate holds a provider's calls of a kind, before or after their effect, until it is opened.
type gate struct {
	provider.Provider
	kind    Kind
	before  bool
	arrived chan struct{}
	open    chan struct{}
}

func newGate(p provider.Provider, kind Kind, before bool) *gate {
	return &gate{Provider: p, kind: kind, before: before, arrived: make(chan struct{}, 16), open: make(chan struct{})}
}

func (g *gate) Execute(ctx context.Context, in provider.Instruction) (provider.Answer, error) {
	hold := func() {
		if in.Kind == g.kind {
			g.arrived <- struct{}{}
			<-g.open
		}
	}
	if g.before {
		hold()
	}
	answer, err := g.Provider.Execute(context.WithoutCancel(ctx), in)
	if !g.before {
		hold()
	}
	return answer, err
}

func TestAVoidWhileTheAuthorizationIsOnItsWay(t *testing.T) {
	for name, before := range map[string]bool{"the void is first at the provider": true, "the authorisation is first at the provider": false} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			g := newGate(b.simulator, KindAuthorize, before)
			b.provider = g
			o := newOrder()
			authorized := make(chan error, 1)
			go func() { authorized <- b.authorize(o, "tok_approve") }()
			<-g.arrived
			must(t, b.void(o))
			b.wantState(o, Voided)
			close(g.open)
			wantFault(t, <-authorized, "payment_voided")
			b.quiet()
			b.wantFacts(o, "PaymentVoided")
			b.wantCharges(o, "released")
			b.wantBooks(0, 0, 0)
		})
	}
}

func TestAnApprovalWhileTheVoidIsOnItsWay(t *testing.T) {
	b := open(t)
	o := newOrder()
	wantFault(t, b.authorize(o, "tok_late"), "provider_unanswered")
	g := newGate(b.simulator, KindVoid, false)
	b.provider = g
	voided := make(chan error, 1)
	go func() { voided <- b.void(o) }()
	<-g.arrived // the provider has answered that nothing is held
	b.await("the late approval", func() bool {
		b.clock.Advance(100 * time.Millisecond)
		return !b.payment(o).Authorizing
	})
	close(g.open)
	if err := <-voided; fault.KindOf(err) != fault.KindUnknown { // reconciliation may have recorded it first
		must(t, err)
	}
	b.quiet()
	b.wantCharges(o, "released")
	b.wantFacts(o, "PaymentVoided")
	b.wantBooks(0, 0, 0)
}

func TestTheSameCommandAtTheSameTimeHasOneEffect(t *testing.T) {
	b := open(t)
	o := newOrder()
	together := func(command func() error) {
		t.Helper()
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if err := command(); err != nil && fault.As(err).Code != "provider_unanswered" {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		must(t, command())
	}
	together(func() error { return b.authorize(o, "tok_approve") })
	together(func() error { return b.capture(o) })
	together(func() error { return b.giveBack(o, "r", 10, "late") })
	b.quiet()
	b.wantFacts(o, "PaymentAuthorized", "PaymentCaptured", "PaymentRefunded")
	b.wantBooks(total, 10, 0)
}

// crash is a process that dies while the provider is called: before it hears of the instruction, or after it took effect.
type crash struct {
	provider.Provider
	before bool
}

func (c crash) Execute(ctx context.Context, in provider.Instruction) (provider.Answer, error) {
	if !c.before {
		if _, err := c.Provider.Execute(ctx, in); err != nil {
			return provider.Answer{}, err
		}
	}
	panic(c)
}

func TestACrashBetweenTheCallAndItsRecordIsMadeGood(t *testing.T) {
	for name, before := range map[string]bool{"before the provider hears": true, "before the answer is recorded": false} {
		for _, step := range []struct {
			kind    Kind
			prepare func(b *bank) order
			command func(b *bank, o order) error
			facts   []string
			books   [3]int64
		}{
			{KindAuthorize, func(*bank) order { return newOrder() }, func(b *bank, o order) error { return b.authorize(o, "tok_approve") },
				[]string{"PaymentAuthorized"}, [3]int64{0, 0, 1}},
			{KindCapture, func(b *bank) order { return b.authorized("tok_approve") }, (*bank).capture,
				[]string{"PaymentAuthorized", "PaymentCaptured"}, [3]int64{total, 0, 0}},
			{KindVoid, func(b *bank) order { return b.authorized("tok_approve") }, (*bank).void,
				[]string{"PaymentAuthorized", "PaymentVoided"}, [3]int64{0, 0, 0}},
			{KindRefund, func(b *bank) order { return b.captured("tok_approve") },
				func(b *bank, o order) error { return b.giveBack(o, "r", 400, "late") },
				[]string{"PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"}, [3]int64{total, 400, 0}},
		} {
			t.Run(string(step.kind)+" "+name, func(t *testing.T) {
				b := open(t)
				o := step.prepare(b)
				b.provider = crash{b.simulator, before}
				func() {
					defer func() {
						if _, crashed := recover().(crash); !crashed {
							t.Fatal("did not get to the provider")
						}
					}()
					_ = step.command(b, o)
				}()
				b = b.restart()
				wantFault(t, step.command(b, o), "provider_unanswered")
				b.quiet()
				must(t, step.command(b, o))
				b.wantFacts(o, step.facts...)
				b.wantBooks(step.books[0], step.books[1], step.books[2])
			})
		}
	}
}

func TestAProcessThatStartsAsksAtOnceForTheAnswersThatTheLastOneMissed(t *testing.T) {
	b := open(t)
	o := newOrder()
	b.provider = crash{b.simulator, false}
	func() {
		defer func() { _ = recover() }()
		_ = b.authorize(o, "tok_approve")
	}()
	b = b.restart()
	wantFault(t, b.authorize(o, "tok_approve"), "provider_unanswered")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.await("the provider's answer, though no time passes", func() bool { return b.payment(o).State == Authorized })
	must(t, b.authorize(o, "tok_approve"))
	stop()
	must(t, <-ended)
}

func TestMalformedCommandsNameTheField(t *testing.T) {
	b := open(t)
	for field, spoil := range map[string]func(*accountingapi.AuthorizePaymentRequest){
		"operation_key": func(r *accountingapi.AuthorizePaymentRequest) { r.OperationKey = "" },
		"order_id":      func(r *accountingapi.AuthorizePaymentRequest) { r.OrderId = "7" },
		"consumer_id":   func(r *accountingapi.AuthorizePaymentRequest) { r.ConsumerId = "" },
		"restaurant_id": func(r *accountingapi.AuthorizePaymentRequest) { r.RestaurantId = "x" },
		"payment_token": func(r *accountingapi.AuthorizePaymentRequest) { r.PaymentToken = "4111 1111 1111 1111" },
		"amount":        func(r *accountingapi.AuthorizePaymentRequest) { r.Amount, r.Breakdown = euro(0), nil },
		"breakdown":     func(r *accountingapi.AuthorizePaymentRequest) { r.Breakdown.Tip = euro(121) },
	} {
		req := newOrder().authorization("tok_approve")
		spoil(req)
		_, err := b.AuthorizePayment(b.ctx, req)
		f := fault.As(err)
		if f == nil || f.Kind != fault.KindInvalid || f.Violations[0].Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	o := b.authorized("tok_approve")
	_, err := b.CapturePayment(b.ctx, &accountingapi.CapturePaymentRequest{OperationKey: "k", OrderId: o.id, Amount: euro(1)})
	if f := fault.As(err); f == nil || f.Kind != fault.KindInvalid || f.Violations[0].Field != "purpose" {
		t.Errorf("a capture for nothing: %v", err)
	}
	req := &accountingapi.CapturePaymentRequest{OperationKey: "k", OrderId: o.id, Amount: euro(1), Purpose: 1}
	req.Amount.Currency = "USD"
	_, err = b.CapturePayment(b.ctx, req)
	if f := fault.As(err); f == nil || f.Kind != fault.KindInvalid || f.Violations[0].Field != "amount.currency" {
		t.Errorf("a capture in another currency: %v", err)
	}
}

func TestOnlyModulesCommandAndOnlyOwnersSee(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	as := func(role identity.Role, subject string) context.Context {
		return identity.With(t.Context(), identity.Principal{Subject: subject, Roles: []identity.Role{role}})
	}
	_, err := b.VoidPayment(t.Context(), &accountingapi.VoidPaymentRequest{OperationKey: "k", OrderId: o.id})
	wantFault(t, err, "unauthenticated")
	_, err = b.VoidPayment(as(identity.RoleConsumer, o.consumer), &accountingapi.VoidPaymentRequest{OperationKey: "k", OrderId: o.id})
	wantFault(t, err, "modules_only")
	for role, subject := range map[identity.Role]string{identity.RoleConsumer: o.consumer, identity.RoleSupport: ids.New(), identity.RoleService: "service:orders"} {
		res, err := b.GetPayment(as(role, subject), &accountingapi.GetPaymentRequest{OrderId: o.id})
		if err != nil || res.GetPayment().GetAuthorized().GetAmount() != total || res.GetPayment().GetState() != accountingapi.PaymentState_PAYMENT_STATE_AUTHORIZED {
			t.Errorf("%s: %v, %v", role, res, err)
		}
	}
	for role, subject := range map[identity.Role]string{identity.RoleConsumer: ids.New(), identity.RoleCourier: o.consumer, identity.RoleRestaurant: o.restaurant} {
		_, err := b.GetPayment(as(role, subject), &accountingapi.GetPaymentRequest{OrderId: o.id})
		wantFault(t, err, "not_found")
	}
}

// liar declines every capture while it lies.
type liar struct {
	provider.Provider
	lies atomic.Bool
}

func (l *liar) Execute(ctx context.Context, in provider.Instruction) (provider.Answer, error) {
	if l.lies.Load() && in.Kind == KindCapture {
		return provider.Answer{Status: provider.Declined, Reason: "mood"}, nil
	}
	return l.Provider.Execute(ctx, in)
}

func TestAnAnswerThatMakesNoSenseChangesNothingUntilItDoes(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	l := &liar{Provider: b.simulator}
	l.lies.Store(true)
	b.provider = l
	wantFault(t, b.capture(o), "provider_contradiction")
	b.await("the stuck operation", func() bool {
		b.clock.Advance(time.Second)
		depth, err := b.work.Depth(b.ctx)
		must(t, err)
		return depth.Stuck == 1
	})
	b.wantState(o, Authorized)
	if n := b.audit()["operations_unfinished"]; n != 1 {
		t.Errorf("%d operations are unfinished", n)
	}
	l.lies.Store(false)
	b.quiet()
	must(t, b.capture(o))
	b.wantBooks(total, 0, 0)
}
