package internal

import (
	"time"

	"kerf/platform/fault"
)

// Saga is a durable process manager: it takes an order through steps, each a call to another module under the operation key
// (saga, step), and records each answer before it goes on. An order has at most one.
type Saga struct {
	ID        string
	Kind      SagaKind
	Step      Step
	Data      Data
	Anomaly   string // a refusal that no contract foresees at its step; the saga went on, and an operator should look
	Attempts  int    // answers of unknown outcome to this step, in a row
	StartedAt time.Time
	EndedAt   time.Time
}

// SagaKind names what a saga is for.
type SagaKind string

// The sagas.
const (
	// PlaceSaga brings an order to approval, or undoes what it did and rejects it.
	PlaceSaga SagaKind = "place"
	// DispatchSaga asks for a courier once the restaurant has accepted.
	DispatchSaga SagaKind = "dispatch"
	// CaptureSaga takes the total at pick-up.
	CaptureSaga SagaKind = "capture"
	// RefundSaga gives back what a delivery that failed must not cost.
	RefundSaga SagaKind = "refund"
	// CancelSaga cancels for somebody who asked; kitchen and delivery may still refuse.
	CancelSaga SagaKind = "cancel"
	// UnwindSaga cancels because restaurant or courier fell through; nothing is charged.
	UnwindSaga SagaKind = "unwind"
)

// Step is a call that a saga makes, or one of its ends.
type Step string

// The calls.
const (
	CreateTicket         Step = "create_ticket"
	AuthorizePayment     Step = "authorize_payment"
	ConfirmTicket        Step = "confirm_ticket"
	CancelTicketCreation Step = "cancel_ticket_creation"
	ScheduleDelivery     Step = "schedule_delivery"
	CancelDelivery       Step = "cancel_delivery"
	CaptureTotal         Step = "capture_total"
	CaptureFee           Step = "capture_fee"
	VoidPayment          Step = "void_payment"
	RefundPayment        Step = "refund_payment"
	BeginTicketCancel    Step = "begin_ticket_cancel"
	ConfirmTicketCancel  Step = "confirm_ticket_cancel"
	UndoTicketCancel     Step = "undo_ticket_cancel"
)

// The ends.
const (
	EndApproved     Step = "approved"
	EndRejected     Step = "rejected"
	EndDispatched   Step = "dispatched"
	EndUndispatched Step = "not_dispatched"
	EndCaptured     Step = "captured"
	EndUncaptured   Step = "not_captured"
	EndRefunded     Step = "refunded"
	EndUnrefunded   Step = "not_refunded"
	EndCancelled    Step = "cancelled"
	EndTurnedBack   Step = "turned_back"
)

// Data is what a saga must remember between its steps, and what its calls say that facts could change meanwhile.
type Data struct {
	// Reason is the first refusal, which the order's end names.
	Reason string `json:"reason,omitempty"`
	// Accepted says that the restaurant had accepted when the cancel began.
	Accepted bool `json:"accepted,omitempty"`
	// TicketEnded says that there is no ticket to confirm as cancelled, or to give back.
	TicketEnded bool `json:"ticket_ended,omitempty"`
	// Charge is the fee that was taken.
	Charge int64 `json:"charge,omitempty"`
	// ReadyBy is when the food should be ready, in microseconds since 1970, as the dispatch tells delivery.
	ReadyBy int64 `json:"ready_by,omitempty"`
	// CourierID is who picked the order up, as the capture tells accounting.
	CourierID string `json:"courier_id,omitempty"`
}

// Answer is what the owner of a step's operation said. A nil Refusal is success; anything of unknown outcome is no answer.
type Answer struct {
	Refusal *fault.Error
	// Of BeginTicketCancel.
	Accepted, TicketEnded bool
}

// path says where a step leads.
type path struct {
	answered Step
	refused  Step
	// late is the undo to send when the outcome is still unknown after the saga's limit; the undo wins over the original. Empty: the
	// step is never given up.
	late Step
	// yields leads to the saga's end when the outcome is unknown and a cancel or a setback waits, whose saga sends the undo.
	yields Step
	// skip passes the step without a call, and leads to skipped.
	skip    func(*Order) bool
	skipped Step
	// foreseen says that the contract allows a refusal at this step.
	foreseen bool
}

