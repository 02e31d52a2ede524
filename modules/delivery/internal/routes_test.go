package internal

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/ids"
)

func TestFromOfferToDoor(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(Offered)
	app := b.as(courierID)

	offer := b.want(200, app.get("/v1/couriers/"+courierID))
	if offer.field("state") != "BUSY" || offer.field("delivery.order_id") != orderID || offer.field("delivery.state") != "OFFERED" ||
		offer.field("delivery.offer_expires_at") != "2026-03-02T12:05:00Z" || offer.field("delivery._links.acceptance.method") != "POST" ||
		offer.field("delivery._links.pickup") != nil {
		t.Errorf("the courier sees %s", offer.body)
	}
	if got := b.by("support:s").get("/v1/deliveries/" + orderID); got.field("courier_id") != nil {
		t.Errorf("an offer is shown as an assignment: %s", got.body)
	}

	accepted := b.want(200, app.act(orderID, "acceptance", `{}`))
	if accepted.field("state") != "ASSIGNED" || accepted.field("courier_id") != courierID || accepted.field("offer_expires_at") != nil {
		t.Errorf("accepted: %s", accepted.body)
	}
	b.clock.Advance(3 * time.Minute)
	b.want(200, app.act(orderID, "arrival-at-pickup", `{}`))
	b.clock.Advance(2 * time.Minute)
	b.want(200, app.act(orderID, "pickup", `{"code":"1234"}`))
	b.clock.Advance(10 * time.Minute)
	b.want(200, app.act(orderID, "arrival-at-dropoff", `{}`))
	b.clock.Advance(time.Minute)
	done := b.want(200, app.act(orderID, "dropoff", `{"pin":"9876"}`))
	if done.field("state") != "DELIVERED" || done.field("delivered_at") != "2026-03-02T12:16:00Z" || done.field("picked_up_at") != "2026-03-02T12:05:00Z" {
		t.Errorf("delivered: %s", done.body)
	}

	b.wantCourier(courierID, Available)
	b.wantConsistent()
	if names := b.names(orderID); names != "DeliveryScheduled CourierAssigned CourierArrived OrderPickedUp CourierArrived OrderDroppedOff" {
		t.Errorf("published %s", names)
	}
	for _, event := range b.published(orderID) {
		switch e := event.(type) {
		case *deliveryapi.OrderPickedUp:
			if e.CourierId != courierID || !e.PickedUpAt.AsTime().Equal(noon.Add(5*time.Minute)) {
				t.Errorf("published %v", e)
			}
		case *deliveryapi.OrderDroppedOff:
			if e.CourierId != courierID || !e.DeliveredAt.AsTime().Equal(noon.Add(16*time.Minute)) {
				t.Errorf("published %v", e)
			}
		}
	}
	if got := app.get("/v1/couriers/" + courierID); got.field("delivery") != nil || got.field("state") != "AVAILABLE" {
		t.Errorf("the courier sees %s", got.body)
	}
}

func TestWhatACourierDoesOutOfTurnIsRefused(t *testing.T) {
	bodies := map[string]string{"pickup": `{"code":"1234"}`, "dropoff": `{"pin":"9876"}`, "failure": `{"reason":"damaged"}`}
	for _, state := range []State{Offered, Assigned, AtPickup, PickedUp, AtDropoff, Delivered} {
		b := newBench(t)
		orderID, courierID := b.reach(state)
		before := b.delivery(orderID)
		for _, a := range actions {
			if _, allowed := machine[occasion{state, a.trigger}]; allowed || a.trigger == Reassign {
				continue
			}
			body := bodies[a.path]
			if body == "" {
				body = `{}`
			}
			b.wantProblem(b.as(courierID).act(orderID, a.path, body), 422, "delivery_"+strings.ToLower(string(state)))
		}
		if after := b.delivery(orderID); *after != *before {
			t.Errorf("%s: a refusal changed %+v into %+v", state, before, after)
		}
	}
}

