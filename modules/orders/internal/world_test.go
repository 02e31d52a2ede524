package internal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

// fate is what happens to one call to another module.
type fate int

const (
	answered      fate = iota
	refusedToTalk      // nothing happened, and the caller is told that it is not known
	answerLost         // it happened, and the caller is not told
	delayed            // the caller is not told; it happens before the next call, or at the end
	panicked           // it happened, and then the caller's process panicked
)

// world stands for kitchen, accounting and delivery, as strict as their contracts: operations are idempotent by key, undos leave tombstones.
// What it publishes waits in facts until the test delivers it.
type world struct {
	mu       sync.Mutex
	tickets  map[string]*ticket
	payments map[string]*payment
	roads    map[string]*road
	done     map[string]outcome // by operation key
	late     []func()           // effects that are on their way
	calls    []string           // every attempt, by method
	queries  int                // questions asked
	schedule *deliveryapi.ScheduleDeliveryRequest
	broken   []string          // what no correct caller would do
	facts    map[string][]fact // by publisher, in order
	now      func() time.Time

	// fate decides over each call; nil: answered. Called without the lock.
	fate func(call int, method, orderID string) fate
	// refuse says that an owner refuses for a reason of its own.
	refuse map[string]error
	// during runs in the middle of each call, outside of any transaction.
	during func(method, orderID string)
}

type outcome struct {
	request proto.Message
	answer  proto.Message
	err     error
}

// fact is an event on its way: how a listener takes it.
type fact func(ctx context.Context, tx *database.Tx, c *Core) error

type ticket struct {
	state, before kitchenapi.TicketState
	cancelID      string
	tombstone     bool
	undone        map[string]bool
	promised      bool
}

type payment struct {
	authorized, captured, refunded int64
	captures                       int
	voided, declined               bool
}

// held is what the diner cannot spend elsewhere.
func (p *payment) held() int64 {
	if p.voided || p.captures > 0 {
		return 0
	}
	return p.authorized
}

type road struct {
	state     deliveryapi.DeliveryState
	tombstone bool
}

func newWorld(now func() time.Time) *world {
	return &world{
		tickets: map[string]*ticket{}, payments: map[string]*payment{}, roads: map[string]*road{},
		done: map[string]outcome{}, facts: map[string][]fact{}, refuse: map[string]error{}, now: now,
	}
}

func (w *world) ticket(id string) *ticket {
	if w.tickets[id] == nil {
		w.tickets[id] = &ticket{undone: map[string]bool{}}
	}
	return w.tickets[id]
}

func (w *world) payment(id string) *payment {
	if w.payments[id] == nil {
		w.payments[id] = &payment{}
	}
	return w.payments[id]
}

func (w *world) road(id string) *road {
	if w.roads[id] == nil {
		w.roads[id] = &road{}
	}
	return w.roads[id]
}

// command runs one operation: its fate, its key, then its effect.
func command[Res proto.Message](ctx context.Context, w *world, method, orderID, key string, req proto.Message, effect func() (Res, error)) (Res, error) {
	var none Res
	if p, ok := identity.From(ctx); !ok || p.Subject != "service:orders" {
		w.complain("%s asked by %+v", method, p)
	}
	if database.InTransaction(ctx) {
		w.complain("%s called in a transaction", method)
	}
	run := func() (Res, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if before, ok := w.done[key]; ok {
			if !proto.Equal(before.request, req) {
				w.broken = append(w.broken, fmt.Sprintf("%s: key %s used for another request", method, key))
			}
			answer, _ := before.answer.(Res)
			return answer, before.err
		}
		answer, err := effect()
		if refusal := w.refuse[method]; refusal != nil && err == nil {
			err = refusal
		}
		w.done[key] = outcome{proto.Clone(req), answer, err}
		return answer, err
	}
	w.arrive()
	w.mu.Lock()
	w.calls = append(w.calls, method)
	n, decide, during := len(w.calls), w.fate, w.during
	w.mu.Unlock()
	does := answered
	if decide != nil {
		does = decide(n, method, orderID)
	}
	if during != nil && (does == answered || does == answerLost || does == panicked) {
		during(method, orderID)
	}
	switch does {
	case refusedToTalk:
		return none, fault.Unavailable(time.Second, "down", "down")
	case answerLost:
		_, _ = run()
		return none, fault.Unknown(0, "lost", "the answer was lost")
	case delayed:
		w.mu.Lock()
		w.late = append(w.late, func() { _, _ = run() })
		w.mu.Unlock()
		return none, context.DeadlineExceeded
	case panicked:
		_, _ = run()
		panic("as if the process had died")
	}
	return run()
}

