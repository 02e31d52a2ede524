package internal

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/ids"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

func TestARestaurantTakesATicketFromTheBoardToTheCounter(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	cook, at := o.cook(), "/v1/tickets/"+o.id

	seen := k.Get(cook, at).Want(http.StatusOK)
	if seen.Body["state"] != "AWAITING_ACCEPTANCE" || seen.Body["pickup_code"] != "K7" || seen.Links()["acceptance"] == nil ||
		seen.Links()["readiness"] != nil || seen.Header.Get("ETag") != `"2"` {
		t.Errorf("before acceptance: %s", seen.Raw)
	}
	for _, step := range []struct{ action, body, state string }{
		{"acceptance", `{"ready_by":"2026-03-02T12:20:00+00:00"}`, "ACCEPTED"},
		{"delay", `{"ready_by":"2026-03-02T13:30:00+01:00"}`, "ACCEPTED"},
		{"preparation", `{}`, "PREPARING"},
		{"readiness", `{}`, "READY"},
		{"hand-over", `{}`, "PICKED_UP"},
	} {
		got := k.Post(cook, at+"/"+step.action, step.body).Want(http.StatusOK)
		if got.Body["state"] != step.state {
			t.Fatalf("after %s: %s", step.action, got.Raw)
		}
	}
	last := k.Get(cook, at).Want(http.StatusOK)
	if last.Body["ready_by"] != "2026-03-02T12:30:00Z" || last.Body["ready_at"] != "2026-03-02T12:00:00Z" || len(last.Links()) != 2 {
		t.Errorf("at the end: %s", last.Raw)
	}
	k.wantFacts(o, "TicketCreated", "TicketAccepted", "TicketDelayed", "PreparationStarted", "TicketReady", "TicketHandedOver")
}

func TestARejectionNamesItsReason(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id + "/rejection"
	k.Post(o.cook(), at, `{}`).Violation("reason")
	k.Post(o.cook(), at, `{"reason":"out","missing_item_ids":["steak"]}`).Violation("missing_item_ids[0]")
	got := k.Post(o.cook(), at, `{"reason":"out of soup","missing_item_ids":["soup"]}`).Want(http.StatusOK)
	if got.Body["state"] != "REJECTED" || got.Body["reason"] != "out of soup" || fmt.Sprint(got.Body["missing_item_ids"]) != "[soup]" {
		t.Errorf("got %s", got.Raw)
	}
	k.wantFacts(o, "TicketCreated", "TicketRejected")
}

func TestIllegalStepsAreRefusedWithTheState(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	for _, action := range []string{"preparation", "readiness", "hand-over"} {
		k.Post(o.cook(), at+"/"+action, `{}`).Problem(http.StatusUnprocessableEntity, "ticket_awaiting_acceptance")
	}
	k.Post(o.cook(), at+"/acceptance", `{}`).Want(http.StatusOK)
	k.Post(o.cook(), at+"/acceptance", `{}`).Problem(http.StatusUnprocessableEntity, "ticket_accepted")
	_, err := k.begin(o, "c")
	must(t, err)
	k.Post(o.cook(), at+"/preparation", `{}`).Problem(http.StatusUnprocessableEntity, "cancel_pending")
}

func TestForeignTicketsAreNotFound(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	stranger := newOrder().cook()
	k.Get(stranger, at).Problem(http.StatusNotFound, "not_found")
	k.Get("courier+"+ids.New(), at).Problem(http.StatusNotFound, "not_found")
	k.Post(stranger, at+"/acceptance", `{}`).Problem(http.StatusNotFound, "not_found")
	k.Get(stranger, "/v1/tickets?restaurant_id="+o.restaurant).Problem(http.StatusNotFound, "not_found")
	k.Get(o.cook(), "/v1/tickets/"+ids.New()).Problem(http.StatusNotFound, "not_found")
	k.Get(o.cook(), "/v1/tickets/seven").Problem(http.StatusNotFound, "not_found")

	hidden := k.created()
	k.Get(hidden.cook(), "/v1/tickets/"+hidden.id).Problem(http.StatusNotFound, "not_found")
	k.Post(hidden.cook(), "/v1/tickets/"+hidden.id+"/acceptance", `{}`).Problem(http.StatusNotFound, "not_found")
	k.wantState(o, kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE)
}

