package internal

import (
	"context"
	"fmt"
	"time"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// stepDeadline bounds one call of a saga. What has not answered by then is asked again under the same key.
const stepDeadline = 5 * time.Second

// The ports that sagas act through. Each command can end in a third way, its outcome unknown, and is then asked again with the same key.

// TicketMaker makes tickets for orders.
type TicketMaker interface {
	CreateTicket(context.Context, *kitchenapi.CreateTicketRequest) (*kitchenapi.CreateTicketResponse, error)
	ConfirmTicket(context.Context, *kitchenapi.ConfirmTicketRequest) (*kitchenapi.ConfirmTicketResponse, error)
	CancelTicketCreation(context.Context, *kitchenapi.CancelTicketCreationRequest) (*kitchenapi.CancelTicketCreationResponse, error)
}

// TicketCanceller cancels tickets, if the kitchen still can.
type TicketCanceller interface {
	BeginCancel(context.Context, *kitchenapi.BeginCancelRequest) (*kitchenapi.BeginCancelResponse, error)
	ConfirmCancel(context.Context, *kitchenapi.ConfirmCancelRequest) (*kitchenapi.ConfirmCancelResponse, error)
	UndoCancel(context.Context, *kitchenapi.UndoCancelRequest) (*kitchenapi.UndoCancelResponse, error)
}

// TicketTeller tells how far a ticket is.
type TicketTeller interface {
	GetTicket(context.Context, *kitchenapi.GetTicketRequest) (*kitchenapi.GetTicketResponse, error)
}

// Tickets is the kitchen.
type Tickets interface {
	TicketMaker
	TicketCanceller
	TicketTeller
}

// PaymentHolder holds a diner's money and lets go of it.
type PaymentHolder interface {
	AuthorizePayment(context.Context, *accountingapi.AuthorizePaymentRequest) (*accountingapi.AuthorizePaymentResponse, error)
	VoidPayment(context.Context, *accountingapi.VoidPaymentRequest) (*accountingapi.VoidPaymentResponse, error)
}

// PaymentTaker takes what is held and gives it back.
type PaymentTaker interface {
	CapturePayment(context.Context, *accountingapi.CapturePaymentRequest) (*accountingapi.CapturePaymentResponse, error)
	RefundPayment(context.Context, *accountingapi.RefundPaymentRequest) (*accountingapi.RefundPaymentResponse, error)
}

// Payments is accounting.
type Payments interface {
	PaymentHolder
	PaymentTaker
}

// Couriers is delivery.
type Couriers interface {
	ScheduleDelivery(context.Context, *deliveryapi.ScheduleDeliveryRequest) (*deliveryapi.ScheduleDeliveryResponse, error)
	CancelDelivery(context.Context, *deliveryapi.CancelDeliveryRequest) (*deliveryapi.CancelDeliveryResponse, error)
	GetDelivery(context.Context, *deliveryapi.GetDeliveryRequest) (*deliveryapi.GetDeliveryResponse, error)
}

// call makes the call of the saga's step. An error means that its outcome is unknown; a refusal is an answer.
func (c *Core) call(ctx context.Context, o *Order) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, stepDeadline)
	defer cancel()
	answer, err := c.request(ctx, o, o.Saga.ID+"/"+string(o.Saga.Step))
	if err == nil {
		return answer, nil
	}
	if !fault.Definite(err) {
		return Answer{}, fmt.Errorf("%s: %w", o.Saga.Step, err)
	}
	return Answer{Refusal: fault.As(err)}, nil
}

