package internal

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

const (
	accepted  = kitchenapi.TicketState_TICKET_STATE_ACCEPTED
	preparing = kitchenapi.TicketState_TICKET_STATE_PREPARING
	ready     = kitchenapi.TicketState_TICKET_STATE_READY
	handed    = kitchenapi.TicketState_TICKET_STATE_PICKED_UP
	rejected  = kitchenapi.TicketState_TICKET_STATE_REJECTED
	expired   = kitchenapi.TicketState_TICKET_STATE_EXPIRED

	pickedUp  = deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP
	delivered = deliveryapi.DeliveryState_DELIVERY_STATE_DELIVERED
	failed    = deliveryapi.DeliveryState_DELIVERY_STATE_FAILED
	noCourier = deliveryapi.DeliveryState_DELIVERY_STATE_CANCELLED
)

// course is a life of an order: what people do, one act after another, each followed by what comes of it.
type course struct {
	name   string
	terms  func(*Terms)
	setUp  func(*world)
	acts   []act
	state  State
	reason string
	charge int64
	// odd says that somebody refuses what its contract has it do, which an operator is shown.
	odd bool
}

type act func(h *harness, id string)

func restaurant(to kitchenapi.TicketState) act {
	return func(h *harness, id string) {
		h.must(h.world.restaurant(id, to), to.String())
		h.deliverAll()
	}
}

func courier(to deliveryapi.DeliveryState) act {
	return func(h *harness, id string) {
		h.must(h.world.courier(id, to), to.String())
		h.deliverAll()
	}
}

func consumerCancels(h *harness, id string) {
	if err := h.cancel(id); err != nil {
		h.t.Fatal(err)
	}
}

func as(role identity.Role, owned ...string) act {
	return func(h *harness, id string) {
		if err := h.cancelAs(id, identity.Principal{Subject: "somebody", Roles: []identity.Role{role}, OwnedIDs: owned}); err != nil {
			h.t.Fatal(err)
		}
	}
}

// unheard is what the restaurant does while its event stays on its way.
func unheard(to kitchenapi.TicketState) act {
	return func(h *harness, id string) { h.must(h.world.restaurant(id, to), to.String()) }
}

// pickedUpUnheard is a pick-up that the order has not heard of when the cancel comes.
func pickedUpUnheard(h *harness, id string) {
	h.must(h.world.courier(id, pickedUp), "pick-up")
}

func hearsAll(h *harness, _ string) { h.deliverAll() }

func decline(t *Terms) { t.PaymentToken = "tok_decline" }

func refusing(method string, err error) func(*world) {
	return func(w *world) { w.refuse[method] = err }
}

