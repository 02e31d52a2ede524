package deliveryapi_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/bus/bustest"
	"kerf/platform/kerfpb"
)

func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const (
		order      = "0190a000-0000-7000-8000-000000000001"
		restaurant = "0190a000-0000-7000-8000-000000000002"
		consumer   = "0190a000-0000-7000-8000-000000000003"
		courier    = "0190a000-0000-7000-8000-000000000004"
	)
	at := timestamppb.New(time.Date(2026, 3, 2, 12, 15, 0, 123456000, time.UTC))
	later := timestamppb.New(at.AsTime().Add(9 * time.Minute))
	bustest.Golden(t,
		&deliveryapi.DeliveryScheduled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, EtaEarliest: at, EtaLatest: later},
		&deliveryapi.CourierAssigned{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier,
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.CourierUnassigned{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Reason: "declined",
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.CourierArrived{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Place: "pickup",
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.OrderPickedUp{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, PickedUpAt: at,
			EtaEarliest: at, EtaLatest: later},
		&deliveryapi.EtaChanged{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, EtaEarliest: at, EtaLatest: later},
		&deliveryapi.OrderDroppedOff{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, DeliveredAt: at},
		&deliveryapi.DeliveryFailed{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Reason: "consumer_absent"},
		&deliveryapi.DeliveryCancelled{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, CourierId: courier, Reason: "no_courier"},
		&deliveryapi.CourierMoved{CourierId: courier, Position: &kerfpb.Position{Latitude: 48.25, Longitude: 16.5}, Sequence: 7,
			OrderIds: []string{order}, Time: at},
	)
}