// request is the call of each step. The key is one for each saga and step, so that asking again has no second effect. The same key must
// carry the same request each time: it is made from what does not change while the saga is at the step, which are the order's terms, the
// saga's data, and what the saga itself acts on (the setback, the failure, who cancels).
func (c *Core) request(ctx context.Context, o *Order, key string) (answer Answer, err error) {
	switch o.Saga.Step {
	case CreateTicket:
		_, err = c.ask.Kitchen.CreateTicket(ctx, createTicketRequest(o, key))
	case ConfirmTicket:
		_, err = c.ask.Kitchen.ConfirmTicket(ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: key, OrderId: o.ID})
	case CancelTicketCreation:
		_, err = c.ask.Kitchen.CancelTicketCreation(ctx,
			&kitchenapi.CancelTicketCreationRequest{OperationKey: key, OrderId: o.ID, Reason: o.why()})
	case BeginTicketCancel:
		var res *kitchenapi.BeginCancelResponse
		res, err = c.ask.Kitchen.BeginCancel(ctx,
			&kitchenapi.BeginCancelRequest{OperationKey: key, OrderId: o.ID, CancelId: o.Saga.ID, By: string(o.cancels())})
		answer = Answer{Accepted: res.GetAccepted(), TicketEnded: res.GetEnded()}
	case ConfirmTicketCancel:
		_, err = c.ask.Kitchen.ConfirmCancel(ctx,
			&kitchenapi.ConfirmCancelRequest{OperationKey: key, OrderId: o.ID, CancelId: o.Saga.ID, Reason: o.why()})
	case UndoTicketCancel:
		_, err = c.ask.Kitchen.UndoCancel(ctx, &kitchenapi.UndoCancelRequest{OperationKey: key, OrderId: o.ID, CancelId: o.Saga.ID})
	case AuthorizePayment:
		_, err = c.ask.Accounting.AuthorizePayment(ctx, authorizePaymentRequest(o, key))
	case VoidPayment:
		_, err = c.ask.Accounting.VoidPayment(ctx, &accountingapi.VoidPaymentRequest{OperationKey: key, OrderId: o.ID, Reason: o.why()})
	case CaptureTotal:
		_, err = c.ask.Accounting.CapturePayment(ctx, &accountingapi.CapturePaymentRequest{
			OperationKey: key, OrderId: o.ID, Amount: o.money(o.Price.Total),
			Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_ORDER, CourierId: o.Saga.Data.CourierID,
		})
	case CaptureFee:
		_, err = c.ask.Accounting.CapturePayment(ctx, &accountingapi.CapturePaymentRequest{
			OperationKey: key, OrderId: o.ID, Amount: o.money(o.fee()),
			Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_CANCELLATION_FEE,
		})
	case RefundPayment:
		_, err = c.ask.Accounting.RefundPayment(ctx, &accountingapi.RefundPaymentRequest{
			OperationKey: key, OrderId: o.ID, Amount: o.money(o.refund()), Reason: o.Failure,
		})
	case ScheduleDelivery:
		_, err = c.ask.Delivery.ScheduleDelivery(ctx, scheduleDeliveryRequest(o, key))
	case CancelDelivery:
		_, err = c.ask.Delivery.CancelDelivery(ctx, &deliveryapi.CancelDeliveryRequest{OperationKey: key, OrderId: o.ID, Reason: o.why()})
	default:
		err = fmt.Errorf("saga %s has no step %q", o.Saga.Kind, o.Saga.Step)
	}
	return answer, err
}

// why is the reason that an order's end will have, as its other owners are told it.
func (o *Order) why() string {
	switch o.Saga.Kind {
	case CancelSaga:
		return cancelledBy(o.CancelBy)
	case UnwindSaga:
		return o.Setback
	}
	return o.Saga.Data.Reason
}

// cancels is who cancels in the saga that runs.
func (o *Order) cancels() By {
	if o.Saga.Kind == CancelSaga {
		return o.CancelBy
	}
	return ByPlatform
}

func createTicketRequest(o *Order, key string) *kitchenapi.CreateTicketRequest {
	lines := make([]*kitchenapi.TicketLine, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = &kitchenapi.TicketLine{ItemId: l.ItemID, Name: l.Name, Quantity: l.Quantity, Options: l.Options}
	}
	return &kitchenapi.CreateTicketRequest{
		OperationKey: key, OrderId: o.ID, RestaurantId: o.RestaurantID, ConsumerId: o.ConsumerID,
		Lines: lines, Notes: o.Notes, PickupCode: o.PickupCode, PreparationSeconds: o.PreparationSeconds,
	}
}

func authorizePaymentRequest(o *Order, key string) *accountingapi.AuthorizePaymentRequest {
	p := o.Price
	return &accountingapi.AuthorizePaymentRequest{
		OperationKey: key, OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID,
		PaymentToken: o.PaymentToken, Amount: o.money(p.Total),
		Breakdown: &accountingapi.Breakdown{
			Subtotal: o.money(p.Subtotal), Tax: o.money(p.Tax), DeliveryFee: o.money(p.DeliveryFee),
			ServiceFee: o.money(p.ServiceFee), SmallOrderFee: o.money(p.SmallOrderFee), Tip: o.money(p.Tip),
		},
	}
}

func scheduleDeliveryRequest(o *Order, key string) *deliveryapi.ScheduleDeliveryRequest {
	return &deliveryapi.ScheduleDeliveryRequest{
		OperationKey: key, OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID,
		Pickup: o.RestaurantPosition.proto(), Dropoff: o.Address.proto(), ReadyBy: clock.ToProto(database.Time(o.Saga.Data.ReadyBy)),
		PickupCode: o.PickupCode, DeliveryPin: o.DeliveryPIN,
	}
}
