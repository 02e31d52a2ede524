package internal

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

const one = "/v1/tracking/" + orderID

func TestAViewIsForThoseWhomTheOrderConcerns(t *testing.T) {
	k := open(t)
	k.publishAll(placed, assigned)
	k.awaitSequence(orderID, 2)
	for token, status := range map[string]int{
		diner: 200, cook: 200, rider: 200, support: 200, "admin+root": 200,
		"":                         401,
		"consumer+" + ids.New():    404,
		"restaurant+" + ids.New():  404,
		"courier+" + ids.New():     404,
		"courier+" + consumerID:    404, // the id alone is not enough
		"consumer+" + restaurantID: 404,
	} {
		for _, path := range []string{one, live} {
			if path == live && status == 200 {
				k.follow(token, path, "").want("view", "2")
				continue
			}
			if a := k.get(token, path); a.status != status {
				t.Errorf("%s as %q: %d %s, want %d", path, token, a.status, a.raw, status)
			}
		}
	}
	for _, path := range []string{"/v1/tracking/" + ids.New(), "/v1/tracking/nonsense", "/v1/tracking/nonsense/events"} {
		if a := k.get(support, path); a.status != 404 || a.body["code"] != "not_found" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	for token, status := range map[string]int{"": 401, diner: 403, cook: 403, rider: 403} {
		if a := k.get(token, "/v1/tracking/events"); a.status != status {
			t.Errorf("all orders as %q: %d, want %d", token, a.status, status)
		}
	}
}

func TestAViewIsSentAgainOnlyWhenItHasChanged(t *testing.T) {
	k := open(t)
	k.publishAll(placed, made)
	k.awaitSequence(orderID, 2)
	a := k.get(diner, one)
	if a.header.Get("ETag") != `W/"2"` || a.body["sequence"] != 2.0 || a.body["behind_milliseconds"] != 0.0 {
		t.Errorf("%v %s", a.header, a.raw)
	}
	if a := k.get(diner, one, "If-None-Match", `W/"2"`); a.status != 304 || a.raw != "" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	k.publish(approved)
	k.awaitSequence(orderID, 3)
	if a := k.get(diner, one, "If-None-Match", `W/"2"`); a.status != 200 || a.body["status"] != Approved {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestAViewSaysHowFarBehindItIs(t *testing.T) {
	k := open(t)
	behind := func() float64 { return k.get(diner, one).body["behind_milliseconds"].(float64) }
	k.publish(placed)
	await(t, "the event is counted, a moment after its view is there to read", func() bool {
		k.lag.mu.Lock()
		defer k.lag.mu.Unlock()
		return !k.lag.at.IsZero()
	})
	k.lag.applied(noon.Add(-5 * time.Second)) // an event of a backlog
	if got := behind(); got != 5000 {
		t.Errorf("behind by %v ms while a backlog is worked off", got)
	}
	k.clock.Advance(freshness + time.Millisecond)
	if got := behind(); got != 0 {
		t.Errorf("behind by %v ms with nothing to do", got)
	}
	k.books.skipTo(Orders, orderID, 7) // a gap, which the inbox parks
	k.publish(delivered)
	await(t, "the message is parked", func() bool {
		var n int
		return k.db.QueryRow(t.Context(), `SELECT count(*) FROM parked`).Scan(&n) == nil && n == 1
	})
	k.clock.Advance(time.Minute)
	if got := behind(); got != 60_000 {
		t.Errorf("behind by %v ms while a message is parked for a minute", got)
	}
}

func TestListsArePagedNewestFirstAndShowOnlyWhatIsTheCallers(t *testing.T) {
	k := open(t)
	mine := make([]string, 5)
	for i := range mine {
		mine[i] = ids.New()
		e := of(mine[i], placed)
		e.PlacedAt = minute(i)
		k.publish(e)
	}
	foreign := of(ids.New(), placed)
	foreign.ConsumerId, foreign.RestaurantId, foreign.PlacedAt = ids.New(), ids.New(), minute(9)
	k.publish(foreign)
	early := ids.New() // of which only the kitchen was heard
	k.publish(of(early, made))
	k.publish(of(mine[1], approved))
	k.awaitSequence(mine[1], 2)
	for _, order := range append([]string{early}, slices.Delete(slices.Clone(mine), 1, 2)...) {
		k.awaitSequence(order, 1)
	}
	k.awaitSequence(foreign.GetOrderId(), 1)

	newest := slices.Clone(mine)
	slices.Reverse(newest)
	for _, c := range []struct {
		token, query string
		want         []string
	}{
		{diner, "", append(newest[:4:4], tied(early, mine[0])...)},
		{diner, "?consumer_id=" + consumerID + "&state=APPROVED", mine[1:2]},
		{cook, "?restaurant_id=" + restaurantID + "&limit=2", newest[:2]},
		{support, "?limit=1", []string{foreign.GetOrderId()}},
		{support, "?consumer_id=" + consumerID + "&state=CANCELLED", nil},
	} {
		a := k.get(c.token, "/v1/tracking"+c.query)
		if got := orderIDs(t, a); a.status != 200 || !slices.Equal(got, c.want) {
			t.Errorf("%s as %s: %d %v, want %v", c.query, c.token, a.status, got, c.want)
		}
	}

	var paged []string
	for path, pages := "/v1/tracking?limit=2", 0; path != ""; pages++ {
		a := k.get(diner, path)
		paged = append(paged, orderIDs(t, a)...)
		path = ""
		if next, ok := a.body["_links"].(map[string]any)["next"].(map[string]any); ok {
			path = next["href"].(string)
		}
		if pages > 3 {
			t.Fatal("pages without end")
		}
	}
	if want := append(newest[:4:4], tied(early, mine[0])...); !slices.Equal(paged, want) {
		t.Errorf("page by page %v, want %v", paged, want)
	}
}

// tied are orders of the same instant: the greater id first.
func tied(a, b string) []string {
	both := []string{a, b}
	slices.Sort(both)
	slices.Reverse(both)
	return both
}

func orderIDs(t *testing.T, a answer) []string {
	t.Helper()
	items, ok := a.body["items"].([]any)
	if !ok {
		t.Fatalf("no list: %d %s", a.status, a.raw)
	}
	var all []string
	for _, item := range items {
		all = append(all, item.(map[string]any)["order_id"].(string))
	}
	return all
}

func TestAListIsRefused(t *testing.T) {
	k := open(t)
	for _, c := range []struct {
		token, query string
		status       int
		field        string
	}{
		{"", "", 401, ""},
		{rider, "", 403, ""},
		{cook, "", 400, "restaurant_id"},
		{cook, "?restaurant_id=" + ids.New(), 404, ""},
		{diner, "?consumer_id=" + ids.New(), 404, ""},
		{diner, "?restaurant_id=" + restaurantID, 200, ""}, // one's own orders there
		{support, "?state=NONSENSE", 400, "state"},
		{support, "?consumer_id=x", 400, "consumer_id"},
		{support, "?restaurant_id=X", 400, "restaurant_id"},
		{support, "?limit=0", 400, "limit"},
		{support, "?cursor=x", 400, "cursor"},
		{support, "?cursor=" + web.Cursor{Key: "x", ID: "y"}.In("/v1/tracking"), 400, "cursor"},
	} {
		a := k.get(c.token, "/v1/tracking"+c.query)
		if a.status != c.status || !strings.Contains(a.raw, c.field) {
			t.Errorf("%s as %q: %d %s, want %d and %s", c.query, c.token, a.status, a.raw, c.status, c.field)
		}
	}
}

func TestAnotherModuleGetsTheViewForItsCaller(t *testing.T) {
	k := open(t)
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	as := func(role identity.Role, subject string) error {
		ctx := identity.With(t.Context(), identity.Principal{Subject: subject, Roles: []identity.Role{role}})
		res, err := k.GetView(ctx, &trackingapi.GetViewRequest{OrderId: orderID})
		if err == nil && (res.GetView().GetStatus() != Pending || res.GetBehindMilliseconds() != 0) {
			return errors.New(res.String())
		}
		return err
	}
	if err := as(identity.RoleConsumer, consumerID); err != nil {
		t.Error(err)
	}
	if err := as(identity.RoleConsumer, ids.New()); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("a foreign view: %v", err)
	}
	if _, err := k.GetView(t.Context(), &trackingapi.GetViewRequest{OrderId: orderID}); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("asked by nobody: %v", err)
	}
}

func TestTheAuditCountsViewsByStatus(t *testing.T) {
	k := open(t)
	a, b := ids.New(), ids.New()
	k.publishAll(of(a, placed), of(b, placed), of(b, approved), of(b, droppedOff))
	k.awaitSequence(a, 1)
	k.awaitSequence(b, 3)
	got, err := k.Audit(t.Context())
	must(t, err)
	if len(got) != 11 || got["views_pending"] != 1 || got["views_delivered"] != 1 || got["views_cancelled"] != 0 {
		t.Errorf("audit %v", got)
	}
}

// A view that somebody has broken is an error to its readers, and parks what is heard of it.
func TestADocumentThatCannotBeReadIsReported(t *testing.T) {
	k := open(t)
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	k.write(func(tx *database.Tx) error {
		_, err := tx.Exec(`UPDATE order_view SET document = ?`, []byte{0xff})
		return err
	})
	for _, path := range []string{one, "/v1/tracking"} {
		if a := k.get(diner, path); a.status != http.StatusInternalServerError || a.body["code"] == nil {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
}

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, trackingapi.OpenAPI, map[string]any{
		"Rebuild": rebuildResource{},
		"View":    viewResource{}, "ViewOrder": orderResource{}, "ViewTicket": ticketResource{}, "ViewDelivery": deliveryResource{},
		"ViewPayment": paymentResource{}, "ViewList": web.Collection[viewResource]{}, "CourierPosition": positionResource{},
		"ViewEnd": endResource{},
	})
}
