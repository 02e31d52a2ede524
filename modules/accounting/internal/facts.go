package internal

import (
	"context"

	"google.golang.org/protobuf/proto"

	"kerf/modules/accounting/accountingapi"
	"kerf/platform/database"
)

// bookAndPublish adds the posting that an effect asks for to the ledger, and its event to the outbox.
func (s *Service) bookAndPublish(ctx context.Context, tx *database.Tx, p *Payment, in *Instruction, effect Effect) error {
	switch effect {
	case BookCapture:
		posting := CapturePosting(p, in.Amount, in.Purpose, in.CourierID)
		posting.Reference = in.Reference
		if err := book(tx, p.OrderID, posting, p.UpdatedAt); err != nil {
			return err
		}
	case BookRefund:
		had, err := earned(tx, p.OrderID)
		if err != nil {
			return err
		}
		posting := RefundPosting(p, in.Amount, in.Reason, had)
		posting.Reference = in.Reference
		if err := book(tx, p.OrderID, posting, p.UpdatedAt); err != nil {
			return err
		}
	}
	event := factOf(p, in, effect)
	if event == nil {
		return nil
	}
	return s.events.Append(ctx, tx, p.OrderID, p.OrderID, event)
}

// factOf returns the event that an effect publishes, and nil for one that publishes nothing.
func factOf(p *Payment, in *Instruction, effect Effect) proto.Message {
	order, consumer, restaurant := p.OrderID, p.ConsumerID, p.RestaurantID
	switch effect {
	case PublishAuthorized:
		return &accountingapi.PaymentAuthorized{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Amount: p.money(p.Authorized).ToProto()}
	case PublishDeclined:
		return &accountingapi.PaymentDeclined{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Amount: p.money(p.Authorized).ToProto(), Reason: p.Reason}
	case PublishVoided:
		return &accountingapi.PaymentVoided{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Amount: p.money(p.Authorized).ToProto(), Reason: p.Reason}
	case BookCapture:
		return &accountingapi.PaymentCaptured{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Amount: p.money(in.Amount).ToProto(), Purpose: purposeToProto(in.Purpose)}
	case BookRefund:
		return &accountingapi.PaymentRefunded{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Amount: p.money(in.Amount).ToProto(), Reason: in.Reason}
	}
	return nil
}
