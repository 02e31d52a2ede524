package internal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"kerf/platform/ids"
)

const support = "support+0190a000-0000-7000-8000-00000000000a"

func (o order) diner() string { return "consumer+" + o.consumer }

func (o order) path() string { return "/v1/payments/" + o.id }

func TestAPaymentIsShownToItsConsumerAndSupport(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	seen := b.Get(o.diner(), o.path()).Want(http.StatusOK)
	if seen.Body["state"] != "AUTHORIZED" || fmt.Sprint(seen.Body["authorized"]) != "map[amount:1600 currency:EUR]" ||
		seen.Body["payment_token"] != nil || seen.Links()["receipt"] != nil {
		t.Errorf("held: %s", seen.Raw)
	}
	b.Get(o.diner(), o.path(), "If-None-Match", seen.Header.Get("ETag")).Want(http.StatusNotModified)
	must(t, b.capture(o))
	if again := b.Get(o.diner(), o.path()); again.Links()["receipt"] == nil || again.Links()["refunds"] != nil {
		t.Errorf("the diner may follow %v", again.Links())
	}
	if again := b.Get(support, o.path()); again.Links()["refunds"] == nil {
		t.Errorf("support may follow %v", again.Links())
	}
	for _, token := range []string{"consumer+" + ids.New(), "restaurant+" + ids.New() + "+" + o.restaurant, "courier+" + o.courier} {
		b.Get(token, o.path()).Problem(http.StatusNotFound, "not_found")
		b.Get(token, o.path()+"/receipt").Problem(http.StatusNotFound, "not_found")
	}
	b.Get("", o.path()).Problem(http.StatusUnauthorized, "unauthenticated")
	b.Get(support, "/v1/payments/seven").Problem(http.StatusNotFound, "not_found")
	b.Get(support, "/v1/payments/"+ids.New()).Problem(http.StatusNotFound, "not_found")
}

func TestAReceiptSaysWhatWasChargedAndGivenBack(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	b.Get(o.diner(), o.path()+"/receipt").Problem(http.StatusNotFound, "not_found")
	must(t, b.capture(o))
	must(t, b.giveBack(o, "r", 250, "late"))
	got := b.Get(o.diner(), o.path()+"/receipt").Want(http.StatusOK)
	var receipt receiptResource
	must(t, json.Unmarshal([]byte(got.Raw), &receipt))
	if receipt.Charged.Amount != total || receipt.Refunded.Amount != 250 || receipt.Net.Amount != total-250 || receipt.Purpose != ForOrder ||
		len(receipt.Refunds) != 1 || receipt.Refunds[0].Reason != "late" || receipt.Breakdown == nil || receipt.Breakdown.Tip.Amount != 120 ||
		!receipt.ChargedAt.Equal(noon) {
		t.Errorf("got %s", got.Raw)
	}
	fee := b.authorized("tok_approve")
	must(t, b.captureFee(fee, 400))
	if got := b.Get(fee.diner(), fee.path()+"/receipt").Want(http.StatusOK); got.Body["breakdown"] != nil || got.Body["purpose"] != "CANCELLATION_FEE" {
		t.Errorf("the fee's receipt is %s", got.Raw)
	}
}

func TestSupportGivesMoneyBack(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	at, body := o.path()+"/refunds", `{"amount":{"amount":250,"currency":"EUR"},"reason":"cold"}`
	first := b.Post(support, at, body, "Idempotency-Key", "one").Want(http.StatusCreated)
	where := first.Header.Get("Location")
	if where != at+"/1" || first.Body["reason"] != "cold" {
		t.Errorf("made %s at %s", first.Raw, where)
	}
	again := b.Post(support, at, body, "Idempotency-Key", "one").Want(http.StatusCreated)
	if string(again.Raw) != string(first.Raw) {
		t.Errorf("the repeat got %s", again.Raw)
	}
	if got := b.Get(o.diner(), where).Want(http.StatusOK); string(got.Raw) != string(first.Raw) {
		t.Errorf("read back as %s", got.Raw)
	}
	second := b.Post(support, at, body).Want(http.StatusCreated)
	if second.Header.Get("Location") != at+"/2" {
		t.Errorf("the second is at %s", second.Header.Get("Location"))
	}
	b.Get(o.diner(), at+"/3").Problem(http.StatusNotFound, "not_found")
	b.Get(o.diner(), at+"/x").Problem(http.StatusNotFound, "not_found")
	b.Post(support, at, `{"amount":{"amount":1101,"currency":"EUR"},"reason":"cold"}`).Problem(http.StatusUnprocessableEntity, "over_captured")
	b.wantBooks(total, 500, 0)
}

func TestARefundOfUnknownOutcomeIsFoundByItsRepeat(t *testing.T) {
	b := open(t)
	o := b.captured("tok_refund_unknown")
	at, body := o.path()+"/refunds", `{"amount":{"amount":250,"currency":"EUR"},"reason":"cold"}`
	lost := b.Post(support, at, body, "Idempotency-Key", "one").Problem(http.StatusGatewayTimeout, "provider_unanswered")
	if lost.Header.Get("Retry-After") == "" {
		t.Error("no word when to ask again")
	}
	b.quiet()
	b.Post(support, at, body, "Idempotency-Key", "one").Want(http.StatusCreated)
	b.wantBooks(total, 250, 0)
}

