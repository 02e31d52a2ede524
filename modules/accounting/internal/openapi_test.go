package internal

import (
	"testing"

	"kerf/modules/accounting/accountingapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, accountingapi.OpenAPI, map[string]any{
		"Payment": paymentResource{}, "Receipt": receiptResource{}, "ReceiptBreakdown": breakdownResource{}, "Refund": refundResource{},
		"Ledger": ledgerResource{}, "LedgerBalance": balanceResource{}, "Posting": postingResource{}, "PostingEntry": entryResource{},
		"PostingList": web.Collection[postingResource]{}, "Statement": statementResource{},
	})
}
