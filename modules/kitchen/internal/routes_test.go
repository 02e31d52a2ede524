package internal

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/ids"
	"kerf/platform/web"
)

func TestARestaurantTakesATicketFromTheBoardToTheCounter(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	cook, at := o.cook(), "/v1/tickets/"+o.id

	seen := k.get(cook, at).want(http.StatusOK)
	if seen.body["state"] != "AWAITING_ACCEPTANCE" || seen.body["pickup_code"] != "K7" || seen.links()["acceptance"] == nil ||
		seen.links()["readiness"] != nil || seen.header.Get("ETag") != `"2"` {
		t.Errorf("before acceptance: %s", seen.raw)
	}
	for _, step := range []struct{ action, body, state string }{
		{"acceptance", `{"ready_by":"2026-03-02T12:20:00+00:00"}`, "ACCEPTED"},
		{"delay", `{"ready_by":"2026-03-02T13:30:00+01:00"}`, "ACCEPTED"},
		{"preparation", `{}`, "PREPARING"},
		{"readiness", `{}`, "READY"},
		{"hand-over", `{}`, "PICKED_UP"},
	} {
		got := k.post(cook, at+"/"+step.action, step.body).want(http.StatusOK)
		if got.body["state"] != step.state {
			t.Fatalf("after %s: %s", step.action, got.raw)
		}
	}
	last := k.get(cook, at).want(http.StatusOK)
	if last.body["ready_by"] != "2026-03-02T12:30:00Z" || last.body["ready_at"] != "2026-03-02T12:00:00Z" || len(last.links()) != 2 {
		t.Errorf("at the end: %s", last.raw)
	}
	k.wantFacts(o, "TicketCreated", "TicketAccepted", "TicketDelayed", "PreparationStarted", "TicketReady", "TicketHandedOver")
}

func TestARejectionNamesItsReason(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id + "/rejection"
	k.post(o.cook(), at, `{}`).violation("reason")
	k.post(o.cook(), at, `{"reason":"out","missing_item_ids":["steak"]}`).violation("missing_item_ids[0]")
	got := k.post(o.cook(), at, `{"reason":"out of soup","missing_item_ids":["soup"]}`).want(http.StatusOK)
	if got.body["state"] != "REJECTED" || got.body["reason"] != "out of soup" || fmt.Sprint(got.body["missing_item_ids"]) != "[soup]" {
		t.Errorf("got %s", got.raw)
	}
	k.wantFacts(o, "TicketCreated", "TicketRejected")
}

func TestIllegalStepsAreRefusedWithTheState(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	for _, action := range []string{"preparation", "readiness", "hand-over"} {
		k.post(o.cook(), at+"/"+action, `{}`).problem(http.StatusUnprocessableEntity, "ticket_awaiting_acceptance")
	}
	k.post(o.cook(), at+"/acceptance", `{}`).want(http.StatusOK)
	k.post(o.cook(), at+"/acceptance", `{}`).problem(http.StatusUnprocessableEntity, "ticket_accepted")
	_, err := k.begin(o, "c")
	must(t, err)
	k.post(o.cook(), at+"/preparation", `{}`).problem(http.StatusUnprocessableEntity, "cancel_pending")
}

func TestForeignTicketsAreNotFound(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	stranger := newOrder().cook()
	k.get(stranger, at).problem(http.StatusNotFound, "not_found")
	k.get("courier+"+ids.New(), at).problem(http.StatusNotFound, "not_found")
	k.post(stranger, at+"/acceptance", `{}`).problem(http.StatusNotFound, "not_found")
	k.get(stranger, "/v1/tickets?restaurant_id="+o.restaurant).problem(http.StatusNotFound, "not_found")
	k.get(o.cook(), "/v1/tickets/"+ids.New()).problem(http.StatusNotFound, "not_found")
	k.get(o.cook(), "/v1/tickets/seven").problem(http.StatusNotFound, "not_found")

	hidden := k.created()
	k.get(hidden.cook(), "/v1/tickets/"+hidden.id).problem(http.StatusNotFound, "not_found")
	k.post(hidden.cook(), "/v1/tickets/"+hidden.id+"/acceptance", `{}`).problem(http.StatusNotFound, "not_found")
	k.wantState(o, kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE)
}

func TestWhoMayNotAct(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id + "/acceptance"
	k.post("", at, `{}`).problem(http.StatusUnauthorized, "unauthenticated")
	k.post("consumer+"+o.consumer, at, `{}`).problem(http.StatusForbidden, "forbidden")
	k.post("support+"+ids.New(), at, `{}`).problem(http.StatusForbidden, "forbidden")
	seen := k.get("consumer+"+o.consumer, "/v1/tickets/"+o.id).want(http.StatusOK)
	if seen.body["pickup_code"] != nil || len(seen.links()) != 2 {
		t.Errorf("the consumer sees %s", seen.raw)
	}
}

func TestAnActionMayStateTheVersionItSaw(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	k.post(o.cook(), at+"/acceptance", `{}`, "If-Match", `"1"`).problem(http.StatusPreconditionFailed, "stale")
	k.post(o.cook(), at+"/acceptance", `{}`, "If-Match", `"2"`).want(http.StatusOK)
	etag := k.get(o.cook(), at).header.Get("ETag")
	k.get(o.cook(), at, "If-None-Match", etag).want(http.StatusNotModified)
}

