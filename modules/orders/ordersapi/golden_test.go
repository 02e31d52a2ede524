package ordersapi_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/orders/ordersapi"
	"kerf/platform/bus/bustest"
	"kerf/platform/kerfpb"
)

func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const order, restaurant, consumer = "0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002",
		"0190a000-0000-7000-8000-000000000003"
	at := func(minutes int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 3, 2, 12, minutes, 0, 123456000, time.UTC))
	}
	eur := func(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }
	bustest.Golden(t,
		&ordersapi.OrderPlaced{
			OrderId: order, ConsumerId: consumer, RestaurantId: restaurant,
			Lines: []*ordersapi.PlacedLine{{ItemId: "soup", Quantity: 2, Total: eur(1000)}}, Total: eur(1500),
			Address:            &kerfpb.Position{Latitude: 48.2, Longitude: 16.3},
			RestaurantPosition: &kerfpb.Position{Latitude: 48.21, Longitude: 16.31},
			PlacedAt:           at(0), EtaEarliest: at(30), EtaLatest: at(45),
		},
		&ordersapi.OrderApproved{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant},
		&ordersapi.OrderRejected{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "card_declined"},
		&ordersapi.CancelRequested{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, By: "consumer", Reason: "cancelled_by_consumer"},
		&ordersapi.CancelRefused{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "delivery_picked_up"},
		&ordersapi.OrderCancelled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "cancelled_by_consumer", Charge: eur(200)},
		&ordersapi.OrderDelivered{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Charge: eur(1500)},
		&ordersapi.OrderUndeliverable{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Reason: "consumer_absent", Charge: eur(1500)},
	)
}