var courses = []course{
	{name: "delivered", acts: []act{restaurant(accepted), restaurant(preparing), restaurant(ready), courier(pickedUp), courier(delivered)},
		state: Delivered, charge: 1500},
	{name: "card declined", terms: decline, state: Rejected, reason: "card_declined"},
	{name: "no ticket", setUp: refusing("CreateTicket", fault.Refused("kitchen_full", "full")), state: Rejected, reason: "kitchen_full"},
	{name: "ticket not confirmed", setUp: refusing("ConfirmTicket", fault.NotFound("ticket")), state: Rejected, reason: "ticket_refused"},
	{name: "restaurant rejects", acts: []act{restaurant(rejected)}, state: Cancelled, reason: "ticket_rejected"},
	{name: "ticket expires", acts: []act{restaurant(expired)}, state: Cancelled, reason: "ticket_expired"},
	{name: "no courier", acts: []act{restaurant(accepted), restaurant(ready), courier(noCourier)}, state: Cancelled, reason: "no_courier"},
	{name: "no courier, but handed over by mistake",
		acts:  []act{restaurant(accepted), restaurant(ready), restaurant(handed), courier(noCourier)},
		state: Cancelled, reason: "no_courier"},
	{name: "delivery refuses", setUp: refusing("ScheduleDelivery", fault.Refused("outside_area", "too far")), acts: []act{restaurant(accepted)},
		state: Cancelled, reason: "delivery_refused", odd: true},
	{name: "damaged", acts: []act{restaurant(accepted), courier(pickedUp), courier(failed)}, state: Undeliverable, reason: "damaged"},
	{name: "consumer cancels before acceptance", acts: []act{consumerCancels}, state: Cancelled, reason: "cancelled_by_consumer"},
	{name: "consumer cancels after acceptance", acts: []act{restaurant(accepted), consumerCancels},
		state: Cancelled, reason: "cancelled_by_consumer", charge: 200},
	{name: "consumer cancels what was accepted unheard", acts: []act{unheard(accepted), consumerCancels},
		state: Cancelled, reason: "cancelled_by_consumer", charge: 200},
	{name: "no fee to pay", terms: func(t *Terms) { t.Price.CancellationFee = 0 }, acts: []act{restaurant(accepted), restaurant(preparing), consumerCancels},
		state: Cancelled, reason: "cancelled_by_consumer"},
	{name: "restaurant cancels after acceptance", acts: []act{restaurant(accepted), as(identity.RoleRestaurant, "restaurant")},
		state: Cancelled, reason: "cancelled_by_restaurant"},
	{name: "support cancels after acceptance", acts: []act{restaurant(accepted), restaurant(ready), as(identity.RoleSupport)},
		state: Cancelled, reason: "cancelled_by_support"},
	{name: "consumer cancels what was rejected unheard", acts: []act{unheard(rejected), consumerCancels},
		state: Cancelled, reason: "cancelled_by_consumer"},
	{name: "cancel comes after the pick-up",
		acts:  []act{restaurant(accepted), restaurant(ready), pickedUpUnheard, consumerCancels, hearsAll, courier(delivered)},
		state: Delivered, charge: 1500},
	{name: "cancel comes after the hand-over",
		acts:  []act{restaurant(accepted), restaurant(ready), restaurant(handed), consumerCancels, courier(pickedUp), courier(delivered)},
		state: Delivered, charge: 1500},
	{name: "capture refused", setUp: refusing("CapturePayment", fault.Refused("not_authorized", "expired at the provider")),
		acts:  []act{restaurant(accepted), courier(pickedUp), func(h *harness, id string) { h.world.payments[id].authorized = 0 }, courier(delivered)},
		state: Delivered, charge: 0, odd: true},
	{name: "events in the wrong order",
		acts: []act{restaurant(accepted), func(h *harness, id string) {
			h.must(h.world.restaurant(id, ready), "ready")
			h.must(h.world.courier(id, pickedUp), "pick-up")
			h.must(h.world.courier(id, delivered), "drop-off")
			h.deliver("delivery", 10)
			h.deliver("kitchen", 10)
		}},
		state: Delivered, charge: 1500},
}

// play leads an order through a course.
func (h *harness) play(c course) string {
	h.t.Helper()
	if c.setUp != nil {
		c.setUp(h.world)
	}
	id := h.place(c.terms)
	h.settle()
	for _, a := range c.acts {
		a(h, id)
		h.settle()
	}
	h.deliverAll()
	h.settle()
	return id
}

func TestEachCourseEndsAsTheDomainSays(t *testing.T) {
	for _, c := range courses {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			h.mustEnd(h.play(c), c.state, c.reason, c.charge)
			counters, err := h.core.Audit(context.Background())
			if err != nil || (counters["saga_anomalies"] != 0) != c.odd {
				t.Errorf("%d anomalies, %v", counters["saga_anomalies"], err)
			}
		})
	}
}

// The calls of a course that goes undisturbed, to disturb each of them in turn.
func callsOf(t *testing.T, c course) int {
	h := newHarness(t)
	h.play(c)
	return len(h.world.calls)
}

func TestADisturbedCallLeadsToTheSameEnd(t *testing.T) {
	disturbances := map[string]func(h *harness, n int){
		"crash before the call": func(h *harness, n int) {
			h.world.decide(func(call int, _, _ string) fate {
				if call != n {
					return answered
				}
				h.crash()
				return refusedToTalk
			})
		},
		"crash before the record": func(h *harness, n int) {
			h.world.decide(func(call int, _, _ string) fate {
				if call == n {
					h.crash()
				}
				return answered
			})
		},
		"not reached":     once(refusedToTalk),
		"answer lost":     once(answerLost),
		"happens late":    once(delayed),
		"process panics":  once(panicked),
		"lost four times": lostTimes(4),
	}
	for _, c := range courses {
		calls := callsOf(t, c)
		for name, disturb := range disturbances {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				for n := 1; n <= calls; n++ {
					h := newHarness(t)
					disturb(h, n)
					h.playWithRestarts(c)
					if t.Failed() {
						t.Fatalf("at call %d", n)
					}
				}
			})
		}
	}
}

func once(f fate) func(h *harness, n int) {
	return func(h *harness, n int) {
		h.world.decide(func(call int, _, _ string) fate {
			if call == n {
				return f
			}
			return answered
		})
	}
}

