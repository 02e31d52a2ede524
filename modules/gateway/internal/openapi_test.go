package internal

import (
	"testing"

	"kerf/modules/gateway/gatewayapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, gatewayapi.OpenAPI, map[string]any{
		"ComposedOrder": composedOrder{}, "TicketPart": ticketPart{}, "DeliveryPart": deliveryPart{}, "PaymentPart": paymentPart{},
		"AuditList": auditList{}, "Audit": audit{}, "ParkedList": web.Collection[parkedMessage]{}, "ParkedMessage": parkedMessage{},
		"Handled": handled{}, "Problem": web.Problem{},
	})
}
