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
	seen := b.get(o.diner(), o.path()).want(http.StatusOK)
	if seen.body["state"] != "AUTHORIZED" || fmt.Sprint(seen.body["authorized"]) != "map[amount:1600 currency:EUR]" ||
		seen.body["payment_token"] != nil || seen.links()["receipt"] != nil {
		t.Errorf("held: %s", seen.raw)
	}
	b.get(o.diner(), o.path(), "If-None-Match", seen.header.Get("ETag")).want(http.StatusNotModified)
	must(t, b.capture(o))
	if again := b.get(o.diner(), o.path()); again.links()["receipt"] == nil || again.links()["refunds"] != nil {
		t.Errorf("the diner may follow %v", again.links())
	}
	if again := b.get(support, o.path()); again.links()["refunds"] == nil {
		t.Errorf("support may follow %v", again.links())
	}
	for _, token := range []string{"consumer+" + ids.New(), "restaurant+" + ids.New() + "+" + o.restaurant, "courier+" + o.courier} {
		b.get(token, o.path()).problem(http.StatusNotFound, "not_found")
		b.get(token, o.path()+"/receipt").problem(http.StatusNotFound, "not_found")
	}
	b.get("", o.path()).problem(http.StatusUnauthorized, "unauthenticated")
	b.get(support, "/v1/payments/seven").problem(http.StatusNotFound, "not_found")
	b.get(support, "/v1/payments/"+ids.New()).problem(http.StatusNotFound, "not_found")
}

func TestAReceiptSaysWhatWasChargedAndGivenBack(t *testing.T) {
	b := open(t)
	o := b.authorized("tok_approve")
	b.get(o.diner(), o.path()+"/receipt").problem(http.StatusNotFound, "not_found")
	must(t, b.capture(o))
	must(t, b.giveBack(o, "r", 250, "late"))
	got := b.get(o.diner(), o.path()+"/receipt").want(http.StatusOK)
	var receipt receiptResource
	must(t, json.Unmarshal(got.raw, &receipt))
	if receipt.Charged.Amount != total || receipt.Refunded.Amount != 250 || receipt.Net.Amount != total-250 || receipt.Purpose != ForOrder ||
		len(receipt.Refunds) != 1 || receipt.Refunds[0].Reason != "late" || receipt.Breakdown == nil || receipt.Breakdown.Tip.Amount != 120 ||
		!receipt.ChargedAt.Equal(noon) {
		t.Errorf("got %s", got.raw)
	}
	fee := b.authorized("tok_approve")
	must(t, b.captureFee(fee, 400))
	if got := b.get(fee.diner(), fee.path()+"/receipt").want(http.StatusOK); got.body["breakdown"] != nil || got.body["purpose"] != "CANCELLATION_FEE" {
		t.Errorf("the fee's receipt is %s", got.raw)
	}
}

func TestSupportGivesMoneyBack(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	at, body := o.path()+"/refunds", `{"amount":{"amount":250,"currency":"EUR"},"reason":"cold"}`
	first := b.post(support, at, body, "Idempotency-Key", "one").want(http.StatusCreated)
	where := first.header.Get("Location")
	if where != at+"/1" || first.body["reason"] != "cold" {
		t.Errorf("made %s at %s", first.raw, where)
	}
	again := b.post(support, at, body, "Idempotency-Key", "one").want(http.StatusCreated)
	if string(again.raw) != string(first.raw) {
		t.Errorf("the repeat got %s", again.raw)
	}
	if got := b.get(o.diner(), where).want(http.StatusOK); string(got.raw) != string(first.raw) {
		t.Errorf("read back as %s", got.raw)
	}
	second := b.post(support, at, body).want(http.StatusCreated)
	if second.header.Get("Location") != at+"/2" {
		t.Errorf("the second is at %s", second.header.Get("Location"))
	}
	b.get(o.diner(), at+"/3").problem(http.StatusNotFound, "not_found")
	b.get(o.diner(), at+"/x").problem(http.StatusNotFound, "not_found")
	b.post(support, at, `{"amount":{"amount":1101,"currency":"EUR"},"reason":"cold"}`).problem(http.StatusUnprocessableEntity, "over_captured")
	b.wantBooks(total, 500, 0)
}

func TestARefundOfUnknownOutcomeIsFoundByItsRepeat(t *testing.T) {
	b := open(t)
	o := b.captured("tok_refund_unknown")
	at, body := o.path()+"/refunds", `{"amount":{"amount":250,"currency":"EUR"},"reason":"cold"}`
	lost := b.post(support, at, body, "Idempotency-Key", "one").problem(http.StatusGatewayTimeout, "provider_unanswered")
	if lost.header.Get("Retry-After") == "" {
		t.Error("no word when to ask again")
	}
	b.quiet()
	b.post(support, at, body, "Idempotency-Key", "one").want(http.StatusCreated)
	b.wantBooks(total, 250, 0)
}

