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
	"kerf/platform/web/webtest"
)

func TestAConsumerRegistersUnderItsSubject(t *testing.T) {
	e := newEdge(t)
	e.do(nobody, "POST", "/v1/consumers", registration).Problem(401, "unauthenticated")
	e.do("restaurant+r", "POST", "/v1/consumers", registration).Problem(403, "forbidden")
	r := e.do(owner, "POST", "/v1/consumers", registration).Want(201)
	if r.ID() != anna || r.Header.Get("Location") != self || r.Header.Get("ETag") != `"1"` || r.Body["state"] != "ACTIVE" || r.Body["order_limit"] != 50000.0 ||
		r.Body["name"] != "Anna Muster" || r.Body["locale"] != "de-AT" || r.Body["phone"] != "+4312345678" || !strings.Contains(r.Raw, `"muted_channels":[]`) {
		t.Errorf("%v %s", r.Header, r.Raw)
	}
	e.do(owner, "POST", "/v1/consumers", registration).Problem(422, "already_registered")
	if r := e.do("consumer+an-external-subject", "POST", "/v1/consumers", registration).Want(201); !ids.Valid(r.ID()) {
		t.Errorf("a subject that is no id: %s", r.Raw)
	}
	if r := e.do(rival, "POST", "/v1/consumers", `{"name":"B","email":"x","card":"1"}`).Problem(400, "invalid"); !r.Names("card") {
		t.Error(r.Raw)
	}
	if r := e.do(rival, "POST", "/v1/consumers", `{"name":"B","email":"x"}`).Problem(400, "invalid"); !r.Names("email") {
		t.Error(r.Raw)
	}
	if got := e.events(); !slices.Equal(got, []string{"ConsumerRegistered"}) {
		t.Errorf("events %v", got)
	}
}

func TestAProfileIsTheOwnersAndSupports(t *testing.T) {
	e := newConsumer(t)
	address := e.address()
	method := e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":"Visa"}`).Want(201).Header.Get("Location")
	for _, path := range []string{self, self + "/addresses", self + "/payment-methods", address, method} {
		e.do(nobody, "GET", path, "").Problem(401, "unauthenticated")
		e.do(rival, "GET", path, "").Problem(404, "not_found")
		e.do("courier+c", "GET", path, "").Problem(403, "forbidden")
		for _, who := range []string{owner, agent, admin, "consumer+x+" + anna} {
			e.do(who, "GET", path, "").Want(200)
		}
	}
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", self, `{"name":"Eve"}`}, {"PUT", self + "/default-address", `{"address_id":"x"}`}, {"PUT", self + "/notification-preferences", `{"muted_channels":[]}`},
		{"POST", self + "/addresses", addressBody}, {"PUT", address, addressBody}, {"DELETE", address, ""},
		{"POST", self + "/payment-methods", `{"token":"tok_x","label":""}`}, {"DELETE", method, ""}, {"POST", self + "/closure", ""},
	} {
		e.do(rival, c.method, c.path, c.body, "If-Match", `"1"`).Problem(404, "not_found")
		e.do("restaurant+r", c.method, c.path, c.body, "If-Match", `"1"`).Problem(403, "forbidden")
		if c.path != self+"/closure" {
			e.do(agent, c.method, c.path, c.body, "If-Match", `"1"`).Problem(403, "forbidden")
		}
	}
	e.do(owner, "POST", self+"/suspension", `{"reason":"x"}`).Problem(403, "forbidden")
	e.do(owner, "POST", self+"/reactivation", ``).Problem(403, "forbidden")
	e.do("consumer+"+berta, "GET", "/v1/consumers/"+berta, "").Problem(404, "not_found")
}

