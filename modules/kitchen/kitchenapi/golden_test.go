package kitchenapi_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/bus/bustest"
)

func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const order, restaurant, consumer = "0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002",
		"0190a000-0000-7000-8000-000000000003"
	at := timestamppb.New(time.Date(2026, 3, 2, 12, 15, 0, 123456000, time.UTC))
	bustest.Golden(t,
		&kitchenapi.TicketCreated{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.TicketAccepted{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyBy: at},
		&kitchenapi.TicketRejected{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, Reason: "out of soup",
			MissingItemIds: []string{"soup", "bread"}},
		&kitchenapi.TicketExpired{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.PreparationStarted{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.TicketReady{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyAt: at},
		&kitchenapi.TicketDelayed{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, ReadyBy: at},
		&kitchenapi.TicketHandedOver{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer},
		&kitchenapi.TicketCancelled{OrderId: order, RestaurantId: restaurant, ConsumerId: consumer, Reason: "cancelled_by_consumer"},
	)
}