func TestADeclinedOfferGoesToSomebodyElse(t *testing.T) {
	b := newBench(t)
	orderID, first := b.reach(Offered)
	b.want(200, b.as(first).act(orderID, "decline", `{}`))
	b.wantCourier(first, Available)
	if left := b.round(); left != 1 {
		t.Error("asked again at once")
	}
	b.wantState(orderID, Unassigned)
	second := b.courier(at(5))
	b.round()
	if d := b.delivery(orderID); d.CourierID != second {
		t.Errorf("offered to %q, want %q", d.CourierID, second)
	}
	b.want(200, b.as(second).act(orderID, "decline", `{}`))
	b.clock.Advance(11 * time.Minute)
	b.round()
	if d := b.delivery(orderID); d.CourierID != first {
		t.Errorf("after a while offered to %q, want %q again", d.CourierID, first)
	}
	unassigned := b.published(orderID)[1].(*deliveryapi.CourierUnassigned)
	if unassigned.CourierId != first || unassigned.Reason != "declined" {
		t.Errorf("published %v", unassigned)
	}
	b.wantConsistent()
}

func TestTheEndOfAShiftGivesBackWhatIsNotPickedUp(t *testing.T) {
	for _, state := range []State{Offered, Assigned, AtPickup} {
		b := newBench(t)
		orderID, courierID := b.reach(state)
		got := b.want(200, b.as(courierID).post("/v1/couriers/"+courierID+"/shift-end", `{}`))
		if got.field("state") != "OFFLINE" || got.field("delivery") != nil {
			t.Errorf("%s: %s", state, got.body)
		}
		b.wantState(orderID, Unassigned)
		b.wantCourier(courierID, Offline)
		b.wantConsistent()
		events := b.published(orderID)
		if !strings.Contains(b.names(orderID), "CourierUnassigned") {
			t.Errorf("%s: published %v", state, events)
		}
		b.want(404, b.as(courierID).act(orderID, "acceptance", `{}`))
		if b.round() != 1 {
			t.Errorf("%s: somebody off shift was asked", state)
		}
	}
	for _, state := range []State{PickedUp, AtDropoff} {
		b := newBench(t)
		orderID, courierID := b.reach(state)
		b.wantProblem(b.as(courierID).post("/v1/couriers/"+courierID+"/shift-end", `{}`), 422, "courier_carries")
		b.wantState(orderID, state)
		b.wantCourier(courierID, Busy)
	}
}

func TestAShift(t *testing.T) {
	b := newBench(t)
	courierID := b.courier(counter)
	app := b.as(courierID)
	b.wantProblem(app.post("/v1/couriers/"+courierID+"/shift", positionJSON(counter)), 422, "courier_on_shift")
	b.want(200, app.post("/v1/couriers/"+courierID+"/shift-end", `{}`))
	b.wantProblem(app.post("/v1/couriers/"+courierID+"/shift-end", `{}`), 422, "courier_offline")
	b.wantProblem(app.post("/v1/couriers", `{}`), 422, "courier_exists")
	b.wantProblem(app.post("/v1/couriers/"+courierID+"/shift", `{"position":{"latitude":91,"longitude":0}}`), 400, "invalid")
	b.wantProblem(app.post("/v1/couriers/"+courierID+"/shift", `{}`), 400, "invalid")
	b.want(200, app.post("/v1/couriers/"+courierID+"/shift", positionJSON(door)))
	if c := b.row(courierID); c.Position.Distance(door) > 1 {
		t.Errorf("on shift at %v", c.Position)
	}
}

