package internal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
)

func TestAConsumerRegistersUnderItsSubject(t *testing.T) {
	e := newEdge(t)
	e.do(nobody, "POST", "/v1/consumers", registration).want(t, 401, "unauthenticated")
	e.do("restaurant:r", "POST", "/v1/consumers", registration).want(t, 403, "forbidden")
	r := e.do(owner, "POST", "/v1/consumers", registration).want(t, 201, "")
	if r.id() != anna || r.header.Get("Location") != self || r.header.Get("ETag") != `"1"` || r.body["state"] != "ACTIVE" || r.body["order_limit"] != 50000.0 ||
		r.body["name"] != "Anna Muster" || r.body["locale"] != "de-AT" || r.body["phone"] != "+4312345678" || !strings.Contains(r.text, `"muted_channels":[]`) {
		t.Errorf("%v %s", r.header, r.text)
	}
	e.do(owner, "POST", "/v1/consumers", registration).want(t, 422, "already_registered")
	if r := e.do("consumer:an-external-subject", "POST", "/v1/consumers", registration).want(t, 201, ""); !ids.Valid(r.id()) {
		t.Errorf("a subject that is no id: %s", r.text)
	}
	if r := e.do(rival, "POST", "/v1/consumers", `{"name":"B","email":"x","card":"1"}`).want(t, 400, "invalid"); !r.names("card") {
		t.Error(r.text)
	}
	if r := e.do(rival, "POST", "/v1/consumers", `{"name":"B","email":"x"}`).want(t, 400, "invalid"); !r.names("email") {
		t.Error(r.text)
	}
	if got := e.events(); !slices.Equal(got, []string{"ConsumerRegistered"}) {
		t.Errorf("events %v", got)
	}
}

func TestAProfileIsTheOwnersAndSupports(t *testing.T) {
	e := newConsumer(t)
	address := e.address()
	method := e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":"Visa"}`).want(t, 201, "").header.Get("Location")
	for _, path := range []string{self, self + "/addresses", self + "/payment-methods", address, method} {
		e.do(nobody, "GET", path, "").want(t, 401, "unauthenticated")
		e.do(rival, "GET", path, "").want(t, 404, "not_found")
		e.do("courier:c", "GET", path, "").want(t, 403, "forbidden")
		for _, who := range []string{owner, agent, admin, "consumer:x:" + anna} {
			e.do(who, "GET", path, "").want(t, 200, "")
		}
	}
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", self, `{"name":"Eve"}`}, {"PUT", self + "/default-address", `{"address_id":"x"}`}, {"PUT", self + "/notification-preferences", `{"muted_channels":[]}`},
		{"POST", self + "/addresses", addressBody}, {"PUT", address, addressBody}, {"DELETE", address, ""},
		{"POST", self + "/payment-methods", `{"token":"tok_x","label":""}`}, {"DELETE", method, ""}, {"POST", self + "/closure", ""},
	} {
		e.do(rival, c.method, c.path, c.body, "If-Match", `"1"`).want(t, 404, "not_found")
		e.do("restaurant:r", c.method, c.path, c.body, "If-Match", `"1"`).want(t, 403, "forbidden")
		if c.path != self+"/closure" {
			e.do(agent, c.method, c.path, c.body, "If-Match", `"1"`).want(t, 403, "forbidden")
		}
	}
	e.do(owner, "POST", self+"/suspension", `{"reason":"x"}`).want(t, 403, "forbidden")
	e.do(owner, "POST", self+"/reactivation", ``).want(t, 403, "forbidden")
	e.do("consumer:"+berta, "GET", "/v1/consumers/"+berta, "").want(t, 404, "not_found")
}