func lostTimes(times int) func(h *harness, n int) {
	return func(h *harness, n int) {
		h.world.decide(func(call int, _, _ string) fate {
			if call >= n && call < n+times {
				return answerLost
			}
			return answered
		})
	}
}

// playWithRestarts plays a course in which a restart follows every act.
func (h *harness) playWithRestarts(c course) {
	h.t.Helper()
	if c.setUp != nil {
		c.setUp(h.world)
	}
	id := h.place(c.terms)
	h.settle()
	for _, a := range c.acts {
		a(h, id)
		h.restart()
		h.settle()
	}
	h.deliverAll()
	h.settle()
	h.mustEnd(id, c.state, c.reason, c.charge)
}

func TestPlaceGivesUpWhatNobodyAnswersAndItsUndoWins(t *testing.T) {
	for _, method := range []string{"CreateTicket", "AuthorizePayment", "ConfirmTicket"} {
		for name, f := range map[string]fate{"never reached": refusedToTalk, "answers lost": answerLost, "late": delayed} {
			t.Run(method+"/"+name, func(t *testing.T) {
				h := newHarness(t)
				h.world.decide(func(_ int, m, _ string) fate {
					if m == method {
						return f
					}
					return answered
				})
				id := h.place(nil)
				for range 12 { // more than placeLimit
					h.idle()
					h.clock.Advance(time.Minute)
				}
				h.settle()
				h.mustEnd(id, Rejected, "timed_out", 0)
				h.world.decide(nil)
				h.deliverAll()
				h.settle()
				h.mustEnd(id, Rejected, "timed_out", 0)
			})
		}
	}
}

func TestPlaceAsksSeveralTimesHoweverFastTimePasses(t *testing.T) {
	h := newHarness(t)
	h.world.decide(func(call int, _, _ string) fate {
		if call >= placeAttempts {
			return answered
		}
		h.clock.Advance(2 * placeLimit)
		return refusedToTalk
	})
	id := h.place(nil)
	h.settle()
	if o := h.order(id); o.State != Approved || o.PaymentToken != "" {
		t.Errorf("shows %s (%s), with token %q", o.State, o.Reason, o.PaymentToken)
	}
}

func TestATicketThatWasSeenIsNotGivenUp(t *testing.T) {
	h := newHarness(t)
	h.world.decide(func(_ int, method, _ string) fate {
		if method == "ConfirmTicket" {
			return answerLost
		}
		return answered
	})
	id := h.place(nil)
	h.idle()
	restaurant(accepted)(h, id)
	for range 15 {
		h.idle()
		h.clock.Advance(time.Minute)
	}
	h.idle()
	if o := h.order(id); o.State != Pending || o.Saga.Step != ConfirmTicket {
		t.Errorf("shows %s at %v", o.State, o.Saga)
	}
	h.world.decide(nil)
	h.settle()
	if got := names(h.events(id)); got != "OrderPlaced OrderApproved" || h.order(id).State != Accepted {
		t.Errorf("%s: %s", got, h.order(id).State)
	}
}

func TestACancelNeedNotWaitForADeliveryThatDoesNotAnswer(t *testing.T) {
	for _, f := range []fate{refusedToTalk, answerLost, delayed} {
		h := newHarness(t)
		h.world.decide(func(_ int, method, _ string) fate {
			if method == "ScheduleDelivery" {
				return f
			}
			return answered
		})
		id := h.place(nil)
		h.settle()
		restaurant(accepted)(h, id)
		h.idle()
		consumerCancels(h, id)
		h.settle()
		h.mustEnd(id, Cancelled, "cancelled_by_consumer", 200)
	}
}

func TestASetbackOutlivesACancelThatWasTurnedBack(t *testing.T) {
	h := newHarness(t)
	h.world.interrupt(func(method, id string) {
		if method == "BeginCancel" && h.world.courier(id, noCourier) {
			h.deliver("delivery", 1)
		}
	})
	id := h.place(nil)
	h.settle()
	for _, a := range []act{restaurant(accepted), restaurant(ready), restaurant(handed), consumerCancels} {
		a(h, id)
		h.settle()
	}
	h.mustEnd(id, Cancelled, "no_courier", 0)
	if got := names(h.events(id)); got != "OrderPlaced OrderApproved CancelRequested CancelRefused CancelRequested OrderCancelled" {
		t.Errorf("published %s", got)
	}
}

