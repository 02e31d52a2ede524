package internal

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/clock"
	"kerf/platform/database"
)

// fact is an event about an order.
type fact interface {
	proto.Message
	GetOrderId() string
}

// publish writes an event down, if there is one.
func (s *Service) publish(ctx context.Context, tx *database.Tx, event fact) error {
	if event == nil {
		return nil
	}
	return s.events.Append(ctx, tx, event.GetOrderId(), event.GetOrderId(), event)
}

// factOf returns the event that an effect publishes, and nil for one that publishes nothing. before is the delivery as it was: it
// names the courier who was called off.
func factOf(before, d *Delivery, effect Effect) fact {
	order, restaurant, consumer, courier := d.OrderID, d.RestaurantID, d.ConsumerID, d.CourierID
	earliest, latest := clock.ToProto(d.EtaEarliest), clock.ToProto(d.EtaLatest)
	switch effect {
	case Nothing, AskCourier, TakeBack:
		return nil
	case PublishAssigned:
		return &deliveryapi.CourierAssigned{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier,
			EtaEarliest: earliest, EtaLatest: latest}
	case PublishUnassigned:
		return &deliveryapi.CourierUnassigned{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			CourierId: before.CourierID, Reason: d.Reason, EtaEarliest: earliest, EtaLatest: latest}
	case PublishArrivedAtPickup, PublishArrivedAtDropoff:
		place := "pickup"
		if effect == PublishArrivedAtDropoff {
			place = "dropoff"
		}
		return &deliveryapi.CourierArrived{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Place: place,
			EtaEarliest: earliest, EtaLatest: latest}
	case PublishPickedUp:
		return &deliveryapi.OrderPickedUp{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier,
			PickedUpAt: clock.ToProto(d.PickedUpAt), EtaEarliest: earliest, EtaLatest: latest}
	case PublishDroppedOff:
		return &deliveryapi.OrderDroppedOff{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier,
			DeliveredAt: clock.ToProto(d.DeliveredAt)}
	case PublishFailed:
		return &deliveryapi.DeliveryFailed{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier,
			Reason: d.Reason}
	case PublishCancelled:
		return &deliveryapi.DeliveryCancelled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			CourierId: before.assigned(), Reason: d.Reason}
	}
	panic(fmt.Sprintf("delivery: no event for the effect %q", effect))
}

func scheduled(d *Delivery) fact {
	return &deliveryapi.DeliveryScheduled{OrderId: d.OrderID, ConsumerId: d.ConsumerID, RestaurantId: d.RestaurantID,
		EtaEarliest: clock.ToProto(d.EtaEarliest), EtaLatest: clock.ToProto(d.EtaLatest)}
}

// tellsArrival tells whether an event says when the order should arrive, so that no other need say so.
func tellsArrival(event fact) bool {
	_, tells := event.(interface{ GetEtaLatest() *timestamppb.Timestamp })
	return tells
}

func etaChanged(d *Delivery) fact {
	return &deliveryapi.EtaChanged{OrderId: d.OrderID, ConsumerId: d.ConsumerID, RestaurantId: d.RestaurantID,
		EtaEarliest: clock.ToProto(d.EtaEarliest), EtaLatest: clock.ToProto(d.EtaLatest)}
}