func TestRefundsThatAreRefused(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	at, body := o.path()+"/refunds", `{"amount":{"amount":250,"currency":"EUR"},"reason":"cold"}`
	b.Post("", at, body).Problem(http.StatusUnauthorized, "unauthenticated")
	b.Post(o.diner(), at, body).Problem(http.StatusForbidden, "forbidden")
	b.Post(support, "/v1/payments/"+ids.New()+"/refunds", body).Problem(http.StatusNotFound, "not_found")
	b.Post(support, at, `{"reason":"cold"}`).Violation("amount")
	b.Post(support, at, `{"amount":{"amount":-1,"currency":"EUR"},"reason":"cold"}`).Violation("amount.amount")
	b.Post(support, at, `{"amount":{"amount":1,"currency":"USD"},"reason":"cold"}`).Violation("amount.currency")
	b.Post(support, at, `{"amount":{"amount":1.5,"currency":"EUR"},"reason":"cold"}`).Violation("amount.amount")
	b.Post(support, at, `{"amount":{"amount":1,"currency":"EUR"}}`).Violation("reason")
	b.Post(support, at, `{"amount":{"amount":1,"currency":"EUR"},"reason":"cold","who":"me"}`).Violation("who")
	b.Do(support, http.MethodPost, at, body).Problem(http.StatusBadRequest, "idempotency_key")
	b.wantBooks(total, 0, 0)
}

func TestTheLedgerIsReadInSumAndByPosting(t *testing.T) {
	b := open(t)
	if empty := b.Get(support, "/v1/ledger").Want(http.StatusOK); empty.Body["imbalance"] != 0.0 || fmt.Sprint(empty.Body["captured"]) != "[]" {
		t.Errorf("an empty ledger is %s", empty.Raw)
	}
	o := b.captured("tok_approve")
	must(t, b.giveBack(o, "r", 100, "late"))
	other := b.captured("tok_approve")
	got := b.Get(support, "/v1/ledger").Want(http.StatusOK)
	var ledger ledgerResource
	must(t, json.Unmarshal([]byte(got.Raw), &ledger))
	var sum int64
	for _, balance := range ledger.Balances {
		sum += balance.Balance.Amount
	}
	if ledger.Imbalance != 0 || sum != 0 || ledger.Captured[0].Amount != 2*total || ledger.Refunded[0].Amount != 100 || len(ledger.Balances) != 6 {
		t.Errorf("got %s", got.Raw)
	}

	path, seen := "/v1/ledger/postings?limit=2", 0
	for path != "" {
		page := b.Get(support, path).Want(http.StatusOK)
		seen += len(page.Body["items"].([]any))
		path = ""
		if next, ok := page.Links()["next"].(map[string]any); ok {
			path = next["href"].(string)
		}
	}
	if seen != 3 {
		t.Errorf("%d postings on all pages", seen)
	}
	one := b.Get(support, "/v1/ledger/postings?order_id="+other.id).Want(http.StatusOK)
	items := one.Body["items"].([]any)
	if len(items) != 1 || len(items[0].(map[string]any)["entries"].([]any)) != 5 {
		t.Errorf("the other order's postings are %s", one.Raw)
	}
	b.Get(support, "/v1/ledger/postings?order_id=7").Violation("order_id")
	for _, path := range []string{"/v1/ledger", "/v1/ledger/postings"} {
		b.Get(o.diner(), path).Problem(http.StatusForbidden, "forbidden")
		b.Get("", path).Problem(http.StatusUnauthorized, "unauthenticated")
	}
}

func TestAStatementShowsWhatItsOwnerHasEarned(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	b.captured("tok_approve") // somebody else's
	must(t, b.giveBack(o, "r", 107, "missing_item"))
	cook, rider := "restaurant+"+ids.New()+"+"+o.restaurant, "courier+"+o.courier

	got := b.Get(cook, "/v1/ledger/statements/"+o.restaurant).Want(http.StatusOK)
	if fmt.Sprint(got.Body["balances"]) != "[map[amount:900 currency:EUR]]" || len(got.Body["items"].([]any)) != 2 {
		t.Errorf("the restaurant's is %s", got.Raw)
	}
	page := b.Get(cook, "/v1/ledger/statements/"+o.restaurant+"?limit=1").Want(http.StatusOK)
	next := page.Links()["next"].(map[string]any)["href"].(string)
	if rest := b.Get(cook, next).Want(http.StatusOK); len(rest.Body["items"].([]any)) != 1 || rest.Links()["next"] != nil {
		t.Errorf("its second page is %s", rest.Raw)
	}
	got = b.Get(rider, "/v1/ledger/statements/"+o.courier).Want(http.StatusOK)
	if fmt.Sprint(got.Body["balances"]) != "[map[amount:370 currency:EUR]]" {
		t.Errorf("the courier's is %s", got.Raw)
	}
	b.Get(support, "/v1/ledger/statements/"+o.courier).Want(http.StatusOK)
	b.Get(rider, "/v1/ledger/statements/"+o.restaurant).Problem(http.StatusNotFound, "not_found")
	b.Get(cook, "/v1/ledger/statements/"+ids.New()).Problem(http.StatusNotFound, "not_found")
	b.Get(o.diner(), "/v1/ledger/statements/"+o.consumer).Problem(http.StatusForbidden, "forbidden")
}
