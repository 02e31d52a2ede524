package internal

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

// Whatever happens, in whatever order, an order ends, and costs what its end says.
func TestAnyInterleavingEndsWithTheInvariantsHolding(t *testing.T) {
	lives := uint64(150)
	if hurried() {
		lives = 25
	}
	ends := map[State]int{}
	for seed := range lives {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			life := newLife(t, seed)
			life.run()
			for _, id := range life.orders {
				ends[life.h.order(id).State]++
			}
		})
		if t.Failed() {
			return
		}
	}
	for _, end := range []State{Rejected, Cancelled, Delivered, Undeliverable} {
		if ends[end] == 0 && !hurried() {
			t.Errorf("no life ended %s: %v", end, ends)
		}
	}
}

// life is a random course of two orders at once, with faults and restarts, made from a seed.
type life struct {
	h      *harness
	orders []string
	calm   atomic.Bool

	mu     sync.Mutex // people act while workers work
	random *rand.Rand
	trace  []string
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{h: newHarness(t), random: rand.New(rand.NewPCG(seed, 1))}
	l.h.world.decide(func(int, string, string) fate { return l.fate() })
	l.h.world.interrupt(func(_, id string) {
		if !l.calm.Load() && l.draw(4) == 0 {
			l.act(id)
		}
	})
	return l
}

// fate disturbs four calls of ten. It is asked by one worker at a time: the harness has the orders of a life one after another.
func (l *life) fate() fate {
	if l.calm.Load() {
		return answered
	}
	switch l.draw(20) {
	case 0, 1:
		return refusedToTalk
	case 2, 3:
		return answerLost
	case 4, 5:
		return delayed
	case 6:
		return panicked
	case 7:
		l.h.crash()
		return answered
	}
	return answered
}

func (l *life) run() {
	h := l.h
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("orders %v\nacts %v\ncalls %v", l.orders, l.trace, h.world.calls)
		}
	})
	for range 2 {
		id := h.place(func(t *Terms) {
			if l.draw(8) == 0 {
				decline(t)
			}
		})
		l.orders = append(l.orders, id)
		for range l.draw(25) {
			l.act(id)
			l.pause()
		}
		l.comeToRest(id)
	}
	for _, id := range l.orders {
		if err := h.checkEnd(id); err != nil {
			h.t.Errorf("%v\nevents %s", err, names(h.events(id)))
		}
	}
}

// pause lets some time pass, a little or much, and sometimes restarts the process.
func (l *life) pause() {
	switch l.draw(12) {
	case 0:
		l.note("restart")
		l.h.restart()
	case 1:
		l.note("16 minutes")
		l.h.clock.Advance(16 * time.Minute)
	case 2, 3, 4, 5:
		l.h.clock.Advance(time.Duration(l.draw(200)) * time.Millisecond)
	}
	if l.draw(3) > 0 {
		l.h.idle()
	}
}

func (l *life) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trace = append(l.trace, fmt.Sprintf(format, args...))
}

// draw is a number from 0 to n-1.
func (l *life) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

// act is one thing that somebody does, if it is possible.
func (l *life) act(id string) {
	h := l.h
	switch l.draw(14) {
	case 0, 1, 2:
		h.deliver("kitchen", 1)
	case 3, 4:
		h.deliver("delivery", 1)
	case 5, 6, 7:
		to := pick(l, accepted, accepted, accepted, accepted, preparing, ready, ready, handed, rejected, expired)
		l.note("%s %v", to, h.world.restaurant(id, to))
	case 8, 9, 10:
		to := pick(l, pickedUp, pickedUp, delivered, delivered, failed, noCourier)
		l.note("%s %v", to, h.world.courier(id, to))
	case 11:
		if l.draw(2) == 0 {
			l.note("cancel %v", h.cancel(id))
		}
	case 12:
		if l.draw(4) > 0 {
			return
		}
		l.note("restaurant cancels %v", h.cancelAs(id, identity.Principal{
			Subject: ids.New(), Roles: []identity.Role{identity.RoleRestaurant}, OwnedIDs: []string{"restaurant"},
		}))
	case 13:
		if l.draw(3) == 0 {
			l.note("events lost")
			h.lose(pick(l, "kitchen", "delivery"))
		}
	}
}

func pick[T any](l *life, choices ...T) T { return choices[l.draw(len(choices))] }

// comeToRest heals all faults and lets people finish what they have begun.
func (l *life) comeToRest(id string) {
	h := l.h
	h.idle()
	l.calm.Store(true)
	l.note("calm")
	for range 12 {
		h.world.arrive()
		h.deliverAll()
		h.settle()
		if h.order(id).State.Terminal() {
			break
		}
		for _, to := range []kitchenapi.TicketState{accepted, ready} {
			h.world.restaurant(id, to)
		}
		h.deliverAll()
		h.settle()
		if !h.world.courier(id, pickedUp) {
			h.world.courier(id, pick(l, delivered, delivered, failed))
		}
		h.deliverAll()
		h.settle()
		h.clock.Advance(20 * time.Minute) // what was lost is asked for
		h.settle()
	}
	h.deliverAll()
	h.settle()
	l.calm.Store(false)
}
