package internal

import (
	"google.golang.org/protobuf/proto"

	"kerf/modules/orders/ordersapi"
	"kerf/platform/clock"
)

func placedEvent(o *Order) proto.Message {
	lines := make([]*ordersapi.PlacedLine, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = &ordersapi.PlacedLine{ItemId: l.ItemID, Quantity: l.Quantity, Total: o.money(l.Total)}
	}
	return &ordersapi.OrderPlaced{
		OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID,
		Lines: lines, Total: o.money(o.Price.Total),
		Address: o.Address.proto(), RestaurantPosition: o.RestaurantPosition.proto(),
		PlacedAt: clock.ToProto(o.PlacedAt), EtaEarliest: clock.ToProto(o.EtaEarliest), EtaLatest: clock.ToProto(o.EtaLatest),
	}
}

func approvedEvent(o *Order) proto.Message {
	return &ordersapi.OrderApproved{OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID}
}

func cancelRequestedEvent(o *Order, by By, reason string) proto.Message {
	return &ordersapi.CancelRequested{
		OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, By: string(by), Reason: reason,
	}
}

func cancelRefusedEvent(o *Order, reason string) proto.Message {
	return &ordersapi.CancelRefused{OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, Reason: reason}
}

// endedEvent is the fact of the terminal state that the order has just reached.
func endedEvent(o *Order) proto.Message {
	charge := o.money(*o.Charge)
	switch o.State {
	case Rejected:
		return &ordersapi.OrderRejected{OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, Reason: o.Reason}
	case Cancelled:
		return &ordersapi.OrderCancelled{
			OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, Reason: o.Reason, Charge: charge,
		}
	case Undeliverable:
		return &ordersapi.OrderUndeliverable{
			OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, Reason: o.Reason, Charge: charge,
		}
	default:
		return &ordersapi.OrderDelivered{OrderId: o.ID, ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, Charge: charge}
	}
}