// sagas is every saga's course.
var sagas = map[SagaKind]map[Step]path{
	PlaceSaga: {
		CreateTicket:         {answered: AuthorizePayment, refused: EndRejected, late: CancelTicketCreation, foreseen: true},
		AuthorizePayment:     {answered: ConfirmTicket, refused: CancelTicketCreation, late: VoidPayment, foreseen: true},
		ConfirmTicket:        {answered: EndApproved, refused: VoidPayment, late: VoidPayment, foreseen: true},
		VoidPayment:          {answered: CancelTicketCreation, refused: CancelTicketCreation},
		CancelTicketCreation: {answered: EndRejected, refused: EndRejected},
	},
	DispatchSaga: {
		ScheduleDelivery: {answered: EndDispatched, refused: EndUndispatched, yields: EndDispatched},
	},
	CaptureSaga: {
		CaptureTotal: {answered: EndCaptured, refused: EndUncaptured},
	},
	RefundSaga: {
		RefundPayment: {answered: EndRefunded, refused: EndUnrefunded},
	},
	CancelSaga: {
		BeginTicketCancel:   {answered: CancelDelivery, refused: EndTurnedBack, foreseen: true},
		CancelDelivery:      {answered: CaptureFee, refused: UndoTicketCancel, skip: notDispatched, skipped: CaptureFee, foreseen: true},
		CaptureFee:          {answered: ConfirmTicketCancel, refused: VoidPayment, skip: noFee, skipped: VoidPayment},
		VoidPayment:         {answered: ConfirmTicketCancel, refused: ConfirmTicketCancel},
		ConfirmTicketCancel: {answered: EndCancelled, refused: EndCancelled, skip: ticketEnded, skipped: EndCancelled},
		UndoTicketCancel:    {answered: EndTurnedBack, refused: EndTurnedBack, skip: ticketEnded, skipped: EndTurnedBack},
	},
	UnwindSaga: {
		BeginTicketCancel:   {answered: CancelDelivery, refused: CancelDelivery, skip: ticketEnded, skipped: CancelDelivery, foreseen: true},
		CancelDelivery:      {answered: VoidPayment, refused: UndoTicketCancel, skip: noDelivery, skipped: VoidPayment, foreseen: true},
		VoidPayment:         {answered: ConfirmTicketCancel, refused: ConfirmTicketCancel},
		ConfirmTicketCancel: {answered: EndCancelled, refused: EndCancelled, skip: ticketEnded, skipped: EndCancelled},
		UndoTicketCancel:    {answered: EndTurnedBack, refused: EndTurnedBack, skip: ticketEnded, skipped: EndTurnedBack},
	},
}

const (
	// placeLimit is how long, in domain time, a diner waits for approval before Place gives up what nobody answers.
	placeLimit = 10 * time.Minute
	// placeAttempts is how often it asks at least, which takes some seconds of real time: at a high speed, minutes pass within one call.
	placeAttempts = 8
	// stuckAttempts is how many answers of unknown outcome in a row make a saga one for the operator. It is still tried.
	stuckAttempts = 10
)

func notDispatched(o *Order) bool { return !o.Dispatched }
func noFee(o *Order) bool         { return o.fee() == 0 }
func ticketEnded(o *Order) bool   { return o.Saga.Data.TicketEnded }

// noDelivery holds where no delivery was asked for, and where delivery itself called it off.
func noDelivery(o *Order) bool { return !o.Dispatched || !endsTicket(o.Setback) }

func endsTicket(setback string) bool {
	switch Trigger(setback) {
	case TicketRejected, TicketExpired, TicketCancelled:
		return true
	}
	return false
}

// begin makes the order's new saga.
func (o *Order) begin(kind SagaKind, first Step, id string, now time.Time) {
	if kind == CancelSaga || kind == UnwindSaga {
		row, ok := o.State.on(CancelBegun)
		if !ok {
			return
		}
		o.move(row.To, now)
	}
	o.Saga = &Saga{ID: id, Kind: kind, StartedAt: now}
	switch kind {
	case DispatchSaga:
		readyBy := o.ReadyBy
		if readyBy.IsZero() { // a later fact was heard before the acceptance, which says it
			readyBy = now
		}
		o.Saga.Data.ReadyBy = readyBy.UnixMicro()
	case CaptureSaga:
		o.Saga.Data.CourierID = o.CourierID
	case UnwindSaga:
		o.Saga.Data.TicketEnded = endsTicket(o.Setback)
	}
	o.changes.begun = true
	o.goTo(first, now)
}

// Answered records the answer to the step that the saga is at, and takes it to its next step or to its end.
func (o *Order) Answered(a Answer, now time.Time) {
	s := o.Saga
	p := sagas[s.Kind][s.Step]
	if a.Refusal == nil {
		o.keep(a)
		o.goTo(p.answered, now)
		return
	}
	s.Data.Reason = or(s.Data.Reason, reasonOf(s.Step, a.Refusal))
	if !p.foreseen {
		s.Anomaly = or(s.Anomaly, string(s.Step)+": "+a.Refusal.Code)
	}
	if s.Kind == UnwindSaga && s.Step == BeginTicketCancel {
		s.Data.TicketEnded = true // handed over already: nothing to hold, and nothing to give back
	}
	o.goTo(p.refused, now)
}