func TestARepeatedActionGetsTheFirstAnswer(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	cook, at := o.cook(), "/v1/tickets/"+o.id+"/acceptance"
	first := k.post(cook, at, `{}`, "Idempotency-Key", "one").want(http.StatusOK)
	k.post(cook, "/v1/tickets/"+o.id+"/preparation", `{}`, "Idempotency-Key", "one").want(http.StatusOK)
	again := k.post(cook, at, `{}`, "Idempotency-Key", "one").want(http.StatusOK)
	if string(first.raw) != string(again.raw) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the repeat got %s", again.raw)
	}
	k.post(cook, at, `{"ready_by":"2026-03-02T12:20:00Z"}`, "Idempotency-Key", "one").
		problem(http.StatusUnprocessableEntity, "idempotency_key_reused")
	k.do(cook, http.MethodPost, at, `{}`).problem(http.StatusBadRequest, "idempotency_key")
}

func TestMalformedRequestsNameTheField(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	at := "/v1/tickets/" + o.id
	k.post(o.cook(), at+"/acceptance", `{"ready_by":"soon"}`).violation("ready_by")
	k.post(o.cook(), at+"/acceptance", `{"ready_by":"2020-01-01T00:00:00Z"}`).violation("ready_by")
	k.post(o.cook(), at+"/acceptance", `{"readyBy":"2026-03-02T12:20:00Z"}`).violation("readyBy")
	k.post(o.cook(), at+"/delay", `{}`).violation("ready_by")
	k.get(o.cook(), "/v1/tickets").violation("restaurant_id")
	k.get(o.cook(), "/v1/tickets?state=COLD&restaurant_id="+o.restaurant).violation("state")
	k.get(o.cook(), "/v1/tickets?state=CREATED&restaurant_id="+o.restaurant).violation("state")
	k.get(o.cook(), "/v1/tickets?limit=0&restaurant_id="+o.restaurant).violation("limit")
	k.get(o.cook(), "/v1/tickets?cursor="+web.Cursor{Key: "soon", ID: "x"}.String()+"&restaurant_id="+o.restaurant).violation("cursor")
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
	k.post(here.cook(), "/v1/tickets/"+want[2]+"/rejection", `{"reason":"busy"}`).want(http.StatusOK)

	list := func(path string) (ids []string) {
		for path != "" {
			page := k.get(here.cook(), path).want(http.StatusOK)
			for _, item := range page.body["items"].([]any) {
				ids = append(ids, item.(map[string]any)["id"].(string))
			}
			path = ""
			if next, ok := page.links()["next"].(map[string]any); ok {
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
	k.get("support+"+ids.New(), at).want(http.StatusOK)
	if empty := k.get(newOrder().cook(), at); empty.status != http.StatusNotFound {
		t.Errorf("a foreign board: %d", empty.status)
	}
}

func TestAKitchenWorksOnAsManyTicketsAsItsCapacity(t *testing.T) {
	k := open(t)
	o := k.accepted()
	cook, at := o.cook(), "/v1/kitchens/"+o.restaurant
	fresh := k.get(cook, at).want(http.StatusOK)
	if fresh.body["capacity"] != 0.0 || fresh.header.Get("ETag") != `"1"` {
		t.Errorf("nobody set it: %s", fresh.raw)
	}
	put := func(token, body string, headers ...string) *answer {
		return k.do(token, http.MethodPut, at, body, append([]string{"Idempotency-Key", ids.New()}, headers...)...)
	}
	put(cook, `{"capacity":1}`).problem(http.StatusPreconditionRequired, "if_match_required")
	put(cook, `{"capacity":-1}`, "If-Match", `"1"`).violation("capacity")
	put(cook, `{}`, "If-Match", `"1"`).violation("capacity")
	put(newOrder().cook(), `{"capacity":1}`, "If-Match", `"1"`).problem(http.StatusNotFound, "not_found")
	put("support+"+ids.New(), `{"capacity":1}`, "If-Match", `"1"`).problem(http.StatusForbidden, "forbidden")
	put(cook, `{"capacity":1}`, "If-Match", `"1"`).want(http.StatusOK)
	put(cook, `{"capacity":2}`, "If-Match", `"1"`).problem(http.StatusPreconditionFailed, "stale")

	more := newOrder()
	more.restaurant = o.restaurant
	_, err := k.CreateTicket(k.ctx, more.ticket(ids.New()))
	must(t, err)
	_, err = k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: ids.New(), OrderId: more.id})
	must(t, err)
	k.post(cook, "/v1/tickets/"+more.id+"/acceptance", `{}`).want(http.StatusOK)
	k.post(cook, "/v1/tickets/"+o.id+"/preparation", `{}`).want(http.StatusOK)
	k.post(cook, "/v1/tickets/"+more.id+"/preparation", `{}`).problem(http.StatusUnprocessableEntity, "kitchen_full")
	_, err = k.begin(o, "c") // held by a cancel it still occupies the kitchen
	must(t, err)
	k.post(cook, "/v1/tickets/"+more.id+"/preparation", `{}`).problem(http.StatusUnprocessableEntity, "kitchen_full")
	must(t, k.confirm(o, "c"))
	k.post(cook, "/v1/tickets/"+more.id+"/preparation", `{}`).want(http.StatusOK)
}
