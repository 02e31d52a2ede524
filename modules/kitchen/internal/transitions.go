package internal

import (
	"strings"

	"kerf/platform/fault"
)

// State is where a ticket stands.
type State string

// The states of a ticket. Before is none: in the table it stands for the state that a ticket had when its cancel began.
const (
	Created            State = "CREATED"
	AwaitingAcceptance State = "AWAITING_ACCEPTANCE"
	Accepted           State = "ACCEPTED"
	Preparing          State = "PREPARING"
	Ready              State = "READY"
	PickedUp           State = "PICKED_UP"
	Rejected           State = "REJECTED"
	Expired            State = "EXPIRED"
	CancelPending      State = "CANCEL_PENDING"
	Cancelled          State = "CANCELLED"

	Before State = "(as before the cancel)"
)

// states are all of them, in the order of a ticket's life.
var states = []State{
	Created, AwaitingAcceptance, Accepted, Preparing, Ready, PickedUp, Rejected, Expired, CancelPending, Cancelled,
}

// ended tells whether nothing can happen to the ticket any more.
func (s State) ended() bool {
	return s == PickedUp || s == Rejected || s == Expired || s == Cancelled
}

// Trigger is what may happen to a ticket.
type Trigger string

// The triggers: what sagas ask for, what the restaurant does, and what time and the road bring.
const (
	Confirm        Trigger = "ConfirmTicket"
	CancelCreation Trigger = "CancelTicketCreation"
	BeginCancel    Trigger = "BeginCancel"
	ConfirmCancel  Trigger = "ConfirmCancel"
	UndoCancel     Trigger = "UndoCancel"

	Accept           Trigger = "Accept"
	Reject           Trigger = "Reject"
	StartPreparation Trigger = "StartPreparing"
	MarkReady        Trigger = "MarkReady"
	Delay            Trigger = "Delay"
	HandOver         Trigger = "HandOver"

	Expire          Trigger = "acceptance expires"
	CourierPickedUp Trigger = "OrderPickedUp"
)

var triggers = []Trigger{
	Confirm, CancelCreation, BeginCancel, ConfirmCancel, UndoCancel,
	Accept, Reject, StartPreparation, MarkReady, Delay, HandOver, Expire, CourierPickedUp,
}

// Effect is what a transition does beside changing the state.
type Effect string

// Effects that publish carry the event's name; of the others, Nothing leaves the ticket as it is, its version included.
const (
	Nothing        Effect = ""
	AskRestaurant  Effect = "show it to the restaurant, and expire it unless accepted in time"
	HoldCancel     Effect = "remember the state"
	TakeCancelBack Effect = "forget the cancel"
	RememberPickUp Effect = "undone, the cancel leads to PICKED_UP"

	PublishAccepted   Effect = "TicketAccepted"
	PublishRejected   Effect = "TicketRejected"
	PublishExpired    Effect = "TicketExpired"
	PublishPreparing  Effect = "PreparationStarted"
	PublishReady      Effect = "TicketReady"
	PublishDelayed    Effect = "TicketDelayed"
	PublishHandedOver Effect = "TicketHandedOver"
	PublishCancelled  Effect = "TicketCancelled"
)

// transition is one row of the machine.
type transition struct {
	from    State
	trigger Trigger
	to      State
	effect  Effect
}

