package restaurantsapi_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/bus/bustest"
	"kerf/platform/kerfpb"
)

func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const restaurant = "0190a000-0000-7000-8000-000000000002"
	at := timestamppb.New(time.Date(2026, 3, 2, 12, 15, 0, 123456000, time.UTC))
	position := &kerfpb.Position{Latitude: 48.25, Longitude: 16.5}
	bustest.Golden(t,
		&restaurantsapi.RestaurantCreated{RestaurantId: restaurant, Position: position},
		&restaurantsapi.RestaurantUpdated{RestaurantId: restaurant, Position: position},
		&restaurantsapi.RestaurantOpened{RestaurantId: restaurant},
		&restaurantsapi.RestaurantPaused{RestaurantId: restaurant, Until: at},
		&restaurantsapi.RestaurantClosed{RestaurantId: restaurant},
		&restaurantsapi.HoursChanged{RestaurantId: restaurant},
		&restaurantsapi.MenuPublished{RestaurantId: restaurant, MenuVersion: 3},
		&restaurantsapi.ItemAvailabilityChanged{RestaurantId: restaurant, ItemId: "soup", Available: true, Until: at},
	)
}