func TestAFailedDeliveryKeepsItsCourierUntilTheFoodIsBack(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(AtDropoff)
	app := b.as(courierID)
	b.wantProblem(app.act(orderID, "failure", `{"reason":"bored"}`), 400, "invalid")
	b.want(200, app.act(orderID, "failure", `{"reason":"consumer_absent"}`))
	b.wantCourier(courierID, Busy)
	b.wantProblem(app.post("/v1/couriers/"+courierID+"/shift-end", `{}`), 422, "courier_carries")
	b.want(403, b.by("consumer:"+ids.New()).act(orderID, "return", `{}`))
	b.want(200, b.by("support:s").act(orderID, "return", `{}`))
	b.wantState(orderID, Returned)
	b.wantCourier(courierID, Available)
	b.wantConsistent()
	events := b.published(orderID)
	if failed, ok := events[len(events)-1].(*deliveryapi.DeliveryFailed); !ok || failed.Reason != "consumer_absent" || failed.CourierId != courierID {
		t.Errorf("published %v", events)
	}
}

func TestSupportReassigns(t *testing.T) {
	for _, state := range []State{Offered, Assigned, AtPickup} {
		b := newBench(t)
		orderID, courierID := b.reach(state)
		b.want(403, b.as(courierID).act(orderID, "reassignment", `{}`))
		b.want(200, b.by("support:s").act(orderID, "reassignment", `{}`))
		b.wantState(orderID, Unassigned)
		b.wantCourier(courierID, Available)
		b.wantConsistent()
		b.round()
		b.wantState(orderID, Unassigned) // not offered to the same courier at once
	}
	b := newBench(t)
	orderID, _ := b.reach(PickedUp)
	b.wantProblem(b.by("support:s").act(orderID, "reassignment", `{}`), 422, "delivery_picked_up")
}

func TestAForeignCourierFindsNothing(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(AtPickup)
	stranger := b.as(b.courier(door))
	for _, a := range actions {
		body := map[string]string{"pickup": `{"code":"1234"}`, "dropoff": `{"pin":"9876"}`, "failure": `{"reason":"damaged"}`}[a.path]
		if body == "" {
			body = `{}`
		}
		if a.trigger == Reassign {
			continue
		}
		b.wantProblem(stranger.act(orderID, a.path, body), 404, "not_found")
	}
	for _, c := range []caller{stranger, b.by("courier:nobody")} {
		b.want(404, c.get("/v1/couriers/"+courierID))
		b.want(404, c.report(courierID, counter, 1))
		b.want(404, c.post("/v1/couriers/"+courierID+"/shift-end", `{}`))
		b.want(404, c.get("/v1/deliveries/"+orderID))
	}
	b.want(403, b.by("consumer:"+courierID).get("/v1/couriers/"+courierID))
	b.want(404, b.as(courierID).act(ids.New(), "acceptance", `{}`))
	b.want(404, b.as(courierID).act("nonsense", "acceptance", `{}`))
	b.want(404, b.by("support:s").get("/v1/couriers/"+ids.New()))
	if d := b.delivery(orderID); d.WrongCodes != 0 {
		t.Errorf("a stranger's codes were counted: %d", d.WrongCodes)
	}
}

func TestWrongCodesAreCountedAndThenHaveToWait(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(AtPickup)
	app := b.as(courierID)
	for range maxWrongCodes - 1 {
		b.wantProblem(app.act(orderID, "pickup", `{"code":"0000"}`), 422, "wrong_code")
	}
	blocked := app.act(orderID, "pickup", `{"code":"0000"}`)
	b.wantProblem(blocked, 429, "too_many_codes")
	if got := blocked.header.Get("Retry-After"); got != "600" {
		t.Errorf("retry after %q s", got)
	}
	b.wantProblem(app.act(orderID, "pickup", `{"code":"1234"}`), 429, "too_many_codes")
	b.wantState(orderID, AtPickup)
	b.clock.Advance(wrongCodePause)
	b.wantProblem(app.act(orderID, "pickup", `{"code":"0000"}`), 429, "too_many_codes")
	b.clock.Advance(wrongCodePause)
	b.want(200, app.act(orderID, "pickup", `{"code":"1234"}`))
	b.want(200, app.act(orderID, "arrival-at-dropoff", `{}`))
	b.wantProblem(app.act(orderID, "dropoff", `{"pin":"1234"}`), 422, "wrong_code") // counted anew
	b.want(200, app.act(orderID, "dropoff", `{"pin":"9876"}`))
}

