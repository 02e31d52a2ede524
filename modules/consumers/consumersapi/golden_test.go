package consumersapi_test

import (
	"testing"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/bus/bustest"
	"kerf/platform/kerfpb"
)

func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const consumer, address = "0190a000-0000-7000-8000-000000000003", "0190a000-0000-7000-8000-000000000004"
	position := &kerfpb.Position{Latitude: 48.25, Longitude: 16.5}
	bustest.Golden(t,
		&consumersapi.ConsumerRegistered{ConsumerId: consumer},
		&consumersapi.ProfileUpdated{ConsumerId: consumer},
		&consumersapi.AddressAdded{ConsumerId: consumer, AddressId: address, Position: position},
		&consumersapi.AddressUpdated{ConsumerId: consumer, AddressId: address, Position: position},
		&consumersapi.AddressRemoved{ConsumerId: consumer, AddressId: address},
		&consumersapi.ConsumerSuspended{ConsumerId: consumer, Reason: "chargebacks"},
		&consumersapi.ConsumerReactivated{ConsumerId: consumer},
		&consumersapi.ConsumerClosed{ConsumerId: consumer},
	)
}
