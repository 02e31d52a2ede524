package internal

import (
	"testing"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, deliveryapi.OpenAPI, map[string]any{
		"Delivery": deliveryResource{}, "Courier": courierResource{}, "CourierTask": taskResource{}, "CourierNearby": nearbyResource{},
		"CourierNearbyList": web.Collection[nearbyResource]{},
	})
}