// arrive lets the effects happen that were on their way.
func (w *world) arrive() {
	w.mu.Lock()
	late := w.late
	w.late = nil
	w.mu.Unlock()
	for _, effect := range late {
		effect()
	}
}

func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) publish(source string, f fact) { w.facts[source] = append(w.facts[source], f) }

// decide sets the fate of the calls to come.
func (w *world) decide(f func(call int, method, orderID string) fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fate = f
}

// interrupt sets what happens in the middle of the calls to come.
func (w *world) interrupt(f func(method, orderID string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.during = f
}

// The kitchen.

func (w *world) CreateTicket(ctx context.Context, req *kitchenapi.CreateTicketRequest) (*kitchenapi.CreateTicketResponse, error) {
	return command(ctx, w, "CreateTicket", req.OrderId, req.OperationKey, req, func() (*kitchenapi.CreateTicketResponse, error) {
		t := w.ticket(req.OrderId)
		if t.tombstone {
			return nil, fault.Refused("ticket_creation_cancelled", "cancelled")
		}
		if w.refuse["CreateTicket"] == nil {
			t.state = kitchenapi.TicketState_TICKET_STATE_CREATED
		}
		return &kitchenapi.CreateTicketResponse{}, nil
	})
}

func (w *world) ConfirmTicket(ctx context.Context, req *kitchenapi.ConfirmTicketRequest) (*kitchenapi.ConfirmTicketResponse, error) {
	return command(ctx, w, "ConfirmTicket", req.OrderId, req.OperationKey, req, func() (*kitchenapi.ConfirmTicketResponse, error) {
		t := w.ticket(req.OrderId)
		switch t.state {
		case kitchenapi.TicketState_TICKET_STATE_UNSPECIFIED:
			return nil, fault.NotFound("ticket")
		case kitchenapi.TicketState_TICKET_STATE_CANCELLED:
			return nil, fault.Refused("ticket_cancelled", "cancelled")
		case kitchenapi.TicketState_TICKET_STATE_CREATED:
			if w.refuse["ConfirmTicket"] == nil {
				t.state = kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE
			}
		}
		return &kitchenapi.ConfirmTicketResponse{}, nil
	})
}

func (w *world) CancelTicketCreation(ctx context.Context, req *kitchenapi.CancelTicketCreationRequest) (*kitchenapi.CancelTicketCreationResponse, error) {
	return command(ctx, w, "CancelTicketCreation", req.OrderId, req.OperationKey, req, func() (*kitchenapi.CancelTicketCreationResponse, error) {
		t := w.ticket(req.OrderId)
		t.tombstone = true
		if t.state != kitchenapi.TicketState_TICKET_STATE_UNSPECIFIED {
			w.cancelTicket(req.OrderId, t)
		}
		return &kitchenapi.CancelTicketCreationResponse{}, nil
	})
}

func (w *world) cancelTicket(orderID string, t *ticket) {
	t.state = kitchenapi.TicketState_TICKET_STATE_CANCELLED
	w.publish("kitchen", func(ctx context.Context, tx *database.Tx, c *Core) error {
		return c.TicketCancelled(ctx, tx, noMeta, &kitchenapi.TicketCancelled{OrderId: orderID})
	})
}

func (t *ticket) ended() bool {
	switch t.state {
	case kitchenapi.TicketState_TICKET_STATE_REJECTED, kitchenapi.TicketState_TICKET_STATE_EXPIRED, kitchenapi.TicketState_TICKET_STATE_CANCELLED:
		return true
	}
	return false
}

func (w *world) BeginCancel(ctx context.Context, req *kitchenapi.BeginCancelRequest) (*kitchenapi.BeginCancelResponse, error) {
	return command(ctx, w, "BeginCancel", req.OrderId, req.OperationKey, req, func() (*kitchenapi.BeginCancelResponse, error) {
		t := w.ticket(req.OrderId)
		switch {
		case t.undone[req.CancelId]:
			return nil, fault.Refused("cancel_undone", "undone")
		case t.state == kitchenapi.TicketState_TICKET_STATE_UNSPECIFIED:
			return nil, fault.NotFound("ticket")
		case t.state == kitchenapi.TicketState_TICKET_STATE_PICKED_UP:
			return nil, fault.Refused("ticket_picked_up", "picked up")
		case t.ended():
			return &kitchenapi.BeginCancelResponse{Ended: true, Accepted: t.promised, StateBefore: t.state}, nil
		case t.state == kitchenapi.TicketState_TICKET_STATE_CREATED:
			w.broken = append(w.broken, "BeginCancel before ConfirmTicket")
		}
		t.before, t.state, t.cancelID = t.state, kitchenapi.TicketState_TICKET_STATE_CANCEL_PENDING, req.CancelId
		return &kitchenapi.BeginCancelResponse{Accepted: t.promised, StateBefore: t.before}, nil
	})
}

func (w *world) ConfirmCancel(ctx context.Context, req *kitchenapi.ConfirmCancelRequest) (*kitchenapi.ConfirmCancelResponse, error) {
	return command(ctx, w, "ConfirmCancel", req.OrderId, req.OperationKey, req, func() (*kitchenapi.ConfirmCancelResponse, error) {
		t := w.ticket(req.OrderId)
		if t.state != kitchenapi.TicketState_TICKET_STATE_CANCEL_PENDING || t.cancelID != req.CancelId {
			return nil, fault.Refused("cancel_not_begun", "not begun")
		}
		w.cancelTicket(req.OrderId, t)
		return &kitchenapi.ConfirmCancelResponse{}, nil
	})
}

func (w *world) UndoCancel(ctx context.Context, req *kitchenapi.UndoCancelRequest) (*kitchenapi.UndoCancelResponse, error) {
	return command(ctx, w, "UndoCancel", req.OrderId, req.OperationKey, req, func() (*kitchenapi.UndoCancelResponse, error) {
		t := w.ticket(req.OrderId)
		t.undone[req.CancelId] = true
		if t.state == kitchenapi.TicketState_TICKET_STATE_CANCEL_PENDING && t.cancelID == req.CancelId {
			t.state = t.before
		}
		return &kitchenapi.UndoCancelResponse{}, nil
	})
}

func (w *world) GetTicket(_ context.Context, req *kitchenapi.GetTicketRequest) (*kitchenapi.GetTicketResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queries++
	t := w.ticket(req.OrderId)
	if t.state == kitchenapi.TicketState_TICKET_STATE_UNSPECIFIED {
		return nil, fault.NotFound("ticket")
	}
	return &kitchenapi.GetTicketResponse{Ticket: &kitchenapi.Ticket{OrderId: req.OrderId, State: t.state}}, nil
}

// Accounting.

func (w *world) AuthorizePayment(ctx context.Context, req *accountingapi.AuthorizePaymentRequest) (*accountingapi.AuthorizePaymentResponse, error) {
	return command(ctx, w, "AuthorizePayment", req.OrderId, req.OperationKey, req, func() (*accountingapi.AuthorizePaymentResponse, error) {
		p, b := w.payment(req.OrderId), req.Breakdown
		sum := b.Subtotal.Amount + b.Tax.Amount + b.DeliveryFee.Amount + b.ServiceFee.Amount + b.SmallOrderFee.Amount + b.Tip.Amount
		switch {
		case p.voided:
			return nil, fault.Refused("payment_voided", "voided")
		case sum != req.Amount.Amount:
			return nil, fault.Invalid(fault.Violation{Field: "breakdown", Description: "must sum to the amount"})
		case req.PaymentToken == "tok_decline":
			p.declined = true
			return nil, fault.Refused("card_declined", "declined")
		}
		if w.refuse["AuthorizePayment"] == nil {
			p.authorized = req.Amount.Amount
		}
		return &accountingapi.AuthorizePaymentResponse{}, nil
	})
}

func (w *world) CapturePayment(ctx context.Context, req *accountingapi.CapturePaymentRequest) (*accountingapi.CapturePaymentResponse, error) {
	return command(ctx, w, "CapturePayment", req.OrderId, req.OperationKey, req, func() (*accountingapi.CapturePaymentResponse, error) {
		p := w.payment(req.OrderId)
		switch {
		case w.refuse["CapturePayment"] != nil:
			return nil, w.refuse["CapturePayment"]
		case p.voided || p.authorized == 0 || p.captures > 0:
			return nil, fault.Refused("not_authorized", "not authorised")
		case req.Amount.Amount > p.authorized:
			return nil, fault.Refused("over_authorized", "too much")
		}
		p.captured, p.captures = req.Amount.Amount, p.captures+1
		return &accountingapi.CapturePaymentResponse{}, nil
	})
}

func (w *world) VoidPayment(ctx context.Context, req *accountingapi.VoidPaymentRequest) (*accountingapi.VoidPaymentResponse, error) {
	return command(ctx, w, "VoidPayment", req.OrderId, req.OperationKey, req, func() (*accountingapi.VoidPaymentResponse, error) {
		p := w.payment(req.OrderId)
		if p.captures > 0 {
			return nil, fault.Refused("already_captured", "captured")
		}
		p.voided = true
		return &accountingapi.VoidPaymentResponse{}, nil
	})
}

func (w *world) RefundPayment(ctx context.Context, req *accountingapi.RefundPaymentRequest) (*accountingapi.RefundPaymentResponse, error) {
	return command(ctx, w, "RefundPayment", req.OrderId, req.OperationKey, req, func() (*accountingapi.RefundPaymentResponse, error) {
		p := w.payment(req.OrderId)
		if p.refunded+req.Amount.Amount > p.captured {
			return nil, fault.Refused("over_captured", "too much")
		}
		p.refunded += req.Amount.Amount
		return &accountingapi.RefundPaymentResponse{}, nil
	})
}

// Delivery.

func (w *world) ScheduleDelivery(ctx context.Context, req *deliveryapi.ScheduleDeliveryRequest) (*deliveryapi.ScheduleDeliveryResponse, error) {
	return command(ctx, w, "ScheduleDelivery", req.OrderId, req.OperationKey, req, func() (*deliveryapi.ScheduleDeliveryResponse, error) {
		r := w.road(req.OrderId)
		w.schedule = req
		if r.tombstone {
			return nil, fault.Refused("delivery_cancelled", "cancelled")
		}
		if r.state != deliveryapi.DeliveryState_DELIVERY_STATE_UNSPECIFIED {
			w.broken = append(w.broken, "a second delivery")
		}
		if w.refuse["ScheduleDelivery"] == nil {
			r.state = deliveryapi.DeliveryState_DELIVERY_STATE_UNASSIGNED
		}
		return &deliveryapi.ScheduleDeliveryResponse{}, nil
	})
}

func (w *world) CancelDelivery(ctx context.Context, req *deliveryapi.CancelDeliveryRequest) (*deliveryapi.CancelDeliveryResponse, error) {
	return command(ctx, w, "CancelDelivery", req.OrderId, req.OperationKey, req, func() (*deliveryapi.CancelDeliveryResponse, error) {
		r := w.road(req.OrderId)
		switch r.state {
		case deliveryapi.DeliveryState_DELIVERY_STATE_PICKED_UP, deliveryapi.DeliveryState_DELIVERY_STATE_DELIVERED,
			deliveryapi.DeliveryState_DELIVERY_STATE_FAILED:
			return nil, fault.Refused("delivery_picked_up", "picked up")
		case deliveryapi.DeliveryState_DELIVERY_STATE_UNSPECIFIED:
			r.tombstone = true
		case deliveryapi.DeliveryState_DELIVERY_STATE_UNASSIGNED:
			w.cancelRoad(req.OrderId, r, req.Reason)
		}
		return &deliveryapi.CancelDeliveryResponse{}, nil
	})
}

func (w *world) cancelRoad(orderID string, r *road, reason string) {
	r.state = deliveryapi.DeliveryState_DELIVERY_STATE_CANCELLED
	w.publish("delivery", func(ctx context.Context, tx *database.Tx, c *Core) error {
		return c.DeliveryCancelled(ctx, tx, noMeta, &deliveryapi.DeliveryCancelled{OrderId: orderID, Reason: reason})
	})
}

func (w *world) GetDelivery(_ context.Context, req *deliveryapi.GetDeliveryRequest) (*deliveryapi.GetDeliveryResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.road(req.OrderId)
	if r.state == deliveryapi.DeliveryState_DELIVERY_STATE_UNSPECIFIED {
		return nil, fault.NotFound("delivery")
	}
	return &deliveryapi.GetDeliveryResponse{Delivery: &deliveryapi.Delivery{
		OrderId: req.OrderId, State: r.state, CourierId: "courier", Reason: "damaged",
	}}, nil
}
