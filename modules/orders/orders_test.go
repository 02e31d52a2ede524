package orders_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"kerf/modules/orders/ordersapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

func TestAnOrderIsPlacedAtTheQuotesPriceAndApproved(t *testing.T) {
	s := serve(t)
	a := s.post(diner, "/v1/orders", placeBody())
	if a.status != http.StatusCreated || a.header.Get("Location") != "/v1/orders/"+a.order.ID || a.header.Get("ETag") != web.ETag(1) {
		t.Fatalf("%d %v: %s", a.status, a.header, a.text)
	}
	o := a.order
	if o.State != "PENDING" || o.Total.Amount != 1500 || o.Charge != nil || o.Notes != "no onions" || !o.PlacedAt.Equal(noon) {
		t.Errorf("placed %s", a.text)
	}
	if len(o.Lines) != 1 || o.Lines[0].Options[0] != "Hot" || o.Lines[0].Total.Amount != 1000 {
		t.Errorf("lines %+v", o.Lines)
	}
	if len(o.DeliveryPIN) != 4 || o.Links["self"].Href == "" || o.Links["cancellation"].Method != "POST" {
		t.Errorf("pin %q, links %v", o.DeliveryPIN, o.Links)
	}
	s.await(o.ID, ordersapi.OrderState_ORDER_STATE_APPROVED)
	if got := strings.Join(s.others.asked, ", "); got != "GetQuote, CheckMayOrder 1500" {
		t.Errorf("asked %s", got)
	}
}

func TestTheSameKeyPlacesOneOrder(t *testing.T) {
	s := serve(t)
	r := request{method: "POST", path: "/v1/orders", as: &diner, key: "once", body: placeBody()}
	first := s.do(r)
	again := s.do(r)
	if again.status != http.StatusCreated || again.order.ID != first.order.ID || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again %d: %s", again.status, again.text)
	}
	r.body = placeBody()
	if other := s.do(r); other.status != http.StatusUnprocessableEntity {
		t.Errorf("another body: %d", other.status)
	}
}

func TestAQuoteIsOrderedOnceHoweverManyAskAtOnce(t *testing.T) {
	s := serve(t)
	body := placeBody()
	answers := make([]answer, 16)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.post(diner, "/v1/orders", body) })
	}
	all.Wait()
	placed := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusCreated:
			placed++
		case a.status != http.StatusUnprocessableEntity || a.problem.Code != "quote_used":
			t.Errorf("%d: %s", a.status, a.text)
		}
	}
	if placed != 1 {
		t.Errorf("placed %d times", placed)
	}
}

func TestWhatMayNotBeOrderedIsRefused(t *testing.T) {
	down := context.DeadlineExceeded
	for _, row := range []struct {
		name   string
		set    func(*others)
		as     *identity.Principal
		key    string
		body   string
		status int
		code   string
		field  string
	}{
		{name: "expired quote", set: func(o *others) { o.quoteErr = fault.Refused("quote_expired", "expired") }, status: 422, code: "quote_expired"},
		{name: "unknown quote", set: func(o *others) { o.quoteErr = fault.NotFound("quote") }, status: 404, code: "not_found", field: "quote_id"},
		{name: "restaurants down", set: func(o *others) { o.quoteErr = down }, status: 503, code: "restaurants_unavailable"},
		{name: "consumers down", set: func(o *others) { o.checkErr = down }, status: 503, code: "consumers_unavailable"},
		{name: "suspended", set: func(o *others) { o.checkErr = fault.Refused("consumer_suspended", "suspended") }, status: 422, code: "consumer_suspended"},
		{name: "unknown address", set: func(o *others) { o.checkErr = fault.NotFound("address") }, status: 404, code: "not_found"},
		{name: "address elsewhere", set: func(o *others) { o.addressOff = 0.001 }, status: 422, code: "address_mismatch"}, // 111 m
		{name: "anonymous", as: &identity.Principal{}, status: 401, code: "unauthenticated"},
		{name: "a cook", as: &cook, status: 403, code: "role"},
		{name: "no key", key: "-", status: 400, code: "idempotency_key"},
		{name: "no quote", body: `{"address_id":"` + ids.New() + `","payment_method_id":"` + ids.New() + `"}`, status: 400, code: "invalid", field: "quote_id"},
		{name: "not an id", body: strings.Replace(placeBody(), `"address_id":"`, `"address_id":"x`, 1), status: 400, code: "invalid", field: "address_id"},
		{name: "unknown field", body: strings.Replace(placeBody(), `"notes"`, `"price"`, 1), status: 400, code: "invalid", field: "price"},
		{name: "long notes", body: strings.Replace(placeBody(), "no onions", strings.Repeat("x", 501), 1), status: 400, code: "invalid", field: "notes"},
		{name: "not JSON", body: "soup", status: 400, code: "invalid"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t)
			if row.set != nil {
				row.set(s.others)
			}
			r := request{method: "POST", path: "/v1/orders", as: &diner, key: ids.New(), body: placeBody()}
			if row.as != nil {
				r.as = row.as
			}
			if r.as.Subject == "" {
				r.as = nil
			}
			if row.key == "-" {
				r.key = ""
			}
			if row.body != "" {
				r.body = row.body
			}
			a := s.do(r)
			if a.status != row.status || row.code != "role" && a.problem.Code != row.code {
				t.Errorf("%d %s", a.status, a.text)
			}
			if row.field != "" && (len(a.problem.Violations) == 0 || a.problem.Violations[0].Field != row.field) {
				t.Errorf("names %v, want %s", a.problem.Violations, row.field)
			}
			var count int
			if err := s.db.QueryRow(context.Background(), `SELECT count(*) FROM orders`).Scan(&count); err != nil || count != 0 {
				t.Errorf("%d orders were recorded: %v", count, err)
			}
		})
	}
}

