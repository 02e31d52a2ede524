package actors

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/platform/clock"
)

// ErrGone says that an order will not be handed over: it was cancelled, or given to somebody else.
var ErrGone = errors.New("the order is gone")

// States of a ticket.
const (
	ticketAwaiting  = "AWAITING_ACCEPTANCE"
	ticketAccepted  = "ACCEPTED"
	ticketPreparing = "PREPARING"
	ticketReady     = "READY"
	ticketPickedUp  = "PICKED_UP"
	ticketRejected  = "REJECTED"
	ticketExpired   = "EXPIRED"
	ticketCancelled = "CANCELLED"
)

// Kitchen is the people of one restaurant, who hold a token that owns it.
type Kitchen struct {
	API   *api.Caller
	Clock *clock.Clock
	// Poll is how often, on the wall, a ticket is looked at about which nothing is heard.
	Poll time.Duration
	// Before is told of an order and its ticket's state before the kitchen does the next thing with it, and may take its time; it may be nil.
	Before func(ctx context.Context, orderID, state string) error

	mu      sync.Mutex
	tickets map[string]*knownTicket
}

// knownTicket is what the kitchen knows of a ticket that it works on.
type knownTicket struct {
	ticket  api.Ticket
	changed chan struct{} // closed when ticket is replaced
}

// Cook accepts an order's ticket at once, begins to prepare it, and says that it is ready when it is, and returns then, or when the ticket
// ends otherwise. ready says when the food is ready: it is asked when the ticket is accepted, and again when it is in preparation. wake
// gives a channel that tells when to look again at a ticket that cannot be worked on yet; it may be nil.
//
// The error is ctx's, or that the server did not answer.
func (k *Kitchen) Cook(ctx context.Context, orderID string, ready func(api.Ticket) time.Time, wake func() <-chan struct{}) error {
	for {
		var changed <-chan struct{}
		if wake != nil {
			changed = wake() // before the look, so that nothing is missed between
		}
		ticket, err := k.look(ctx, orderID)
		for err == nil && ctx.Err() == nil {
			if over(ticket.State) {
				k.forget(orderID)
			}
			if over(ticket.State) || ticket.State == ticketReady {
				return nil
			}
			var moved bool
			if ticket, moved, err = k.step(ctx, ticket, ready); !moved {
				break
			}
		}
		if _, refused := api.Refused(err); err != nil && !refused {
			return err
		}
		if err := pause(ctx, k.Poll, changed); err != nil {
			return err
		}
	}
}

// over tells whether the kitchen has nothing more to do with a ticket.
func over(state string) bool {
	switch state {
	case ticketPickedUp, ticketRejected, ticketExpired, ticketCancelled:
		return true
	}
	return false
}

// step does the next thing with a ticket, if there is one now.
func (k *Kitchen) step(ctx context.Context, t api.Ticket, ready func(api.Ticket) time.Time) (_ api.Ticket, moved bool, err error) {
	if err := k.before(ctx, t); err != nil {
		return t, false, err
	}
	switch t.State {
	case ticketAwaiting:
		// Nothing can be promised for the past, and the request takes a moment.
		moment := time.Duration(k.Clock.Speed() * float64(200*time.Millisecond))
		by := ready(t)
		if soonest := k.Clock.Now().Add(moment); by.Before(soonest) {
			by = soonest
		}
		t, err = k.act(ctx, t.OrderID, "acceptance", map[string]any{"ready_by": by})
	case ticketAccepted:
		t, err = k.act(ctx, t.OrderID, "preparation", nil)
	case ticketPreparing:
		if err = k.Clock.Wait(ctx, ready(t)); err == nil {
			t, err = k.act(ctx, t.OrderID, "readiness", nil)
		}
	default: // not confirmed yet, or a cancel is being decided
		return t, false, nil
	}
	return t, err == nil, err
}

func (k *Kitchen) before(ctx context.Context, t api.Ticket) error {
	if k.Before == nil {
		return nil
	}
	return k.Before(ctx, t.OrderID, t.State)
}

// HandOver waits until an order is ready, hands it over the counter, and returns the code that its courier needs. ErrGone if it will not be.
func (k *Kitchen) HandOver(ctx context.Context, orderID string) (code string, err error) {
	defer k.forget(orderID)
	for {
		ticket, changed := k.known(orderID)
		if ticket.State == "" {
			if ticket, err = k.look(ctx, orderID); err != nil && !api.Absent(err) {
				return "", err
			}
			_, changed = k.known(orderID)
		}
		switch ticket.State {
		case ticketReady, ticketPickedUp:
			if err := k.before(ctx, ticket); err != nil {
				return "", err
			}
			// Refused if a cancel came first, or if the courier was quicker; the code is good for who is at the counter in any case.
			_, err := k.act(ctx, orderID, "hand-over", nil)
			if _, refused := api.Refused(err); err == nil || refused && ticket.State == ticketPickedUp {
				return ticket.PickupCode, nil
			} else if !refused {
				return "", err
			}
			k.forget(orderID)
		case ticketRejected, ticketExpired, ticketCancelled:
			return "", ErrGone
		}
		if pause(ctx, k.Poll, changed) == nil {
			continue
		}
		return "", context.Cause(ctx)
	}
}

func (k *Kitchen) look(ctx context.Context, orderID string) (t api.Ticket, err error) {
	if err := k.API.Get(ctx, "/v1/tickets/"+orderID, &t); err != nil {
		return t, err
	}
	k.know(t)
	return t, nil
}

func (k *Kitchen) act(ctx context.Context, orderID, action string, body any) (t api.Ticket, err error) {
	_, err = k.API.Do(ctx, api.Request{Method: http.MethodPost, Path: "/v1/tickets/" + orderID + "/" + action, Body: body, Into: &t})
	if err != nil {
		return t, err
	}
	k.know(t)
	return t, nil
}

func (k *Kitchen) know(t api.Ticket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.entry(t.OrderID)
	w.ticket = t
	close(w.changed)
	w.changed = make(chan struct{})
}

func (k *Kitchen) known(orderID string) (api.Ticket, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.entry(orderID)
	return w.ticket, w.changed
}

func (k *Kitchen) entry(orderID string) *knownTicket {
	if k.tickets == nil {
		k.tickets = map[string]*knownTicket{}
	}
	w := k.tickets[orderID]
	if w == nil {
		w = &knownTicket{changed: make(chan struct{})}
		k.tickets[orderID] = w
	}
	return w
}

func (k *Kitchen) forget(orderID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.tickets, orderID)
}

// pause waits on the wall, or until it is woken. The error is ctx's cause.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
