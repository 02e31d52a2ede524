package orders_test

import (
	"strings"
	"testing"
	"time"

	"kerf/modules/orders/ordersapi"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

func TestListsAreNewestFirstAPageAtATime(t *testing.T) {
	s := serve(t)
	var want []string
	for i := range 5 {
		id := s.post(diner, "/v1/orders", placeBody()).order.ID
		s.await(id, ordersapi.OrderState_ORDER_STATE_APPROVED)
		want = append([]string{id}, want...)
		if i%2 == 1 { // some at one instant
			s.clock.Advance(time.Minute)
		}
	}
	s.post(stranger, "/v1/orders", placeBody())
	var got []string
	for next := "/v1/orders?limit=2"; next != ""; {
		p := s.list(diner, next)
		for _, o := range p.Items {
			got = append(got, o.ID)
		}
		next = p.Links["next"].Href
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listed %v, want %v", got, want)
	}
	s.post(diner, "/v1/orders/"+want[0]+"/cancellation", `{}`)
	s.await(want[0], ordersapi.OrderState_ORDER_STATE_CANCELLED)
	for path, n := range map[string]int{
		"?state=CANCELLED":                          1,
		"?state=REJECTED":                           0,
		"?placed_after=2026-05-01T12:01:00Z":        3,
		"?placed_before=2026-05-01T12:01:00Z":       2,
		"?consumer_id=" + consumerID + "&limit=100": 5,
	} {
		if p := s.list(diner, "/v1/orders"+path); len(p.Items) != n {
			t.Errorf("%s lists %d, want %d", path, len(p.Items), n)
		}
	}
	if p := s.list(cook, "/v1/orders?restaurant_id="+restaurantID); len(p.Items) != 6 || p.Items[0].DeliveryPIN != "" {
		t.Errorf("the restaurant sees %d", len(p.Items))
	}
	if p := s.list(support, "/v1/orders"); len(p.Items) != 6 {
		t.Errorf("support sees %d", len(p.Items))
	}
}

func TestAListOfOthersOrdersIsNotGiven(t *testing.T) {
	s := serve(t)
	for _, row := range []struct {
		as     *identity.Principal
		query  string
		status int
	}{
		{&stranger, "?consumer_id=" + consumerID, 404},
		{&cook, "?restaurant_id=" + ids.New(), 404},
		{&cook, "", 400},
		{&cook, "?consumer_id=" + consumerID, 400},
		{nil, "", 401},
		{&identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleCourier}}, "", 403},
		{&diner, "?state=LOST", 400},
		{&diner, "?placed_after=yesterday", 400},
		{&diner, "?limit=0", 400},
		{&diner, "?cursor=xyz", 400},
	} {
		if a := s.do(request{method: "GET", path: "/v1/orders" + row.query, as: row.as}); a.status != row.status {
			t.Errorf("%s: %d, want %d: %s", row.query, a.status, row.status, a.text)
		}
	}
}
