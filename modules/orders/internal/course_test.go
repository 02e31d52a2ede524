package internal

import (
	"context"
	"testing"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/database/databasetest"
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

// hurried tells whether a part of all cases has to do: where a fresh schema takes much longer than what is played on it.
func hurried() bool { return testing.Short() || databasetest.OnPostgres() }

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
		calls, db := callsOf(t, c), databasetest.Open(t, "orders")
		for name, disturb := range disturbances {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				for n := 1; n <= calls; n++ {
					if hurried() && n%3 != calls%3 { // the last call is always among them
						continue
					}
					h := newHarnessOn(t, db)
					disturb(h, n)
					h.playWithRestarts(c)
					h.stop()
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
