package internal

import (
	"testing"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, restaurantsapi.OpenAPI, map[string]any{
		"Restaurant": restaurantView{}, "RestaurantHit": hitView{}, "RestaurantHits": web.Collection[hitView]{}, "Opening": openingView{}, "OpeningHours": Hours{},
		"Menu": menuView{}, "MenuItem": itemView{}, "ModifierGroup": Group{}, "ItemAvailability": availabilityView{}, "Quote": quoteView{}, "QuoteLine": lineView{},
		"QuoteOption": optionView{},
	})
}