func TestRefundsThatAreRefused(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	at, body := o.path()+"/refunds", `{"amount":{"amount":250,"currency":"EUR"},"reason":"cold"}`
	b.post("", at, body).problem(http.StatusUnauthorized, "unauthenticated")
	b.post(o.diner(), at, body).problem(http.StatusForbidden, "forbidden")
	b.post(support, "/v1/payments/"+ids.New()+"/refunds", body).problem(http.StatusNotFound, "not_found")
	b.post(support, at, `{"reason":"cold"}`).violation("amount")
	b.post(support, at, `{"amount":{"amount":-1,"currency":"EUR"},"reason":"cold"}`).violation("amount.amount")
	b.post(support, at, `{"amount":{"amount":1,"currency":"USD"},"reason":"cold"}`).violation("amount.currency")
	b.post(support, at, `{"amount":{"amount":1.5,"currency":"EUR"},"reason":"cold"}`).violation("amount.amount")
	b.post(support, at, `{"amount":{"amount":1,"currency":"EUR"}}`).violation("reason")
	b.post(support, at, `{"amount":{"amount":1,"currency":"EUR"},"reason":"cold","who":"me"}`).violation("who")
	b.do(support, http.MethodPost, at, body).problem(http.StatusBadRequest, "idempotency_key")
	b.wantBooks(total, 0, 0)
}

func TestTheLedgerIsReadInSumAndByPosting(t *testing.T) {
	b := open(t)
	if empty := b.get(support, "/v1/ledger").want(http.StatusOK); empty.body["imbalance"] != 0.0 || fmt.Sprint(empty.body["captured"]) != "[]" {
		t.Errorf("an empty ledger is %s", empty.raw)
	}
	o := b.captured("tok_approve")
	must(t, b.giveBack(o, "r", 100, "late"))
	other := b.captured("tok_approve")
	got := b.get(support, "/v1/ledger").want(http.StatusOK)
	var ledger ledgerResource
	must(t, json.Unmarshal(got.raw, &ledger))
	var sum int64
	for _, balance := range ledger.Balances {
		sum += balance.Balance.Amount
	}
	if ledger.Imbalance != 0 || sum != 0 || ledger.Captured[0].Amount != 2*total || ledger.Refunded[0].Amount != 100 || len(ledger.Balances) != 6 {
		t.Errorf("got %s", got.raw)
	}

	path, seen := "/v1/ledger/postings?limit=2", 0
	for path != "" {
		page := b.get(support, path).want(http.StatusOK)
		seen += len(page.body["items"].([]any))
		path = ""
		if next, ok := page.links()["next"].(map[string]any); ok {
			path = next["href"].(string)
		}
	}
	if seen != 3 {
		t.Errorf("%d postings on all pages", seen)
	}
	one := b.get(support, "/v1/ledger/postings?order_id="+other.id).want(http.StatusOK)
	items := one.body["items"].([]any)
	if len(items) != 1 || len(items[0].(map[string]any)["entries"].([]any)) != 5 {
		t.Errorf("the other order's postings are %s", one.raw)
	}
	b.get(support, "/v1/ledger/postings?order_id=7").violation("order_id")
	for _, path := range []string{"/v1/ledger", "/v1/ledger/postings"} {
		b.get(o.diner(), path).problem(http.StatusForbidden, "forbidden")
		b.get("", path).problem(http.StatusUnauthorized, "unauthenticated")
	}
}

func TestAStatementShowsWhatItsOwnerHasEarned(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	b.captured("tok_approve") // somebody else's
	must(t, b.giveBack(o, "r", 107, "missing_item"))
	cook, rider := "restaurant+"+ids.New()+"+"+o.restaurant, "courier+"+o.courier

	got := b.get(cook, "/v1/ledger/statements/"+o.restaurant).want(http.StatusOK)
	if fmt.Sprint(got.body["balances"]) != "[map[amount:900 currency:EUR]]" || len(got.body["items"].([]any)) != 2 {
		t.Errorf("the restaurant's is %s", got.raw)
	}
	page := b.get(cook, "/v1/ledger/statements/"+o.restaurant+"?limit=1").want(http.StatusOK)
	next := page.links()["next"].(map[string]any)["href"].(string)
	if rest := b.get(cook, next).want(http.StatusOK); len(rest.body["items"].([]any)) != 1 || rest.links()["next"] != nil {
		t.Errorf("its second page is %s", rest.raw)
	}
	got = b.get(rider, "/v1/ledger/statements/"+o.courier).want(http.StatusOK)
	if fmt.Sprint(got.body["balances"]) != "[map[amount:370 currency:EUR]]" {
		t.Errorf("the courier's is %s", got.raw)
	}
	b.get(support, "/v1/ledger/statements/"+o.courier).want(http.StatusOK)
	b.get(rider, "/v1/ledger/statements/"+o.restaurant).problem(http.StatusNotFound, "not_found")
	b.get(cook, "/v1/ledger/statements/"+ids.New()).problem(http.StatusNotFound, "not_found")
	b.get(o.diner(), "/v1/ledger/statements/"+o.consumer).problem(http.StatusForbidden, "forbidden")
}
