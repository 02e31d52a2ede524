package internal

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/clock"
	"kerf/platform/database"
)

// publish writes down the event of an effect, if it has one.
func (s *Service) publish(ctx context.Context, tx *database.Tx, t *Ticket, effect Effect) error {
	event := factOf(t, effect)
	if event == nil {
		return nil
	}
	return s.events.Append(ctx, tx, t.OrderID, t.OrderID, event)
}

// factOf returns the event that an effect publishes, and nil for one that publishes nothing.
func factOf(t *Ticket, effect Effect) proto.Message {
	order, restaurant, consumer := t.OrderID, t.RestaurantID, t.ConsumerID
	switch effect {
	case Nothing, AskRestaurant, HoldCancel, TakeCancelBack, RememberPickUp:
		return nil
	case PublishAccepted:
		return &kitchenapi.TicketAccepted{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyBy: clock.ToProto(t.ReadyBy)}
	case PublishRejected:
		return &kitchenapi.TicketRejected{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, Reason: t.Reason,
			MissingItemIds: t.MissingItems}
	case PublishExpired:
		return &kitchenapi.TicketExpired{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer}
	case PublishPreparing:
		return &kitchenapi.PreparationStarted{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer}
	case PublishReady:
		return &kitchenapi.TicketReady{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyAt: clock.ToProto(t.ReadyAt)}
	case PublishDelayed:
		return &kitchenapi.TicketDelayed{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyBy: clock.ToProto(t.ReadyBy)}
	case PublishHandedOver:
		return &kitchenapi.TicketHandedOver{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer}
	case PublishCancelled:
		return &kitchenapi.TicketCancelled{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, Reason: t.Reason}
	}
	panic(fmt.Sprintf("kitchen: no event for the effect %q", effect))
}