func TestAnEditStatesTheVersionItSaw(t *testing.T) {
	e := newConsumer(t)
	e.do(owner, "GET", self, "", "If-None-Match", `"1"`).Want(304)
	e.do(owner, "PATCH", self, `{"name":"Anne"}`).Problem(428, "if_match_required")
	e.do(owner, "PATCH", self, `{"name":"Anne"}`, "If-Match", `"2"`).Problem(412, "stale")
	r := e.do(owner, "PATCH", self, `{"name":"Anne","phone":""}`, "If-Match", `"1"`).Want(200)
	if r.Body["name"] != "Anne" || r.Body["email"] != "anna@example.org" || r.Body["phone"] != nil || r.Header.Get("ETag") != `"2"` {
		t.Errorf("%v %s", r.Header, r.Raw)
	}
	r = e.do(owner, "PUT", self+"/notification-preferences", `{"muted_channels":["email"]}`, "If-Match", `"2"`).Want(200)
	if !strings.Contains(r.Raw, `"muted_channels":["email"]`) {
		t.Error(r.Raw)
	}
	for _, body := range []string{`{}`, `{"muted_channels":["fax"]}`, `{"muted_channels":["email","email"]}`, `{"muted_channels":null}`} {
		if r := e.do(owner, "PUT", self+"/notification-preferences", body, "If-Match", `"3"`).Problem(400, "invalid"); !strings.Contains(r.Raw, "muted_channels") {
			t.Errorf("%s: %s", body, r.Raw)
		}
	}
	if r := e.do(owner, "PATCH", self, `{"name":3}`, "If-Match", `"3"`).Problem(400, "invalid"); !r.Names("name") {
		t.Error(r.Raw)
	}
	for _, nothing := range []string{`{}`, `{"name":"Anne","phone":""}`} {
		if r := e.do(owner, "PATCH", self, nothing, "If-Match", `"3"`).Want(200); r.Header.Get("ETag") != `"3"` {
			t.Errorf("%s makes version %s", nothing, r.Header.Get("ETag"))
		}
	}
	if r := e.do(owner, "PATCH", self, `{"name":"Ann","phone":null}`, "If-Match", `"3"`).Problem(400, "invalid"); !r.Names("phone") {
		t.Error(r.Raw)
	}
	if r := e.do(owner, "PUT", self+"/notification-preferences", `{"muted_channels":["email","in_app","email"]}`, "If-Match", `"3"`).Problem(400, "invalid"); !r.Names("muted_channels") {
		t.Error(r.Raw)
	}
	if got := e.events(); !slices.Equal(got, []string{"ConsumerRegistered", "ProfileUpdated", "ProfileUpdated"}) {
		t.Errorf("events %v", got)
	}
}

