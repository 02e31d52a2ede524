package internal

import (
	"context"
	"testing"
	"time"

	"kerf/platform/fault"
	"kerf/platform/identity"
)

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