func TestGuessingManyCodesAtOnceGetsNoMoreAnswers(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(AtPickup)
	var guesses sync.WaitGroup
	var mu sync.Mutex
	answered := map[int]int{}
	for i := range 40 {
		guesses.Go(func() {
			got := b.as(courierID).act(orderID, "pickup", fmt.Sprintf(`{"code":"%04d"}`, i))
			mu.Lock()
			defer mu.Unlock()
			answered[got.status]++
		})
	}
	guesses.Wait()
	if answered[422] >= maxWrongCodes || answered[422]+answered[429] != 40 {
		t.Errorf("answered %v", answered)
	}
}

func TestARepeatedRequestIsAnsweredOnce(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(Offered)
	path := "/v1/deliveries/" + orderID + "/acceptance"
	first := b.want(200, b.as(courierID).send("POST", path, `{}`, "Idempotency-Key", "once"))
	again := b.want(200, b.as(courierID).send("POST", path, `{}`, "Idempotency-Key", "once"))
	if first.body != again.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("answered %s, then %s", first.body, again.body)
	}
	b.wantProblem(b.as(courierID).send("POST", path, `{}`), 400, "idempotency_key")
	b.want(200, b.as(courierID).act(orderID, "arrival-at-pickup", `{}`))
	for range maxWrongCodes + 1 { // one guess, however often it is sent
		got := b.as(courierID).send("POST", "/v1/deliveries/"+orderID+"/pickup", `{"code":"0"}`, "Idempotency-Key", "guess")
		b.wantProblem(got, 422, "wrong_code")
	}
	if d := b.delivery(orderID); d.WrongCodes != 1 {
		t.Errorf("counted %d", d.WrongCodes)
	}
}

func TestAStatedVersionMustBeThePresentOne(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(Offered)
	app := b.as(courierID)
	seen := app.get("/v1/deliveries/" + orderID).header.Get("ETag")
	b.wantProblem(app.post("/v1/deliveries/"+orderID+"/acceptance", `{}`, "If-Match", `"1"`), 412, "stale")
	b.want(200, app.post("/v1/deliveries/"+orderID+"/acceptance", `{}`, "If-Match", seen))
	b.wantProblem(app.post("/v1/couriers/"+courierID+"/shift-end", `{}`, "If-Match", `"1"`), 412, "stale")
}

func TestMalformedBodies(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(AtPickup)
	app := b.as(courierID)
	for _, c := range []struct{ path, body string }{
		{"pickup", `{}`}, {"pickup", `{"code":1234}`}, {"pickup", `{"code":"1","more":1}`}, {"pickup", ``},
		{"pickup", `{"code":"` + strings.Repeat("1", 101) + `"}`}, {"decline", `{"why":"no"}`}, {"failure", `{}`},
	} {
		if got := app.act(orderID, c.path, c.body); got.status != 400 && got.status != 415 {
			t.Errorf("%s %.40s: %d %s", c.path, c.body, got.status, got.body)
		}
	}
	for _, body := range []string{
		`{}`, `{"position":{"latitude":1,"longitude":1}}`, `{"position":{"latitude":1},"sequence":1}`,
		`{"position":{"latitude":1,"longitude":181},"sequence":1}`, `{"position":{"latitude":1,"longitude":1},"sequence":0}`,
		`{"position":{"latitude":1,"longitude":1},"sequence":9007199254740992}`, `{"position":{"latitude":1,"longitude":1},"sequence":1.5}`,
	} {
		b.wantProblem(app.send("PUT", "/v1/couriers/"+courierID+"/location", body), 400, "invalid")
	}
}

