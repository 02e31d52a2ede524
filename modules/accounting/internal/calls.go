package internal

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/accounting/accountingapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
)

// The operations of accountingapi.AccountingService. The commands are the sagas'; support refunds through routes.go. An operation's
// comment stands in the contract.

func (s *Service) AuthorizePayment(ctx context.Context, req *accountingapi.AuthorizePaymentRequest) (*accountingapi.AuthorizePaymentResponse, error) {
	if err := identity.RequireModule(ctx); err != nil {
		return nil, err
	}
	p, err := paymentOf(req)
	if err != nil {
		return nil, err
	}
	in := Instruction{
		Key: req.GetOperationKey(), Reference: authorizeReference(p.OrderID), OrderID: p.OrderID, Kind: KindAuthorize, Amount: p.Authorized,
	}
	err = s.execute(ctx, in, req,
		func(_ context.Context, tx *database.Tx, _ *Instruction) (*Payment, bool, error) {
			fresh := *p // this may run again
			fresh.CreatedAt = s.clock.Now()
			fresh.UpdatedAt = fresh.CreatedAt
			made, err := create(tx, &fresh)
			if made || err != nil {
				return &fresh, made, err
			}
			there, err := find(tx, p.OrderID)
			if err != nil {
				return nil, false, err
			}
			_, err = there.fire(AskAuthorize, fresh.CreatedAt)
			return nil, false, err
		})
	return answered(&accountingapi.AuthorizePaymentResponse{}, err)
}

func (s *Service) CapturePayment(ctx context.Context, req *accountingapi.CapturePaymentRequest) (*accountingapi.CapturePaymentResponse, error) {
	if err := requireOrder(ctx, req.GetOrderId()); err != nil {
		return nil, err
	}
	purpose, err := purposeOf(req)
	if err != nil {
		return nil, err
	}
	amount := money.FromProto(req.GetAmount())
	in := Instruction{
		Key: req.GetOperationKey(), Reference: captureReference(req.GetOrderId()), OrderID: req.GetOrderId(), Kind: KindCapture,
		Amount: amount.Amount, Purpose: purpose, CourierID: req.GetCourierId(),
	}
	err = s.execute(ctx, in, req,
		func(_ context.Context, tx *database.Tx, _ *Instruction) (*Payment, bool, error) {
			p, err := findMade(tx, req.GetOrderId())
			if err != nil {
				return nil, false, err
			}
			if _, err := p.AskCapture(amount, s.clock.Now()); err != nil {
				return nil, false, err
			}
			return p, true, update(tx, p)
		})
	return answered(&accountingapi.CapturePaymentResponse{}, err)
}

func (s *Service) VoidPayment(ctx context.Context, req *accountingapi.VoidPaymentRequest) (*accountingapi.VoidPaymentResponse, error) {
	if err := requireOrder(ctx, req.GetOrderId()); err != nil {
		return nil, err
	}
	in := Instruction{
		Key: req.GetOperationKey(), Reference: voidReference(req.GetOrderId()), OrderID: req.GetOrderId(), Kind: KindVoid, Reason: req.GetReason(),
	}
	err := s.execute(ctx, in, req,
		func(_ context.Context, tx *database.Tx, _ *Instruction) (*Payment, bool, error) {
			now := s.clock.Now()
			made, err := create(tx, tombstone(req.GetOrderId(), req.GetReason(), now))
			if made || err != nil {
				return nil, false, err
			}
			p, err := find(tx, req.GetOrderId())
			if err != nil {
				return nil, false, err
			}
			effect, err := p.AskVoid(req.GetReason(), now)
			if effect == Nothing || err != nil {
				return nil, false, err
			}
			return p, true, update(tx, p)
		})
	return answered(&accountingapi.VoidPaymentResponse{}, err)
}

func (s *Service) RefundPayment(ctx context.Context, req *accountingapi.RefundPaymentRequest) (*accountingapi.RefundPaymentResponse, error) {
	if err := requireOrder(ctx, req.GetOrderId()); err != nil {
		return nil, err
	}
	return answered(&accountingapi.RefundPaymentResponse{}, s.refund(ctx, req))
}

// refund is for modules and for support alike; who may, the callers check.
func (s *Service) refund(ctx context.Context, req *accountingapi.RefundPaymentRequest) error {
	amount := money.FromProto(req.GetAmount())
	in := Instruction{
		Key: req.GetOperationKey(), OrderID: req.GetOrderId(), Kind: KindRefund, Amount: amount.Amount, Reason: req.GetReason(),
	}
	return s.execute(ctx, in, req, func(_ context.Context, tx *database.Tx, in *Instruction) (*Payment, bool, error) {
		p, err := findMade(tx, req.GetOrderId())
		if err != nil {
			return nil, false, err
		}
		if _, err := p.AskRefund(amount, s.clock.Now()); err != nil {
			return nil, false, err
		}
		in.Reference = refundReference(p.OrderID, p.Refunds)
		return p, true, update(tx, p)
	})
}

