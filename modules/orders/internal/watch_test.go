package internal

import (
	"fmt"
	"testing"
	"time"

	"kerf/modules/kitchen/kitchenapi"
)

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