func TestAnAddressNearTheQuotesIsTheSame(t *testing.T) {
	s := serve(t)
	s.others.addressOff = 0.0008 // 89 m
	if a := s.post(diner, "/v1/orders", placeBody()); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestACancelIsForTheOrdersOwnPeople(t *testing.T) {
	for _, row := range []struct {
		name   string
		as     identity.Principal
		status int
		reason string
	}{
		{"its consumer", diner, 200, "cancelled_by_consumer"},
		{"its restaurant", cook, 200, "cancelled_by_restaurant"},
		{"support", support, 200, "cancelled_by_support"},
		{"another consumer", stranger, 404, ""},
		{"another restaurant", identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleRestaurant}, OwnedIDs: []string{ids.New()}}, 404, ""},
		{"a courier", identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleCourier}}, 403, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t)
			id := s.post(diner, "/v1/orders", placeBody()).order.ID
			s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
			a := s.post(row.as, "/v1/orders/"+id+"/cancellation", `{"reason":"changed my mind"}`)
			if a.status != row.status {
				t.Fatalf("%d %s", a.status, a.text)
			}
			if row.status != 200 {
				return
			}
			if a.order.State != "CANCEL_PENDING" || a.order.Links["cancellation"].Href != "" {
				t.Errorf("shows %s with links %v", a.order.State, a.order.Links)
			}
			if o := s.await(id, ordersapi.OrderState_ORDER_STATE_CANCELLED); o.GetReason() != row.reason || o.GetCharge().GetAmount() != 0 {
				t.Errorf("ended %v", o)
			}
			again := s.post(row.as, "/v1/orders/"+id+"/cancellation", `{}`)
			if again.status != 422 || again.problem.Code != "order_ended" {
				t.Errorf("again: %d %s", again.status, again.text)
			}
		})
	}
}

func TestACancelStatesTheVersionThatItSaw(t *testing.T) {
	s := serve(t)
	id := s.post(diner, "/v1/orders", placeBody()).order.ID
	o := s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
	path := "/v1/orders/" + id + "/cancellation"
	stale := s.do(request{method: "POST", path: path, as: &diner, key: "a", ifMatch: web.ETag(o.GetVersion() - 1), body: `{}`})
	if stale.status != http.StatusPreconditionFailed {
		t.Errorf("stale: %d %s", stale.status, stale.text)
	}
	if fresh := s.do(request{method: "POST", path: path, as: &diner, key: "b", ifMatch: web.ETag(o.GetVersion()), body: `{}`}); fresh.status != 200 {
		t.Errorf("fresh: %d %s", fresh.status, fresh.text)
	}
	long := s.post(diner, path, `{"reason":"`+strings.Repeat("x", 201)+`"}`)
	if long.status != 400 || long.problem.Violations[0].Field != "reason" {
		t.Errorf("long reason: %d %s", long.status, long.text)
	}
}

func TestACancelInPendingIsRemembered(t *testing.T) {
	s := serve(t)
	hold := make(chan struct{})
	s.others.payments = func(context.Context) error { <-hold; return nil }
	id := s.post(diner, "/v1/orders", placeBody()).order.ID
	a := s.post(diner, "/v1/orders/"+id+"/cancellation", `{}`)
	if a.status != 200 || a.order.State != "PENDING" || !a.order.CancelRequested {
		t.Errorf("%d %s", a.status, a.text)
	}
	close(hold)
	s.await(id, ordersapi.OrderState_ORDER_STATE_CANCELLED)
}

func TestAnOrderIsSeenByItsOwnPeopleAndThePinByFewer(t *testing.T) {
	s := serve(t)
	id := s.post(diner, "/v1/orders", placeBody()).order.ID
	s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
	for _, row := range []struct {
		name      string
		as        identity.Principal
		sees, pin bool
	}{
		{"its consumer", diner, true, true},
		{"support", support, true, true},
		{"its restaurant", cook, true, false},
		{"a module", identity.Service("tracking"), true, false},
		{"another consumer", stranger, false, false},
		{"its consumer's id in another role", identity.Principal{Subject: consumerID, Roles: []identity.Role{identity.RoleCourier}}, false, false},
		{"nobody", identity.Principal{}, false, false},
	} {
		o, err := s.part(row.as, id)
		if (err == nil) != row.sees || !row.sees && fault.KindOf(err) != fault.KindNotFound || (o.GetDeliveryPin() != "") != row.pin {
			t.Errorf("%s: %v, %v", row.name, o, err)
		}
	}
	if _, err := s.part(support, ids.New()); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("unknown order: %v", err)
	}
}

func TestManyOrdersAtOnceAreAllApproved(t *testing.T) {
	s := serve(t)
	const diners, each = 16, 8
	placed := make([][]string, diners)
	var all sync.WaitGroup
	for i := range diners {
		all.Go(func() {
			for range each {
				placed[i] = append(placed[i], s.post(diner, "/v1/orders", placeBody()).order.ID)
			}
		})
	}
	all.Wait()
	for _, list := range placed {
		for _, id := range list {
			s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
		}
	}
	counters, err := s.module.Audit(context.Background())
	if err != nil || counters["orders_approved"] != diners*each || counters["sagas_open"] != 0 {
		t.Errorf("counters %v, %v", counters, err)
	}
}