// transitions is the whole machine: what is not here is refused with refusal's code. Commands of sagas are answered with Nothing
// where what they ask for has come true already, so that an undo never fails for a business reason.
var transitions = []transition{
	{Created, Confirm, AwaitingAcceptance, AskRestaurant},
	{Created, CancelCreation, Cancelled, PublishCancelled},
	{Created, BeginCancel, CancelPending, HoldCancel},
	{Created, UndoCancel, Created, Nothing},
	{Created, Expire, Created, Nothing},
	{Created, CourierPickedUp, Created, Nothing},

	{AwaitingAcceptance, Confirm, AwaitingAcceptance, Nothing},
	{AwaitingAcceptance, CancelCreation, Cancelled, PublishCancelled},
	{AwaitingAcceptance, Accept, Accepted, PublishAccepted},
	{AwaitingAcceptance, Reject, Rejected, PublishRejected},
	{AwaitingAcceptance, Expire, Expired, PublishExpired},
	{AwaitingAcceptance, BeginCancel, CancelPending, HoldCancel},
	{AwaitingAcceptance, UndoCancel, AwaitingAcceptance, Nothing},
	{AwaitingAcceptance, CourierPickedUp, AwaitingAcceptance, Nothing},

	{Accepted, Confirm, Accepted, Nothing},
	{Accepted, CancelCreation, Cancelled, PublishCancelled},
	{Accepted, StartPreparation, Preparing, PublishPreparing},
	{Accepted, Delay, Accepted, PublishDelayed},
	{Accepted, BeginCancel, CancelPending, HoldCancel},
	{Accepted, UndoCancel, Accepted, Nothing},
	{Accepted, Expire, Accepted, Nothing},
	{Accepted, CourierPickedUp, PickedUp, PublishHandedOver},

	{Preparing, Confirm, Preparing, Nothing},
	{Preparing, CancelCreation, Cancelled, PublishCancelled},
	{Preparing, MarkReady, Ready, PublishReady},
	{Preparing, Delay, Preparing, PublishDelayed},
	{Preparing, BeginCancel, CancelPending, HoldCancel},
	{Preparing, UndoCancel, Preparing, Nothing},
	{Preparing, Expire, Preparing, Nothing},
	{Preparing, CourierPickedUp, PickedUp, PublishHandedOver},

	{Ready, Confirm, Ready, Nothing},
	{Ready, CancelCreation, Cancelled, PublishCancelled},
	{Ready, HandOver, PickedUp, PublishHandedOver},
	{Ready, BeginCancel, CancelPending, HoldCancel},
	{Ready, UndoCancel, Ready, Nothing},
	{Ready, Expire, Ready, Nothing},
	{Ready, CourierPickedUp, PickedUp, PublishHandedOver},

	// BeginCancel is refused here, and answered in the other ended states, where there is nothing left to cancel.
	{PickedUp, Confirm, PickedUp, Nothing},
	{PickedUp, CancelCreation, PickedUp, Nothing},
	{PickedUp, UndoCancel, PickedUp, Nothing},
	{PickedUp, Expire, PickedUp, Nothing},
	{PickedUp, CourierPickedUp, PickedUp, Nothing},

	{Rejected, Confirm, Rejected, Nothing},
	{Rejected, CancelCreation, Rejected, Nothing},
	{Rejected, BeginCancel, Rejected, Nothing},
	{Rejected, ConfirmCancel, Rejected, Nothing},
	{Rejected, UndoCancel, Rejected, Nothing},
	{Rejected, Expire, Rejected, Nothing},
	{Rejected, CourierPickedUp, Rejected, Nothing},

	{Expired, Confirm, Expired, Nothing},
	{Expired, CancelCreation, Expired, Nothing},
	{Expired, BeginCancel, Expired, Nothing},
	{Expired, ConfirmCancel, Expired, Nothing},
	{Expired, UndoCancel, Expired, Nothing},
	{Expired, Expire, Expired, Nothing},
	{Expired, CourierPickedUp, Expired, Nothing},

	{CancelPending, CancelCreation, Cancelled, PublishCancelled},
	{CancelPending, ConfirmCancel, Cancelled, PublishCancelled},
	{CancelPending, UndoCancel, Before, TakeCancelBack},
	{CancelPending, Expire, CancelPending, Nothing}, // taken up again when the cancel is undone
	{CancelPending, CourierPickedUp, CancelPending, RememberPickUp},

	{Cancelled, CancelCreation, Cancelled, Nothing},
	{Cancelled, BeginCancel, Cancelled, Nothing},
	{Cancelled, ConfirmCancel, Cancelled, Nothing},
	{Cancelled, Expire, Cancelled, Nothing},
	{Cancelled, CourierPickedUp, Cancelled, Nothing},
}

type occasion struct {
	state   State
	trigger Trigger
}

// machine is transitions by what it is looked up with; nobody writes it after this.
var machine = func() map[occasion]transition {
	m := make(map[occasion]transition, len(transitions))
	for _, t := range transitions {
		m[occasion{t.from, t.trigger}] = t
	}
	return m
}()

// refusal answers a trigger that the table does not have in a state.
func refusal(s State, t Trigger) error {
	code := "ticket_" + strings.ToLower(string(s))
	if s == CancelPending {
		code = "cancel_pending"
	}
	if t == ConfirmCancel {
		code = "cancel_not_begun"
	}
	return fault.Refused(code, "the ticket is %s", s)
}
