package internal

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/ids"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
)

// Subscriptions are what people are told of.
func (s *Service) Subscriptions() []inbox.Subscription {
	return []inbox.Subscription{
		{Module: "orders", Handlers: []inbox.Handler{
			on(s, func(e *ordersapi.OrderApproved) []notice {
				return []notice{{to: toConsumer, id: e.GetConsumerId()}, {to: toRestaurant, id: e.GetRestaurantId()}}
			}),
			on(s, func(e *ordersapi.OrderRejected) []notice {
				return []notice{{toConsumer, e.GetConsumerId(), Facts{Reason: e.GetReason()}}}
			}),
			on(s, func(e *ordersapi.CancelRefused) []notice {
				return []notice{{toConsumer, e.GetConsumerId(), Facts{Reason: e.GetReason()}}}
			}),
			on(s, func(e *ordersapi.OrderCancelled) []notice {
				return []notice{
					{toConsumer, e.GetConsumerId(), Facts{Reason: e.GetReason(), Amount: amount(e.GetCharge())}},
					{toRestaurant, e.GetRestaurantId(), Facts{Reason: e.GetReason()}},
				}
			}),
			on(s, func(e *ordersapi.OrderDelivered) []notice {
				return []notice{{toConsumer, e.GetConsumerId(), Facts{Amount: amount(e.GetCharge())}}}
			}),
			on(s, func(e *ordersapi.OrderUndeliverable) []notice {
				return []notice{{toConsumer, e.GetConsumerId(), Facts{Reason: e.GetReason(), Amount: amount(e.GetCharge())}}}
			}),
		}},
		{Module: "kitchen", Handlers: []inbox.Handler{
			on(s, func(e *kitchenapi.TicketAccepted) []notice { return readyBy(e.GetConsumerId(), e.GetReadyBy()) }),
			on(s, func(e *kitchenapi.TicketDelayed) []notice { return readyBy(e.GetConsumerId(), e.GetReadyBy()) }),
		}},
		{Module: "delivery", Handlers: []inbox.Handler{
			on(s, func(e *deliveryapi.CourierAssigned) []notice { return []notice{{to: toCourier, id: e.GetCourierId()}} }),
			on(s, func(e *deliveryapi.OrderPickedUp) []notice { return []notice{{to: toConsumer, id: e.GetConsumerId()}} }),
		}},
		{Module: "accounting", Handlers: []inbox.Handler{
			on(s, func(e *accountingapi.PaymentRefunded) []notice { // its reason is free text, and not for the diner
				return []notice{{toConsumer, e.GetConsumerId(), Facts{Amount: amount(e.GetAmount())}}}
			}),
		}},
	}
}

// notice is whom an event concerns, and what of it.
type notice struct {
	to    audience
	id    string
	facts Facts
}

func readyBy(consumerID string, at *timestamppb.Timestamp) []notice {
	n := notice{to: toConsumer, id: consumerID}
	if at != nil {
		n.facts.ReadyBy = at.AsTime()
	}
	return []notice{n}
}

func amount(m *kerfpb.Money) money.Money { return money.FromProto(m) }

// event is what every event about an order carries.
type event interface {
	proto.Message
	GetOrderId() string
}

// on tells of the events of one type.
func on[E event](s *Service, concerns func(E) []notice) inbox.Handler {
	return inbox.On(func(_ context.Context, tx *database.Tx, meta bus.Meta, e E) error {
		for _, n := range concerns(e) {
			if err := s.tell(tx, meta, e.GetOrderId(), n); err != nil {
				return err
			}
		}
		return nil
	})
}

// tell writes a notification down. A consumer has to be asked for language and wishes first, which is work for after the commit;
// restaurants and couriers have none, and are told at once.
func (s *Service) tell(tx *database.Tx, meta bus.Meta, orderID string, to notice) error {
	if to.id == "" { // an event of an order that nobody made, such as one cancelled before it came
		return nil
	}
	n := &Notification{
		ID: ids.New(), RecipientID: to.id, EventID: meta.ID, About: meta.Type, OrderID: orderID, State: Pending, Facts: to.facts,
		CreatedAt: meta.Time,
	}
	if to.to != toConsumer {
		told, err := s.texts.render("en", to.to, n.About, n.Facts, n.CreatedAt)
		if err != nil {
			return err
		}
		n.answer(Told, told)
	}
	created, err := create(tx, n)
	if err != nil || !created || n.State != Pending {
		return err
	}
	return s.queue.Schedule(tx, tellConsumer, n.RecipientID, s.clock.Wall(), nil)
}