func TestAnEditStatesTheVersionItSaw(t *testing.T) {
	e := newConsumer(t)
	e.do(owner, "GET", self, "", "If-None-Match", `"1"`).want(t, 304, "")
	e.do(owner, "PATCH", self, `{"name":"Anne"}`).want(t, 428, "if_match_required")
	e.do(owner, "PATCH", self, `{"name":"Anne"}`, "If-Match", `"2"`).want(t, 412, "stale")
	r := e.do(owner, "PATCH", self, `{"name":"Anne","phone":""}`, "If-Match", `"1"`).want(t, 200, "")
	if r.body["name"] != "Anne" || r.body["email"] != "anna@example.org" || r.body["phone"] != nil || r.header.Get("ETag") != `"2"` {
		t.Errorf("%v %s", r.header, r.text)
	}
	r = e.do(owner, "PUT", self+"/notification-preferences", `{"muted_channels":["email"]}`, "If-Match", `"2"`).want(t, 200, "")
	if !strings.Contains(r.text, `"muted_channels":["email"]`) {
		t.Error(r.text)
	}
	for _, body := range []string{`{}`, `{"muted_channels":["fax"]}`, `{"muted_channels":["email","email"]}`, `{"muted_channels":null}`} {
		if r := e.do(owner, "PUT", self+"/notification-preferences", body, "If-Match", `"3"`).want(t, 400, "invalid"); !strings.Contains(r.text, "muted_channels") {
			t.Errorf("%s: %s", body, r.text)
		}
	}
	if r := e.do(owner, "PATCH", self, `{"name":3}`, "If-Match", `"3"`).want(t, 400, "invalid"); !r.names("name") {
		t.Error(r.text)
	}
	for _, nothing := range []string{`{}`, `{"name":"Anne","phone":""}`} {
		if r := e.do(owner, "PATCH", self, nothing, "If-Match", `"3"`).want(t, 200, ""); r.header.Get("ETag") != `"3"` {
			t.Errorf("%s makes version %s", nothing, r.header.Get("ETag"))
		}
	}
	if r := e.do(owner, "PATCH", self, `{"name":"Ann","phone":null}`, "If-Match", `"3"`).want(t, 400, "invalid"); !r.names("phone") {
		t.Error(r.text)
	}
	if r := e.do(owner, "PUT", self+"/notification-preferences", `{"muted_channels":["email","in_app","email"]}`, "If-Match", `"3"`).want(t, 400, "invalid"); !r.names("muted_channels") {
		t.Error(r.text)
	}
	if got := e.events(); !slices.Equal(got, []string{"ConsumerRegistered", "ProfileUpdated", "ProfileUpdated"}) {
		t.Errorf("events %v", got)
	}
}

