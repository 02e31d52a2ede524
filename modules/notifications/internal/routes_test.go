package internal

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/modules/notifications/notificationsapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

func TestAnInboxIsForItsOwnerAndForSupport(t *testing.T) {
	k := open(t)
	o := k.order("en")
	k.publish(o.approved())
	k.awaitStates(o.consumer, Sent)
	k.awaitStates(o.restaurant, Sent)
	for _, c := range []struct {
		token, query string
		status       int
		about        string
	}{
		{"consumer+" + o.consumer, "", 200, "Your order is placed"},
		{"consumer+" + o.consumer, "?recipient_id=" + o.consumer, 200, "Your order is placed"},
		{"restaurant+staff+" + o.restaurant, "?recipient_id=" + o.restaurant, 200, "A new order waits"},
		{"restaurant+staff+" + o.restaurant, "", 200, ""},
		{"support+ann", "?recipient_id=" + o.consumer, 200, "Your order is placed"},
		{"consumer+" + ids.New(), "?recipient_id=" + o.consumer, 404, ""},
		{"consumer+" + o.consumer, "?recipient_id=" + o.restaurant, 404, ""},
		{"consumer+" + o.consumer, "?recipient_id=x", 400, ""},
		{"consumer+" + o.consumer, "?limit=101", 400, ""},
		{"", "", 401, ""},
	} {
		a := k.Get(c.token, "/v1/notifications"+c.query)
		if a.Status != c.status {
			t.Errorf("%s as %q: %d %s, want %d", c.query, c.token, a.Status, a.Raw, c.status)
		}
		if c.about != "" && (len(a.Items()) != 1 || a.Items()[0]["title"] != c.about) {
			t.Errorf("%s as %q: %s, want %q", c.query, c.token, a.Raw, c.about)
		}
	}
	if raw := k.Get("consumer+"+o.consumer, "/v1/notifications").Raw; strings.Contains(raw, "Anna") || strings.Contains(raw, "anna@") {
		t.Errorf("personal data: %s", raw)
	}
}

func TestAnInboxHoldsWhatWasSentAndSupportSeesTheRest(t *testing.T) {
	k := open(t)
	o := k.order("en", "in_app")
	k.publish(o.approved())
	k.awaitStates(o.consumer, Suppressed)
	if a := k.Get("consumer+"+o.consumer, "/v1/notifications"); len(a.Items()) != 0 {
		t.Errorf("the consumer sees %s", a.Raw)
	}
	a := k.Get("support+ann", "/v1/notifications?recipient_id="+o.consumer)
	if len(a.Items()) != 1 || a.Items()[0]["state"] != "SUPPRESSED" {
		t.Errorf("support sees %s", a.Raw)
	}
	id := fmt.Sprint(a.Items()[0]["id"])
	if a := k.Do("consumer+"+o.consumer, "POST", "/v1/notifications/"+id+"/read", "{}", "Idempotency-Key", "1"); a.Status != 404 {
		t.Errorf("what was not sent was read: %d %s", a.Status, a.Raw)
	}
}