// keep holds on to what a success tells.
func (o *Order) keep(a Answer) {
	d := &o.Saga.Data
	switch o.Saga.Step {
	case BeginTicketCancel:
		d.Accepted, d.TicketEnded = a.Accepted, a.TicketEnded
	case CaptureFee:
		d.Charge = o.fee()
	}
}

// Unanswered records that the outcome of the step is unknown. It reports whether the saga turned to another step, or ended; else the
// same step is asked again with the same key.
func (o *Order) Unanswered(now time.Time) (turned bool) {
	s := o.Saga
	s.Attempts++
	o.changes.stepped = true
	p := sagas[s.Kind][s.Step]
	switch {
	case p.late != "" && s.Attempts >= placeAttempts && now.Sub(s.StartedAt) > placeLimit && o.Furthest == Approved && o.Setback == "":
		// A fact of the kitchen would tell that the ticket was confirmed: then there is nothing to doubt, and the step is asked again.
		s.Data.Reason = or(s.Data.Reason, "timed_out")
		o.goTo(p.late, now)
		return true
	case p.yields != "" && (o.CancelBy != "" || o.Setback != ""):
		o.goTo(p.yields, now)
		return true
	}
	return false
}

// Stuck tells whether the saga's step has been asked in vain so often that an operator should look. It is still asked.
func (s *Saga) Stuck() bool { return s.Attempts >= stuckAttempts }

// goTo takes the saga to a step, past those that it can skip, and to its end.
func (o *Order) goTo(to Step, now time.Time) {
	s := o.Saga
	for {
		s.Step, s.Attempts, o.changes.stepped = to, 0, true
		p, ok := sagas[s.Kind][to]
		if !ok {
			o.finish(now)
			return
		}
		if p.skip == nil || !p.skip(o) {
			return
		}
		to = p.skipped
	}
}

// finish ends the saga with what its end means for the order. The caller takes the order up again.
func (o *Order) finish(now time.Time) {
	s := o.Saga
	s.EndedAt = now
	o.changes.order = true
	switch s.Step {
	case EndApproved:
		o.approve(now)
	case EndRejected:
		o.end(ApprovalRefused, s.Data.Reason, 0, now)
	case EndDispatched:
		o.Dispatched = true
	case EndUndispatched:
		o.setBack("delivery_refused")
	case EndCaptured:
		total := o.Price.Total
		o.Captured = &total
	case EndUncaptured:
		o.Captured = new(int64)
	case EndRefunded:
		o.end(FailureSettled, o.Failure, *o.Captured-o.refund(), now)
	case EndUnrefunded:
		o.end(FailureSettled, o.Failure, *o.Captured, now)
	case EndCancelled:
		o.end(CancelDone, o.cancelReason(), s.Data.Charge, now)
	case EndTurnedBack:
		o.turnBack(s.Data.Reason, now)
	}
	o.Saga, o.changes.stepped = nil, false
	o.changes.ended = append(o.changes.ended, s)
}

func (o *Order) approve(now time.Time) {
	row, ok := o.State.on(ApprovalGiven)
	if !ok {
		return
	}
	o.PaymentToken = ""
	o.HeardAt = now
	o.move(row.To, now)
	o.publish(approvedEvent(o))
	o.changes.approved = true
}

func (o *Order) cancelReason() string {
	if o.Saga.Kind == UnwindSaga {
		return o.Setback
	}
	return cancelledBy(o.CancelBy)
}

// turnBack gives up a cancel that kitchen or delivery refused: the order shows its furthest fact again.
func (o *Order) turnBack(reason string, now time.Time) {
	row, ok := o.State.on(CancelTurned)
	if !ok {
		return
	}
	o.CancelBy, o.CancelReason = "", ""
	if o.Saga.Kind == UnwindSaga { // refused because the courier has the food after all: the setback was none
		o.Setback = ""
	}
	o.move(row.To, now)
	o.publish(cancelRefusedEvent(o, reason))
}

// reasonOf names a refusal for the diner: the owner's code where it is a business rule's, else whose refusal it was.
func reasonOf(s Step, refusal *fault.Error) string {
	if refusal.Kind == fault.KindRefused {
		return refusal.Code
	}
	switch s {
	case AuthorizePayment:
		return "payment_refused"
	case CancelDelivery, ScheduleDelivery:
		return "delivery_refused"
	}
	return "ticket_refused"
}