func TestWhoMayNotAct(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id + "/acceptance"
	k.Post("", at, `{}`).Problem(http.StatusUnauthorized, "unauthenticated")
	k.Post("consumer+"+o.consumer, at, `{}`).Problem(http.StatusForbidden, "forbidden")
	k.Post("support+"+ids.New(), at, `{}`).Problem(http.StatusForbidden, "forbidden")
	seen := k.Get("consumer+"+o.consumer, "/v1/tickets/"+o.id).Want(http.StatusOK)
	if seen.Body["pickup_code"] != nil || len(seen.Links()) != 2 {
		t.Errorf("the consumer sees %s", seen.Raw)
	}
}

func TestAnActionMayStateTheVersionItSaw(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	k.Post(o.cook(), at+"/acceptance", `{}`, "If-Match", `"1"`).Problem(http.StatusPreconditionFailed, "stale")
	k.Post(o.cook(), at+"/acceptance", `{}`, "If-Match", `"2"`).Want(http.StatusOK)
	etag := k.Get(o.cook(), at).Header.Get("ETag")
	k.Get(o.cook(), at, "If-None-Match", etag).Want(http.StatusNotModified)
}

func TestARepeatedActionGetsTheFirstAnswer(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	cook, at := o.cook(), "/v1/tickets/"+o.id+"/acceptance"
	first := k.Post(cook, at, `{}`, "Idempotency-Key", "one").Want(http.StatusOK)
	k.Post(cook, "/v1/tickets/"+o.id+"/preparation", `{}`, "Idempotency-Key", "one").Want(http.StatusOK)
	again := k.Post(cook, at, `{}`, "Idempotency-Key", "one").Want(http.StatusOK)
	if string(first.Raw) != string(again.Raw) || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the repeat got %s", again.Raw)
	}
	k.Post(cook, at, `{"ready_by":"2026-03-02T12:20:00Z"}`, "Idempotency-Key", "one").
		Problem(http.StatusUnprocessableEntity, "idempotency_key_reused")
	k.Do(cook, http.MethodPost, at, `{}`).Problem(http.StatusBadRequest, "idempotency_key")
}

func TestMalformedRequestsNameTheField(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	k.Post(o.cook(), at+"/acceptance", `{"ready_by":"soon"}`).Violation("ready_by")
	k.Post(o.cook(), at+"/acceptance", `{"ready_by":"2020-01-01T00:00:00Z"}`).Violation("ready_by")
	k.Post(o.cook(), at+"/acceptance", `{"readyBy":"2026-03-02T12:20:00Z"}`).Violation("readyBy")
	k.Post(o.cook(), at+"/delay", `{}`).Violation("ready_by")
	k.Get(o.cook(), "/v1/tickets").Violation("restaurant_id")
	k.Get(o.cook(), "/v1/tickets?state=COLD&restaurant_id="+o.restaurant).Violation("state")
	k.Get(o.cook(), "/v1/tickets?state=CREATED&restaurant_id="+o.restaurant).Violation("state")
	k.Get(o.cook(), "/v1/tickets?limit=0&restaurant_id="+o.restaurant).Violation("limit")
	k.Get(o.cook(), "/v1/tickets?cursor="+web.Cursor{Key: "soon", ID: "x"}.In("/v1/tickets")+"&restaurant_id="+o.restaurant).Violation("cursor")
}