func TestAnInboxIsPagedNewestFirst(t *testing.T) {
	k := open(t)
	consumer := k.consumer("en")
	var want []string
	for range 5 {
		o := order{ids.New(), consumer, "", ids.New()}
		want = append([]string{o.id}, want...)
		k.publish(o.pickedUp())
	}
	k.awaitStates(consumer, Sent, Sent, Sent, Sent, Sent)
	var got []string
	for path := "/v1/notifications?limit=2"; path != "" && len(got) < 10; {
		a := k.Get("consumer+"+consumer, path)
		for _, item := range a.Items() {
			got = append(got, item["order_id"].(string))
		}
		path = ""
		if next, ok := a.Body["_links"].(map[string]any)["next"].(map[string]any); ok {
			path = next["href"].(string)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReadingKeepsTheFirstTime(t *testing.T) {
	k := open(t)
	o := k.order("en")
	k.publish(o.approved())
	n := k.awaitStates(o.consumer, Sent)[0]
	me, path := "consumer+"+o.consumer, "/v1/notifications/"+n.ID+"/read"
	item := k.Get(me, "/v1/notifications").Items()[0]
	if link := item["_links"].(map[string]any)["read"].(map[string]any); link["href"] != path || link["method"] != "POST" || item["read_at"] != nil {
		t.Errorf("unread: %v", item)
	}
	k.clock.Advance(time.Minute)
	first := k.Do(me, "POST", path, "{}", "Idempotency-Key", "first")
	if first.Status != 200 || first.Body["read_at"] != "2026-03-01T12:01:00Z" || first.Body["_links"].(map[string]any)["read"] != nil {
		t.Errorf("read: %d %s", first.Status, first.Raw)
	}
	k.clock.Advance(time.Minute)
	if again := k.Do(me, "POST", path, "{}", "Idempotency-Key", "second"); again.Body["read_at"] != "2026-03-01T12:01:00Z" {
		t.Errorf("read again: %d %s", again.Status, again.Raw)
	}
	if replay := k.Do(me, "POST", path, "{}", "Idempotency-Key", "first"); replay.Raw != first.Raw || replay.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated: %d %s", replay.Status, replay.Raw)
	}
	for _, c := range []struct {
		token, path, body, key string
		status                 int
	}{
		{"consumer+" + ids.New(), path, "{}", "1", 404},
		{"support+ann", path, "{}", "1", 404}, // it is not support's to read
		{me, "/v1/notifications/" + ids.New() + "/read", "{}", "1", 404},
		{me, "/v1/notifications/x/read", "{}", "2", 404},
		{me, path, `{"x":1}`, "3", 400},
		{me, path, "{}", "", 400},
		{"", path, "{}", "1", 401},
	} {
		headers := []string{"Idempotency-Key", c.key}
		if c.key == "" {
			headers = nil
		}
		if a := k.Do(c.token, "POST", c.path, c.body, headers...); a.Status != c.status || a.Body["code"] == nil {
			t.Errorf("%s %s as %q: %d %s, want %d", c.path, c.body, c.token, a.Status, a.Raw, c.status)
		}
	}
}

func TestAnotherModuleListsAnInboxForItsCaller(t *testing.T) {
	k := open(t)
	consumer := k.consumer("de")
	for range 3 {
		k.publish(order{ids.New(), consumer, "", ids.New()}.pickedUp())
	}
	k.awaitStates(consumer, Sent, Sent, Sent)
	list := func(subject, recipient, after string, limit int32) ([]*notificationsapi.Notification, error) {
		ctx := identity.With(t.Context(), identity.Principal{Subject: subject, Roles: []identity.Role{identity.RoleConsumer}})
		res, err := k.ListNotifications(ctx, &notificationsapi.ListNotificationsRequest{RecipientId: recipient, After: after, Limit: limit})
		return res.GetNotifications(), err
	}
	first, err := list(consumer, consumer, "", 2)
	must(t, err)
	rest, err := list(consumer, consumer, first[1].GetNotificationId(), 2)
	must(t, err)
	if len(first) != 2 || len(rest) != 1 || rest[0].GetTitle() != "Deine Bestellung ist unterwegs" || rest[0].GetReadAt() != nil ||
		rest[0].GetState() != notificationsapi.NotificationState_NOTIFICATION_STATE_SENT || rest[0].GetNotificationId() == first[1].GetNotificationId() {
		t.Errorf("first %v, rest %v", first, rest)
	}
	for _, c := range []struct {
		subject, recipient, after string
		limit                     int32
		kind                      fault.Kind
	}{
		{ids.New(), consumer, "", 1, fault.KindNotFound},
		{consumer, "", "", 1, fault.KindInvalid},
		{consumer, consumer, "", 0, fault.KindInvalid},
		{consumer, consumer, "", 101, fault.KindInvalid},
		{consumer, consumer, ids.New(), 1, fault.KindInvalid},
	} {
		if _, err := list(c.subject, c.recipient, c.after, c.limit); fault.KindOf(err) != c.kind {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestTheAuditCountsNotificationsByState(t *testing.T) {
	k := open(t)
	sent, muted := k.order("en"), k.order("en", "in_app")
	gone := order{ids.New(), ids.New(), "", ids.New()}
	for _, o := range []order{sent, muted, gone} {
		k.publish(o.pickedUp())
	}
	k.awaitStates(sent.consumer, Sent)
	k.awaitStates(muted.consumer, Suppressed)
	k.awaitStates(gone.consumer, Failed)
	got, err := k.Audit(t.Context())
	must(t, err)
	want := map[string]int64{"notifications_pending": 0, "notifications_sent": 1, "notifications_failed": 1, "notifications_suppressed": 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("audit %v, want %v", got, want)
	}
}

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, notificationsapi.OpenAPI, map[string]any{
		"Notification": notificationResource{}, "NotificationList": web.Collection[notificationResource]{},
	})
}

func TestANotificationLeadsToTheOrderOnlyThoseWhoKeepIt(t *testing.T) {
	n := &Notification{ID: ids.New(), RecipientID: ids.New(), OrderID: ids.New(), State: Sent}
	for role, want := range map[identity.Role]bool{
		identity.RoleConsumer: true, identity.RoleRestaurant: true, identity.RoleSupport: true, identity.RoleAdmin: true,
		identity.RoleCourier: false, // from whom an order may be taken
	} {
		r := resourceOf(n, identity.Principal{Subject: n.RecipientID, Roles: []identity.Role{role}})
		if _, has := r.Links["tracking"]; has != want {
			t.Errorf("%s is led to the order: %t", role, has)
		}
	}
}