func TestAddressesComeChangeAndGo(t *testing.T) {
	e := newConsumer(t)
	first, second := e.address(), e.address()
	r := e.do(owner, "GET", first, "").want(t, 200, "")
	if r.body["is_default"] != true || r.body["street"] != "Ring 1" || r.header.Get("ETag") != `"1"` {
		t.Errorf("%v %s", r.header, r.text)
	}
	if r := e.do(owner, "GET", second, "").want(t, 200, ""); r.body["is_default"] != false || r.links()["make-default"] == nil {
		t.Error(r.text)
	}
	e.do(owner, "PUT", second, addressBody).want(t, 428, "if_match_required")
	e.do(owner, "PUT", second, addressBody, "If-Match", `"7"`).want(t, 412, "stale")
	moved := strings.Replace(addressBody, "Ring 1", "Gasse 2", 1)
	if r := e.do(owner, "PUT", second, moved, "If-Match", `"1"`).want(t, 200, ""); r.body["street"] != "Gasse 2" || r.header.Get("ETag") != `"2"` {
		t.Errorf("%v %s", r.header, r.text)
	}
	if r := e.do(owner, "PUT", second, strings.Replace(addressBody, `"AT"`, `"ZZ"`, 1), "If-Match", `"2"`).want(t, 400, "invalid"); !r.names("country") {
		t.Error(r.text)
	}
	if r := e.do(owner, "POST", self+"/addresses", strings.Replace(addressBody, `"latitude":48.2,`, ``, 1)).want(t, 400, "invalid"); !r.names("position.latitude") {
		t.Error(r.text)
	}

	// The default moves to the second, and is gone with it.
	id := second[strings.LastIndex(second, "/")+1:]
	e.do(owner, "PUT", self+"/default-address", `{"address_id":"nowhere"}`, "If-Match", `"2"`).want(t, 400, "invalid")
	if r := e.do(owner, "PUT", self+"/default-address", `{"address_id":"0190b6a2-7c5e-7000-8000-00000000abcd"}`, "If-Match", `"2"`).want(t, 404, "not_found"); !r.names("address_id") {
		t.Error(r.text)
	}
	e.do(owner, "PUT", self+"/default-address", `{}`, "If-Match", `"2"`).want(t, 400, "invalid")
	if r := e.do(owner, "PUT", self+"/default-address", fmt.Sprintf(`{"address_id":%q}`, id), "If-Match", `"2"`).want(t, 200, ""); r.body["default_address_id"] != id {
		t.Error(r.text)
	}
	e.do(owner, "DELETE", second, "").want(t, 428, "if_match_required")
	e.do(owner, "DELETE", second, "", "If-Match", `"1"`).want(t, 412, "stale")
	e.do(owner, "DELETE", second, "", "If-Match", `"2"`, "Idempotency-Key", "d").want(t, 204, "")
	e.do(owner, "DELETE", second, "", "If-Match", `"2"`, "Idempotency-Key", "d").want(t, 204, "")
	e.do(owner, "DELETE", second, "", "If-Match", `"2"`).want(t, 404, "not_found")
	e.do(owner, "GET", second, "").want(t, 404, "not_found")
	if r := e.do(owner, "GET", self, "").want(t, 200, ""); r.body["default_address_id"] != nil || r.body["version"] != 4.0 {
		t.Error(r.text)
	}
	want := []string{"ConsumerRegistered", "AddressAdded", "AddressAdded", "AddressUpdated", "ProfileUpdated", "AddressRemoved"}
	if got := e.events(); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestListsArePagedInTheOrderOfAdding(t *testing.T) {
	e := newConsumer(t)
	var want []string
	for range 5 {
		path := e.address()
		want = append(want, path[strings.LastIndex(path, "/")+1:])
	}
	var got []string
	for next := self + "/addresses?limit=2"; next != ""; {
		r := e.do(owner, "GET", next, "").want(t, 200, "")
		for _, item := range r.body["items"].([]any) {
			got = append(got, item.(map[string]any)["id"].(string))
		}
		link, more := r.links()["next"].(map[string]any)
		if next = ""; more {
			next = link["href"].(string)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	r := e.do(owner, "GET", self+"/payment-methods", "").want(t, 200, "")
	if !strings.Contains(r.text, `"items":[]`) {
		t.Error(r.text)
	}
	e.do(owner, "GET", self+"/addresses?limit=0", "").want(t, 400, "invalid")
}

func TestNobodyHasAddressesWithoutEnd(t *testing.T) {
	e := newConsumer(t)
	for range maxAddresses {
		e.address()
	}
	e.do(owner, "POST", self+"/addresses", addressBody).want(t, 422, "too_many_addresses")
	for range maxPaymentMethods {
		e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":""}`).want(t, 201, "")
	}
	e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":""}`).want(t, 422, "too_many_payment_methods")
}

func TestAPaymentTokenIsNeverShown(t *testing.T) {
	e := newConsumer(t)
	card := e.do(owner, "POST", self+"/payment-methods", `{"token":"4111111111111111","label":"Visa"}`).want(t, 400, "invalid")
	if !card.names("token") || strings.Contains(card.text, "4111") {
		t.Error(card.text)
	}
	added := e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_secret","label":"Visa"}`).want(t, 201, "")
	path := added.header.Get("Location")
	for _, r := range []reply{added, e.do(owner, "GET", path, ""), e.do(owner, "GET", self+"/payment-methods", ""), e.do(admin, "GET", self+"/payment-methods", "")} {
		if strings.Contains(r.text, "tok_secret") || !strings.Contains(r.text, "Visa") {
			t.Error(r.text)
		}
	}
	e.do(owner, "DELETE", path, "").want(t, 428, "if_match_required")
	e.do(owner, "DELETE", path, "", "If-Match", `"2"`).want(t, 412, "stale")
	e.do(owner, "DELETE", path, "", "If-Match", `"1"`).want(t, 204, "")
	e.do(owner, "GET", path, "").want(t, 404, "not_found")
}

func TestSupportSuspendsAndReactivates(t *testing.T) {
	e := newConsumer(t)
	e.do(agent, "POST", self+"/suspension", `{}`).want(t, 400, "invalid")
	r := e.do(agent, "POST", self+"/suspension", `{"reason":"chargebacks"}`).want(t, 200, "")
	if r.body["state"] != "SUSPENDED" || r.body["suspension_reason"] != "chargebacks" || r.links()["reactivation"] == nil || r.links()["suspension"] != nil {
		t.Error(r.text)
	}
	e.do(agent, "POST", self+"/suspension", `{"reason":"again"}`).want(t, 422, "illegal_state")
	if r := e.do(owner, "GET", self, ""); r.links()["quote"] != nil || r.links()["edit"] == nil {
		t.Errorf("a suspended consumer may edit, and not order: %s", r.text)
	}
	e.do(admin, "POST", self+"/reactivation", ``, "If-Match", `"1"`).want(t, 412, "stale")
	r = e.do(admin, "POST", self+"/reactivation", `{}`, "If-Match", `"2"`).want(t, 200, "")
	if r.body["state"] != "ACTIVE" || r.body["suspension_reason"] != nil {
		t.Error(r.text)
	}
	e.do(admin, "POST", self+"/reactivation", `{}`).want(t, 422, "illegal_state")
	e.do(agent, "POST", "/v1/consumers/nobody/suspension", `{"reason":"x"}`).want(t, 404, "not_found")
	if got := e.events(); !slices.Equal(got, []string{"ConsumerRegistered", "ConsumerSuspended", "ConsumerReactivated"}) {
		t.Errorf("events %v", got)
	}
}

func TestClosingErasesThePerson(t *testing.T) {
	for _, who := range []string{owner, agent} {
		e := newConsumer(t)
		e.address()
		e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_secret","label":"Visa"}`).want(t, 201, "")
		r := e.do(who, "POST", self+"/closure", "").want(t, 200, "")
		if r.id() != anna || r.body["state"] != "CLOSED" || r.body["name"] != "" || r.body["email"] != "" || r.body["phone"] != nil || r.links()["closure"] != nil {
			t.Error(r.text)
		}
		for _, query := range []string{
			`SELECT count(*) FROM consumer WHERE name <> '' OR email <> '' OR phone <> '' OR suspension_reason <> ''`,
			`SELECT count(*) FROM address`, `SELECT count(*) FROM payment_method`,
		} {
			var n int
			if err := e.db.QueryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d, %v", query, n, err)
			}
		}
		e.do(owner, "PATCH", self, `{"name":"Anna"}`, "If-Match", r.header.Get("ETag")).want(t, 422, "consumer_closed")
		e.do(owner, "POST", self+"/addresses", addressBody).want(t, 422, "consumer_closed")
		e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_x","label":""}`).want(t, 422, "consumer_closed")
		e.do(owner, "POST", "/v1/consumers", registration).want(t, 422, "already_registered")
		e.do(agent, "POST", self+"/closure", "").want(t, 422, "consumer_closed")
		if got := e.events(); got[len(got)-1] != "ConsumerClosed" {
			t.Errorf("events %v", got)
		}
	}
}

func TestOtherModulesAskWhoMayOrder(t *testing.T) {
	e := newConsumer(t)
	path := e.address()
	address := path[strings.LastIndex(path, "/")+1:]
	method := e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":"Visa"}`).want(t, 201, "").id()
	ctx := identity.With(t.Context(), identity.Service("orders"))
	check := func(consumer, address, method string, amount int64) (*consumersapi.CheckMayOrderResponse, error) {
		return e.service.CheckMayOrder(ctx, &consumersapi.CheckMayOrderRequest{ConsumerId: consumer, AddressId: address, PaymentMethodId: method,
			Total: &kerfpb.Money{Amount: amount, Currency: "EUR"}})
	}
	res, err := check(anna, address, method, 50_000)
	if err != nil || res.GetPaymentToken() != "tok_approve" || res.GetAddress().GetLatitude() != 48.2 || res.GetAddress().GetLongitude() != 16.37 {
		t.Fatalf("%v, %v", res, err)
	}
	for _, c := range []struct {
		consumer, address, method string
		amount                    int64
		code                      string
	}{
		{berta, address, method, 1, "not_found"}, {anna, berta, method, 1, "not_found"}, {anna, address, berta, 1, "not_found"}, {anna, address, method, 50_001, "over_limit"},
	} {
		if _, err := check(c.consumer, c.address, c.method, c.amount); code(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
	e.do(rival, "POST", "/v1/consumers", registration).want(t, 201, "")
	if _, err := check(berta, address, method, 1); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("another's address and payment method: %v", err)
	}
	e.do(agent, "POST", self+"/suspension", `{"reason":"x"}`).want(t, 200, "")
	if _, err := check(anna, address, method, 1); code(err) != "consumer_suspended" {
		t.Errorf("suspended: %v", err)
	}
	e.do(agent, "POST", self+"/closure", "").want(t, 200, "")
	if _, err := check(anna, address, method, 1); code(err) != "consumer_closed" {
		t.Errorf("closed: %v", err)
	}
}

func TestOtherModulesAskHowToReachAConsumer(t *testing.T) {
	e := newConsumer(t)
	e.do(owner, "PUT", self+"/notification-preferences", `{"muted_channels":["email"]}`, "If-Match", `"1"`).want(t, 200, "")
	request := &consumersapi.GetContactRequest{ConsumerId: anna}
	ctx := identity.With(t.Context(), identity.Service("notifications"))
	res, err := e.service.GetContact(ctx, request)
	if err != nil || res.GetName() != "Anna Muster" || res.GetEmail() != "anna@example.org" || res.GetLocale() != "de-AT" || !slices.Equal(res.GetMutedChannels(), []string{"email"}) {
		t.Fatalf("%v, %v", res, err)
	}
	if _, err := e.service.GetContact(ctx, &consumersapi.GetContactRequest{ConsumerId: berta}); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("an unknown consumer: %v", err)
	}
	other := identity.With(t.Context(), identity.Principal{Subject: berta, Roles: []identity.Role{identity.RoleConsumer}})
	if _, err := e.service.GetContact(other, request); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("asked by another consumer: %v", err)
	}
	if _, err := e.service.GetContact(t.Context(), request); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("asked by nobody: %v", err)
	}
	e.do(owner, "POST", self+"/closure", "").want(t, 200, "")
	if _, err := e.service.GetContact(ctx, request); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("after closing: %v", err)
	}
}