func TestTheBoardShowsOpenTicketsOldestFirstPageByPage(t *testing.T) {
	k := open(t)
	here := newOrder()
	var want []string
	for range 5 {
		o := newOrder()
		o.restaurant = here.restaurant
		_, err := k.CreateTicket(k.ctx, o.ticket(ids.New()))
		must(t, err)
		_, err = k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: ids.New(), OrderId: o.id})
		must(t, err)
		want = append(want, o.id)
		k.clock.Advance(time.Second)
	}
	unconfirmed := newOrder()
	unconfirmed.restaurant = here.restaurant
	_, err := k.CreateTicket(k.ctx, unconfirmed.ticket(ids.New()))
	must(t, err)
	k.awaiting() // another restaurant's
	k.Post(here.cook(), "/v1/tickets/"+want[2]+"/rejection", `{"reason":"busy"}`).Want(http.StatusOK)

	list := func(path string) (ids []string) {
		for path != "" {
			page := k.Get(here.cook(), path).Want(http.StatusOK)
			for _, item := range page.Body["items"].([]any) {
				ids = append(ids, item.(map[string]any)["id"].(string))
			}
			path = ""
			if next, ok := page.Links()["next"].(map[string]any); ok {
				path = next["href"].(string)
			}
		}
		return ids
	}
	at := "/v1/tickets?limit=2&restaurant_id=" + here.restaurant
	if got := list(at); fmt.Sprint(got) != fmt.Sprint([]string{want[0], want[1], want[3], want[4]}) {
		t.Errorf("open: %v, want %v less the third", got, want)
	}
	if got := list(at + "&state=REJECTED"); fmt.Sprint(got) != fmt.Sprint(want[2:3]) {
		t.Errorf("rejected: %v", got)
	}
	k.Get("support+"+ids.New(), at).Want(http.StatusOK)
	if empty := k.Get(newOrder().cook(), at); empty.Status != http.StatusNotFound {
		t.Errorf("a foreign board: %d", empty.Status)
	}
}

func TestAKitchenWorksOnAsManyTicketsAsItsCapacity(t *testing.T) {
	k := open(t)
	o := k.accepted()
	cook, at := o.cook(), "/v1/kitchens/"+o.restaurant
	fresh := k.Get(cook, at).Want(http.StatusOK)
	if fresh.Body["capacity"] != 0.0 || fresh.Header.Get("ETag") != `"1"` {
		t.Errorf("nobody set it: %s", fresh.Raw)
	}
	put := func(token, body string, headers ...string) *webtest.Answer {
		return k.Do(token, http.MethodPut, at, body, append([]string{"Idempotency-Key", ids.New()}, headers...)...)
	}
	put(cook, `{"capacity":1}`).Problem(http.StatusPreconditionRequired, "if_match_required")
	put(cook, `{"capacity":-1}`, "If-Match", `"1"`).Violation("capacity")
	put(cook, `{}`, "If-Match", `"1"`).Violation("capacity")
	put(newOrder().cook(), `{"capacity":1}`, "If-Match", `"1"`).Problem(http.StatusNotFound, "not_found")
	put("support+"+ids.New(), `{"capacity":1}`, "If-Match", `"1"`).Problem(http.StatusForbidden, "forbidden")
	put(cook, `{"capacity":1}`, "If-Match", `"1"`).Want(http.StatusOK)
	put(cook, `{"capacity":2}`, "If-Match", `"1"`).Problem(http.StatusPreconditionFailed, "stale")

	more := newOrder()
	more.restaurant = o.restaurant
	_, err := k.CreateTicket(k.ctx, more.ticket(ids.New()))
	must(t, err)
	_, err = k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: ids.New(), OrderId: more.id})
	must(t, err)
	k.Post(cook, "/v1/tickets/"+more.id+"/acceptance", `{}`).Want(http.StatusOK)
	k.Post(cook, "/v1/tickets/"+o.id+"/preparation", `{}`).Want(http.StatusOK)
	k.Post(cook, "/v1/tickets/"+more.id+"/preparation", `{}`).Problem(http.StatusUnprocessableEntity, "kitchen_full")
	_, err = k.begin(o, "c") // held by a cancel it still occupies the kitchen
	must(t, err)
	k.Post(cook, "/v1/tickets/"+more.id+"/preparation", `{}`).Problem(http.StatusUnprocessableEntity, "kitchen_full")
	must(t, k.confirm(o, "c"))
	k.Post(cook, "/v1/tickets/"+more.id+"/preparation", `{}`).Want(http.StatusOK)
}