func TestAddressesComeChangeAndGo(t *testing.T) {
	e := newConsumer(t)
	first, second := e.address(), e.address()
	r := e.do(owner, "GET", first, "").Want(200)
	if r.Body["is_default"] != true || r.Body["street"] != "Ring 1" || r.Header.Get("ETag") != `"1"` {
		t.Errorf("%v %s", r.Header, r.Raw)
	}
	if r := e.do(owner, "GET", second, "").Want(200); r.Body["is_default"] != false || r.Links()["make-default"] == nil {
		t.Error(r.Raw)
	}
	e.do(owner, "PUT", second, addressBody).Problem(428, "if_match_required")
	e.do(owner, "PUT", second, addressBody, "If-Match", `"7"`).Problem(412, "stale")
	moved := strings.Replace(addressBody, "Ring 1", "Gasse 2", 1)
	if r := e.do(owner, "PUT", second, moved, "If-Match", `"1"`).Want(200); r.Body["street"] != "Gasse 2" || r.Header.Get("ETag") != `"2"` {
		t.Errorf("%v %s", r.Header, r.Raw)
	}
	if r := e.do(owner, "PUT", second, strings.Replace(addressBody, `"AT"`, `"ZZ"`, 1), "If-Match", `"2"`).Problem(400, "invalid"); !r.Names("country") {
		t.Error(r.Raw)
	}
	if r := e.do(owner, "POST", self+"/addresses", strings.Replace(addressBody, `"latitude":48.2,`, ``, 1)).Problem(400, "invalid"); !r.Names("position.latitude") {
		t.Error(r.Raw)
	}

	// The default moves to the second, and is gone with it.
	id := second[strings.LastIndex(second, "/")+1:]
	e.do(owner, "PUT", self+"/default-address", `{"address_id":"nowhere"}`, "If-Match", `"2"`).Problem(400, "invalid")
	if r := e.do(owner, "PUT", self+"/default-address", `{"address_id":"0190b6a2-7c5e-7000-8000-00000000abcd"}`, "If-Match", `"2"`).Problem(404, "not_found"); !r.Names("address_id") {
		t.Error(r.Raw)
	}
	e.do(owner, "PUT", self+"/default-address", `{}`, "If-Match", `"2"`).Problem(400, "invalid")
	if r := e.do(owner, "PUT", self+"/default-address", fmt.Sprintf(`{"address_id":%q}`, id), "If-Match", `"2"`).Want(200); r.Body["default_address_id"] != id {
		t.Error(r.Raw)
	}
	e.do(owner, "DELETE", second, "").Problem(428, "if_match_required")
	e.do(owner, "DELETE", second, "", "If-Match", `"1"`).Problem(412, "stale")
	e.do(owner, "DELETE", second, "", "If-Match", `"2"`, "Idempotency-Key", "d").Want(204)
	e.do(owner, "DELETE", second, "", "If-Match", `"2"`, "Idempotency-Key", "d").Want(204)
	e.do(owner, "DELETE", second, "", "If-Match", `"2"`).Problem(404, "not_found")
	e.do(owner, "GET", second, "").Problem(404, "not_found")
	if r := e.do(owner, "GET", self, "").Want(200); r.Body["default_address_id"] != nil || r.Body["version"] != 4.0 {
		t.Error(r.Raw)
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
		r := e.do(owner, "GET", next, "").Want(200)
		for _, item := range r.Body["items"].([]any) {
			got = append(got, item.(map[string]any)["id"].(string))
		}
		link, more := r.Links()["next"].(map[string]any)
		if next = ""; more {
			next = link["href"].(string)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	r := e.do(owner, "GET", self+"/payment-methods", "").Want(200)
	if !strings.Contains(r.Raw, `"items":[]`) {
		t.Error(r.Raw)
	}
	e.do(owner, "GET", self+"/addresses?limit=0", "").Problem(400, "invalid")
}

func TestNobodyHasAddressesWithoutEnd(t *testing.T) {
	e := newConsumer(t)
	for range maxAddresses {
		e.address()
	}
	e.do(owner, "POST", self+"/addresses", addressBody).Problem(422, "too_many_addresses")
	for range maxPaymentMethods {
		e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":""}`).Want(201)
	}
	e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":""}`).Problem(422, "too_many_payment_methods")
}

func TestAPaymentTokenIsNeverShown(t *testing.T) {
	e := newConsumer(t)
	card := e.do(owner, "POST", self+"/payment-methods", `{"token":"4111111111111111","label":"Visa"}`).Problem(400, "invalid")
	if !card.Names("token") || strings.Contains(card.Raw, "4111") {
		t.Error(card.Raw)
	}
	added := e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_secret","label":"Visa"}`).Want(201)
	path := added.Header.Get("Location")
	for _, r := range []*webtest.Answer{added, e.do(owner, "GET", path, ""), e.do(owner, "GET", self+"/payment-methods", ""), e.do(admin, "GET", self+"/payment-methods", "")} {
		if strings.Contains(r.Raw, "tok_secret") || !strings.Contains(r.Raw, "Visa") {
			t.Error(r.Raw)
		}
	}
	e.do(owner, "DELETE", path, "").Problem(428, "if_match_required")
	e.do(owner, "DELETE", path, "", "If-Match", `"2"`).Problem(412, "stale")
	e.do(owner, "DELETE", path, "", "If-Match", `"1"`).Want(204)
	e.do(owner, "GET", path, "").Problem(404, "not_found")
}

func TestSupportSuspendsAndReactivates(t *testing.T) {
	e := newConsumer(t)
	e.do(agent, "POST", self+"/suspension", `{}`).Problem(400, "invalid")
	r := e.do(agent, "POST", self+"/suspension", `{"reason":"chargebacks"}`).Want(200)
	if r.Body["state"] != "SUSPENDED" || r.Body["suspension_reason"] != "chargebacks" || r.Links()["reactivation"] == nil || r.Links()["suspension"] != nil {
		t.Error(r.Raw)
	}
	e.do(agent, "POST", self+"/suspension", `{"reason":"again"}`).Problem(422, "consumer_suspended")
	if r := e.do(owner, "GET", self, ""); r.Links()["quote"] != nil || r.Links()["edit"] == nil {
		t.Errorf("a suspended consumer may edit, and not order: %s", r.Raw)
	}
	e.do(admin, "POST", self+"/reactivation", ``, "If-Match", `"1"`).Problem(412, "stale")
	r = e.do(admin, "POST", self+"/reactivation", `{}`, "If-Match", `"2"`).Want(200)
	if r.Body["state"] != "ACTIVE" || r.Body["suspension_reason"] != nil {
		t.Error(r.Raw)
	}
	e.do(admin, "POST", self+"/reactivation", `{}`).Problem(422, "consumer_active")
	e.do(agent, "POST", "/v1/consumers/nobody/suspension", `{"reason":"x"}`).Problem(404, "not_found")
	if got := e.events(); !slices.Equal(got, []string{"ConsumerRegistered", "ConsumerSuspended", "ConsumerReactivated"}) {
		t.Errorf("events %v", got)
	}
}

func TestClosingErasesThePerson(t *testing.T) {
	for _, who := range []string{owner, agent} {
		e := newConsumer(t)
		e.address()
		e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_secret","label":"Visa"}`).Want(201)
		r := e.do(who, "POST", self+"/closure", "").Want(200)
		if r.ID() != anna || r.Body["state"] != "CLOSED" || r.Body["name"] != "" || r.Body["email"] != "" || r.Body["phone"] != nil || r.Links()["closure"] != nil {
			t.Error(r.Raw)
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
		e.do(owner, "PATCH", self, `{"name":"Anna"}`, "If-Match", r.Header.Get("ETag")).Problem(422, "consumer_closed")
		e.do(owner, "POST", self+"/addresses", addressBody).Problem(422, "consumer_closed")
		e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_x","label":""}`).Problem(422, "consumer_closed")
		e.do(owner, "POST", "/v1/consumers", registration).Problem(422, "already_registered")
		e.do(agent, "POST", self+"/closure", "").Problem(422, "consumer_closed")
		if got := e.events(); got[len(got)-1] != "ConsumerClosed" {
			t.Errorf("events %v", got)
		}
	}
}

func TestOtherModulesAskWhoMayOrder(t *testing.T) {
	e := newConsumer(t)
	path := e.address()
	address := path[strings.LastIndex(path, "/")+1:]
	method := e.do(owner, "POST", self+"/payment-methods", `{"token":"tok_approve","label":"Visa"}`).Want(201).ID()
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
	e.do(rival, "POST", "/v1/consumers", registration).Want(201)
	if _, err := check(berta, address, method, 1); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("another's address and payment method: %v", err)
	}
	e.do(agent, "POST", self+"/suspension", `{"reason":"x"}`).Want(200)
	if _, err := check(anna, address, method, 1); code(err) != "consumer_suspended" {
		t.Errorf("suspended: %v", err)
	}
	e.do(agent, "POST", self+"/closure", "").Want(200)
	if _, err := check(anna, address, method, 1); code(err) != "consumer_closed" {
		t.Errorf("closed: %v", err)
	}
}

func TestOtherModulesAskHowToReachAConsumer(t *testing.T) {
	e := newConsumer(t)
	e.do(owner, "PUT", self+"/notification-preferences", `{"muted_channels":["email"]}`, "If-Match", `"1"`).Want(200)
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
	e.do(owner, "POST", self+"/closure", "").Want(200)
	if _, err := e.service.GetContact(ctx, request); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("after closing: %v", err)
	}
}
