package internal

import (
	"testing"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, kitchenapi.OpenAPI, map[string]any{
		"Ticket": ticketResource{}, "TicketLine": lineResource{}, "TicketList": web.Collection[ticketResource]{}, "Kitchen": kitchenResource{},
	})
}