func TestNoFeeIsTakenForATicketThatHadEnded(t *testing.T) {
	o := inState(Accepted)
	if err := o.AskCancel(ByConsumer, "", noon); err != nil {
		t.Fatal(err)
	}
	o.TakeUp(noon, newID)
	o.Answered(Answer{Accepted: true, TicketEnded: true}, noon)
	if o.Saga.Step != VoidPayment {
		t.Errorf("goes on to %s", o.Saga.Step)
	}
}

func TestDeliveryIsToldWhenTheFoodIsReady(t *testing.T) {
	h := newHarness(t)
	id := h.place(nil)
	h.settle()
	h.clock.Advance(time.Minute)
	restaurant(accepted)(h, id)
	h.settle()
	if got, want := h.world.schedule.GetReadyBy().AsTime(), h.clock.Now().Add(15*time.Minute); !got.Equal(want) {
		t.Errorf("ready by %v, want %v", got, want)
	}
}

func TestAnOrderThatIsHeardOfIsNotAskedFor(t *testing.T) {
	h := newHarness(t)
	id := h.place(nil)
	h.settle()
	restaurant(accepted)(h, id)
	h.settle()
	h.clock.Advance(40 * time.Minute)
	h.settle()
	if h.world.queries != 0 {
		t.Errorf("asked %d times", h.world.queries)
	}
	h.clock.Advance(40 * time.Minute) // past its latest arrival by more than half an hour
	h.settle()
	if h.world.queries != 1 {
		t.Errorf("asked %d times, want once", h.world.queries)
	}
}

func TestASagaThatNobodyAnswersIsShownAsStuckAndGoesOn(t *testing.T) {
	h := newHarness(t)
	id := h.place(nil)
	h.settle()
	restaurant(accepted)(h, id)
	h.settle()
	down := true
	h.world.decide(func(int, string, string) fate {
		if down {
			return refusedToTalk
		}
		return answered
	})
	courier(pickedUp)(h, id)
	courier(delivered)(h, id)
	for range 200 {
		h.idle()
		h.clock.Advance(100 * time.Millisecond)
	}
	h.idle()
	counters, err := h.core.Audit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if counters["sagas_stuck"] != 1 || counters["sagas_open"] != 1 || counters["orders_picked_up"] != 1 {
		t.Errorf("counters %v", counters)
	}
	down = false
	h.settle()
	h.mustEnd(id, Delivered, "", 1500)
	if counters, _ = h.core.Audit(context.Background()); counters["sagas_open"] != 0 || counters["charges_EUR"] != 1500 {
		t.Errorf("counters %v", counters)
	}
}

func TestADeliveredOrderWaitsForItsMoney(t *testing.T) {
	h := newHarness(t)
	id := h.place(nil)
	h.settle()
	restaurant(accepted)(h, id)
	h.settle()
	h.world.decide(func(int, string, string) fate { return answerLost })
	courier(pickedUp)(h, id)
	courier(delivered)(h, id)
	h.idle()
	if o := h.order(id); o.State != PickedUp || o.Furthest != Delivered {
		t.Errorf("shows %s, furthest %s: it may not end while money is held", o.State, o.Furthest)
	}
	h.world.decide(nil)
	h.settle()
	h.mustEnd(id, Delivered, "", 1500)
}

// Whatever comes in the middle of a call is taken up when the saga has ended.
func TestWhatComesDuringASagaIsTakenUpWhenItEnds(t *testing.T) {
	for _, row := range []struct {
		name, during string
		act          act
		then         []act
		state        State
		reason       string
		charge       int64
	}{
		{"cancel while the ticket is made", "CreateTicket", consumerCancels, nil, Cancelled, "cancelled_by_consumer", 0},
		{"cancel while the card is asked", "AuthorizePayment", consumerCancels, nil, Cancelled, "cancelled_by_consumer", 0},
		{"cancel while a courier is asked for", "ScheduleDelivery", consumerCancels, nil, Cancelled, "cancelled_by_consumer", 200},
		{"no courier while the cancel runs", "BeginCancel", func(h *harness, id string) { h.world.courier(id, noCourier); h.deliverAll() }, nil,
			Cancelled, "cancelled_by_consumer", 200},
		{"drop-off while the money is taken", "CapturePayment", courier(delivered), nil, Delivered, "", 1500},
		{"accident while the money is taken", "CapturePayment", courier(failed), nil, Undeliverable, "damaged", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHarness(t)
			acted := false
			h.world.interrupt(func(method, id string) {
				if method == row.during && !acted {
					acted = true
					row.act(h, id)
				}
			})
			id := h.place(nil)
			h.settle()
			for _, a := range []act{restaurant(accepted), func(h *harness, id string) {
				switch row.during {
				case "CapturePayment":
					courier(pickedUp)(h, id)
				case "BeginCancel":
					consumerCancels(h, id)
				}
			}} {
				if o := h.order(id); !o.State.Terminal() && o.State != CancelPending {
					a(h, id)
				}
				h.settle()
			}
			if !acted {
				t.Fatalf("%s was never called: %v", row.during, h.world.calls)
			}
			h.mustEnd(id, row.state, row.reason, row.charge)
		})
	}
}