func TestACourierIsItsSubjectWhereThatIsAnID(t *testing.T) {
	b := newBench(t)
	id := ids.New()
	got := b.want(201, b.as(id).post("/v1/couriers", `{"vehicle":"bicycle"}`))
	if got.field("id") != id || got.header.Get("Location") != "/v1/couriers/"+id || got.header.Get("ETag") != `"1"` ||
		got.field("state") != "OFFLINE" || got.field("position") != nil {
		t.Errorf("registered %v %s", got.header, got.body)
	}
	other := b.want(201, b.by("courier:ann@example.org").post("/v1/couriers", `{}`))
	if made, _ := other.field("id").(string); !ids.Valid(made) {
		t.Errorf("registered %s", other.body)
	}
	b.want(403, b.by("consumer:"+ids.New()).post("/v1/couriers", `{}`))
	b.want(401, b.by("").post("/v1/couriers", `{}`))
}

func TestSupportFindsCouriersNearby(t *testing.T) {
	b := newBench(t)
	near, nearer, far := b.courier(at(5)), b.courier(at(2)), b.courier(at(100))
	off := b.courier(at(1))
	b.want(200, b.as(off).post("/v1/couriers/"+off+"/shift-end", `{}`))
	b.want(204, b.as(near).report(near, at(3), 1)) // fresher than the table
	query := fmt.Sprintf("/v1/couriers?latitude=%v&longitude=%v", counter.Latitude, counter.Longitude)
	list := func(path string) []string {
		t.Helper()
		var found []string
		for path != "" {
			got := b.want(200, b.by("support:s").get(path))
			items, _ := got.field("items").([]any)
			for _, item := range items {
				found = append(found, item.(map[string]any)["id"].(string))
			}
			path, _ = got.field("_links.next.href").(string)
		}
		return found
	}
	if got := list(query); fmt.Sprint(got) != fmt.Sprint([]string{nearer, near}) {
		t.Errorf("found %v, want %v", got, []string{nearer, near})
	}
	if got := list(query + "&radius=100000&limit=1"); fmt.Sprint(got) != fmt.Sprint([]string{nearer, near, far}) {
		t.Errorf("page by page found %v", got)
	}
	b.want(403, b.as(near).get(query))
	for _, bad := range []string{"/v1/couriers", "/v1/couriers?latitude=1", query + "&radius=0", query + "&radius=x", query + "&limit=0"} {
		b.wantProblem(b.by("support:s").get(bad), 400, "invalid")
	}
}

func TestAPollThatFindsNothingNewDoesNotTouchTheDisc(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(Offered)
	app := b.as(courierID)
	path := "/v1/couriers/" + courierID
	etag := b.want(200, app.get(path)).header.Get("ETag")
	b.want(304, app.get(path, "If-None-Match", etag))

	for _, change := range []func(){
		func() { b.want(200, app.act(orderID, "acceptance", `{}`)) },
		func() { b.hear(orderID, word{readyBy: noon.Add(time.Minute)}) },
		func() { b.want(200, app.act(orderID, "arrival-at-pickup", `{}`)) },
		func() {
			b.want(204, app.report(courierID, at(1), 5))
			if err := b.writePositions(context.Background()); err != nil {
				t.Fatal(err)
			}
		},
		func() { b.want(200, b.by("support:s").act(orderID, "reassignment", `{}`)) },
		func() { b.clock.Advance(11 * time.Minute); b.round() }, // long enough to be asked for it again
	} {
		change()
		got := b.want(200, app.get(path, "If-None-Match", etag))
		if next := got.header.Get("ETag"); next == etag {
			t.Errorf("changed without another tag: %s", got.body)
		}
		etag = got.header.Get("ETag")
		b.want(304, app.get(path, "If-None-Match", etag))
	}

	// With the table out of reach only memory can answer.
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.want(304, app.get(path, "If-None-Match", etag))
}

func TestAPollAfterARestartKnowsTheVersion(t *testing.T) {
	b := newBench(t)
	_, courierID := b.reach(Assigned)
	path := "/v1/couriers/" + courierID
	etag := b.want(200, b.as(courierID).get(path)).header.Get("ETag")
	b.start()
	for range 2 {
		b.want(304, b.as(courierID).get(path, "If-None-Match", etag))
	}
}