func (s *Service) GetPayment(ctx context.Context, req *accountingapi.GetPaymentRequest) (*accountingapi.GetPaymentResponse, error) {
	if _, err := ids.Parse("order_id", req.GetOrderId()); err != nil {
		return nil, err
	}
	caller, ok := identity.From(ctx)
	if !ok {
		return nil, fault.Unauthenticated("say who asks")
	}
	p, err := s.visible(ctx, caller, req.GetOrderId())
	if err != nil {
		return nil, err
	}
	return &accountingapi.GetPaymentResponse{Payment: &accountingapi.Payment{
		OrderId: p.OrderID, Version: p.Version, State: stateToProto(p.State), Reason: p.Reason,
		ConsumerId: p.ConsumerID, RestaurantId: p.RestaurantID,
		Authorized: p.money(p.Authorized).ToProto(), Captured: p.money(p.Captured).ToProto(), Refunded: p.money(p.Refunded).ToProto(),
		UpdatedAt: timestamppb.New(p.UpdatedAt),
	}}, nil
}

// answered is the response, or nothing with an error.
func answered[Res any](res *Res, err error) (*Res, error) {
	if err != nil {
		return nil, err
	}
	return res, nil
}

// visible returns an order's payment to a caller who may see it, and NotFound to everybody else.
func (s *Service) visible(ctx context.Context, caller identity.Principal, orderID string) (*Payment, error) {
	p, err := read(ctx, s.db, orderID)
	if err != nil {
		return nil, err
	}
	own := caller.Has(identity.RoleConsumer) && caller.Owns(p.ConsumerID)
	if !own && !caller.Has(identity.RoleService, identity.RoleSupport, identity.RoleAdmin) {
		return nil, fault.NotFound("payment")
	}
	return p, nil
}

func requireOrder(ctx context.Context, orderID string) error {
	if err := identity.RequireModule(ctx); err != nil {
		return err
	}
	_, err := ids.Parse("order_id", orderID)
	return err
}

// paymentOf is the payment that an authorisation asks for, checked: its parts sum to its amount.
func paymentOf(req *accountingapi.AuthorizePaymentRequest) (*Payment, error) {
	amount, b := req.GetAmount(), req.GetBreakdown()
	p := &Payment{
		OrderID: req.GetOrderId(), Version: 1, State: Created, ConsumerID: req.GetConsumerId(), RestaurantID: req.GetRestaurantId(),
		Token: req.GetPaymentToken(), Currency: amount.GetCurrency(), Authorized: amount.GetAmount(), Authorizing: true,
		Breakdown: Breakdown{
			Subtotal: b.GetSubtotal().GetAmount(), Tax: b.GetTax().GetAmount(), DeliveryFee: b.GetDeliveryFee().GetAmount(),
			ServiceFee: b.GetServiceFee().GetAmount(), SmallOrderFee: b.GetSmallOrderFee().GetAmount(), Tip: b.GetTip().GetAmount(),
		},
	}
	var found []fault.Violation
	that := func(ok bool, field, description string) {
		if !ok {
			found = append(found, fault.Violation{Field: field, Description: description})
		}
	}
	that(ids.Valid(p.OrderID), "order_id", "must be a UUID in lower case")
	that(ids.Valid(p.ConsumerID), "consumer_id", "must be a UUID in lower case")
	that(ids.Valid(p.RestaurantID), "restaurant_id", "must be a UUID in lower case")
	that(p.Token != "" && len(p.Token) <= 200, "payment_token", "must have 1 to 200 characters")
	that(!cardNumber(p.Token), "payment_token", "must be the provider's token, never a card number")
	that(money.FromProto(amount).Check() == nil && p.Authorized > 0, "amount", "must be a positive amount of a known currency")
	sum, err := money.Sum(p.Currency)
	for _, part := range []*kerfpb.Money{b.GetSubtotal(), b.GetTax(), b.GetDeliveryFee(), b.GetServiceFee(), b.GetSmallOrderFee(), b.GetTip()} {
		if part != nil && err == nil {
			that(part.GetAmount() >= 0, "breakdown", "must have no negative part")
			sum, err = sum.Add(money.FromProto(part))
		}
	}
	that(err == nil && sum.Amount == p.Authorized, "breakdown", "must have parts that sum to the amount, in its currency")
	if len(found) > 0 {
		return nil, fault.Invalid(found...)
	}
	return p, nil
}

// cardNumber tells whether a token looks like the number of a card: 12 to 19 digits, whatever stands between them.
func cardNumber(token string) bool {
	digits := 0
	for _, c := range token {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c != ' ' && c != '-':
			return false
		}
	}
	return digits >= 12 && digits <= 19
}

func purposeOf(req *accountingapi.CapturePaymentRequest) (Purpose, error) {
	courier := req.GetCourierId()
	if courier != "" && !ids.Valid(courier) {
		return "", fault.Invalid(fault.Violation{Field: "courier_id", Description: "must be a UUID in lower case"})
	}
	switch req.GetPurpose() {
	case accountingapi.CapturePurpose_CAPTURE_PURPOSE_ORDER:
		return ForOrder, nil
	case accountingapi.CapturePurpose_CAPTURE_PURPOSE_CANCELLATION_FEE:
		return ForCancellationFee, nil
	}
	return "", fault.Invalid(fault.Violation{Field: "purpose", Description: "must be order or cancellation fee"})
}

func purposeToProto(p Purpose) accountingapi.CapturePurpose {
	return accountingapi.CapturePurpose(accountingapi.CapturePurpose_value["CAPTURE_PURPOSE_"+string(p)])
}

func stateToProto(s State) accountingapi.PaymentState {
	return accountingapi.PaymentState(accountingapi.PaymentState_value["PAYMENT_STATE_"+string(s)])
}
