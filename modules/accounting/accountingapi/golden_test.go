package accountingapi_test

import (
	"testing"

	"kerf/modules/accounting/accountingapi"
	"kerf/platform/bus/bustest"
	"kerf/platform/kerfpb"
)

func TestEventsAreReadAsTheyWereFirstPublished(t *testing.T) {
	const order, restaurant, consumer = "0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002",
		"0190a000-0000-7000-8000-000000000003"
	amount := &kerfpb.Money{Amount: 1234, Currency: "EUR"}
	bustest.Golden(t,
		&accountingapi.PaymentAuthorized{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount},
		&accountingapi.PaymentDeclined{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount, Reason: "insufficient_funds"},
		&accountingapi.PaymentVoided{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount, Reason: "ticket_rejected"},
		&accountingapi.PaymentCaptured{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount,
			Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_CANCELLATION_FEE},
		&accountingapi.PaymentRefunded{OrderId: order, ConsumerId: consumer, RestaurantId: restaurant, Amount: amount, Reason: "missing_item"},
	)
}
