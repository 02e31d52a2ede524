package internal

import (
	"testing"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, consumersapi.OpenAPI, map[string]any{
		"Consumer": consumerView{}, "Address": addressView{}, "AddressList": web.Collection[addressView]{}, "PaymentMethod": paymentMethodView{},
		"PaymentMethodList": web.Collection[paymentMethodView]{},
	})
}