func TestARejectionBeforeApprovalEndsAsApprovedThenCancelled(t *testing.T) {
	h := newHarness(t)
	h.world.decide(func(_ int, method, id string) fate {
		if method == "ConfirmTicket" && h.world.restaurant(id, rejected) { // it took effect before, and its answer was lost
			h.deliver("kitchen", 1)
		}
		if method == "ConfirmTicket" && !h.world.tickets[id].ended() {
			return answerLost
		}
		return answered
	})
	id := h.place(nil)
	h.settle()
	h.mustEnd(id, Cancelled, "ticket_rejected", 0)
	if got := names(h.events(id)); got != "OrderPlaced OrderApproved CancelRequested OrderCancelled" {
		t.Errorf("published %s", got)
	}
}

func TestACancelOfAPickedUpOrEndedOrderIsRefused(t *testing.T) {
	h := newHarness(t)
	id := h.place(nil)
	h.settle()
	for _, a := range []act{restaurant(accepted), courier(pickedUp)} {
		a(h, id)
		h.settle()
	}
	if err := h.cancel(id); fault.As(err) == nil || fault.As(err).Code != "order_picked_up" {
		t.Errorf("cancel after pick-up: %v", err)
	}
	courier(delivered)(h, id)
	h.settle()
	if err := h.cancel(id); fault.As(err) == nil || fault.As(err).Code != "order_ended" {
		t.Errorf("cancel after the end: %v", err)
	}
	h.mustEnd(id, Delivered, "", 1500)
}

func TestASecondCancelChangesNothing(t *testing.T) {
	h := newHarness(t)
	h.world.decide(func(_ int, method, _ string) fate {
		if method == "BeginCancel" {
			return refusedToTalk
		}
		return answered
	})
	id := h.place(nil)
	h.settle()
	consumerCancels(h, id)
	as(identity.RoleRestaurant, "restaurant")(h, id)
	h.world.decide(nil)
	h.settle()
	h.mustEnd(id, Cancelled, "cancelled_by_consumer", 0)
}

// Events that never come delay an order and do not strand it: its owners are asked.
func TestALostEventIsMadeUpForByAsking(t *testing.T) {
	steps := []func(h *harness, id string) bool{
		func(h *harness, id string) bool { return h.world.restaurant(id, accepted) },
		func(h *harness, id string) bool { return h.world.restaurant(id, ready) },
		func(h *harness, id string) bool { return h.world.courier(id, pickedUp) },
		func(h *harness, id string) bool { return h.world.courier(id, delivered) },
	}
	for lost := range steps {
		t.Run(fmt.Sprintf("step %d", lost), func(t *testing.T) {
			h := newHarness(t)
			id := h.place(nil)
			h.settle()
			for i, step := range steps {
				for range 20 {
					if step(h, id) {
						break
					}
					h.clock.Advance(15 * time.Minute)
					h.settle()
				}
				if i == lost {
					h.lose("kitchen")
					h.lose("delivery")
				}
				h.deliverAll()
				h.settle()
			}
			for range 12 {
				h.clock.Advance(15 * time.Minute)
				h.settle()
			}
			h.mustEnd(id, Delivered, "", 1500)
		})
	}
	for _, ending := range []kitchenapi.TicketState{rejected, expired} {
		t.Run(ending.String(), func(t *testing.T) {
			h := newHarness(t)
			id := h.place(nil)
			h.settle()
			h.must(h.world.restaurant(id, ending), "end")
			h.lose("kitchen")
			h.clock.Advance(16 * time.Minute)
			h.settle()
			if o := h.order(id); o.State != Cancelled {
				t.Errorf("shows %s", o.State)
			}
		})
	}
}

func TestNoWorkIsLeftForAnOrderThatHasEnded(t *testing.T) {
	for _, c := range courses {
		h := newHarness(t)
		h.play(c)
		h.idle()
		var left int
		if err := h.db.QueryRow(context.Background(), `SELECT count(*) FROM work`).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left != 0 {
			t.Errorf("%s: %d items of work are left", c.name, left)
		}
	}
}
