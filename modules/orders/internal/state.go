package internal

// State is what an order shows of itself.
type State string

// The states of an order. REJECTED, DELIVERED, UNDELIVERABLE and CANCELLED are its ends.
const (
	Pending       State = "PENDING"
	Rejected      State = "REJECTED"
	Approved      State = "APPROVED"
	Accepted      State = "ACCEPTED"
	Preparing     State = "PREPARING"
	Ready         State = "READY"
	PickedUp      State = "PICKED_UP"
	Delivered     State = "DELIVERED"
	Undeliverable State = "UNDELIVERABLE"
	CancelPending State = "CANCEL_PENDING"
	Cancelled     State = "CANCELLED"
)

// States lists every state in the order of a life that goes well, then its other ways and ends.
var States = [...]State{
	Pending, Approved, Accepted, Preparing, Ready, PickedUp, Delivered,
	CancelPending, Rejected, Undeliverable, Cancelled,
}

// rank orders the states through which an order moves forward, and the facts that move it: only a higher one moves it on.
func (s State) rank() int {
	for i, each := range States[:7] {
		if each == s {
			return i
		}
	}
	return -1
}

// Terminal tells whether the order has ended; it never leaves such a state.
func (s State) Terminal() bool {
	switch s {
	case Rejected, Delivered, Undeliverable, Cancelled:
		return true
	}
	return false
}

// Known tells whether s is a state at all.
func (s State) Known() bool {
	for _, each := range States {
		if each == s {
			return true
		}
	}
	return false
}

// Trigger is what happens to an order: a fact that another module published, a diner's or restaurant's wish, or the end of a saga.
type Trigger string

const (
	// Facts of the kitchen.
	TicketAccepted     Trigger = "ticket_accepted"
	PreparationStarted Trigger = "preparation_started"
	TicketReady        Trigger = "ticket_ready"
	TicketRejected     Trigger = "ticket_rejected"
	TicketExpired      Trigger = "ticket_expired"
	TicketCancelled    Trigger = "ticket_cancelled"
	// Facts of delivery.
	OrderPickedUp     Trigger = "order_picked_up"
	OrderDroppedOff   Trigger = "order_dropped_off"
	DeliveryFailed    Trigger = "delivery_failed"
	DeliveryCancelled Trigger = "delivery_cancelled"
	// A wish.
	CancelAsked Trigger = "cancel_asked"
	// What the sagas bring about.
	ApprovalGiven   Trigger = "approval_given"
	ApprovalRefused Trigger = "approval_refused"
	CancelBegun     Trigger = "cancel_begun"
	CancelTurned    Trigger = "cancel_turned_back"
	CancelDone      Trigger = "cancel_done"
	DeliverySettled Trigger = "delivery_settled"
	FailureSettled  Trigger = "failure_settled"
)

// Triggers lists every trigger.
var Triggers = [...]Trigger{
	TicketAccepted, PreparationStarted, TicketReady, TicketRejected, TicketExpired, TicketCancelled,
	OrderPickedUp, OrderDroppedOff, DeliveryFailed, DeliveryCancelled,
	CancelAsked,
	ApprovalGiven, ApprovalRefused, CancelBegun, CancelTurned, CancelDone, DeliverySettled, FailureSettled,
}

// Effect says what a trigger does besides the state it leads to.
type Effect string

const (
	// Remember records the trigger; the saga that runs, or the next one, takes it up.
	Remember Effect = "remember"
	// Advance records the trigger and shows the furthest fact, which may be a later one.
	Advance Effect = "advance"
	// Publish moves the order and tells everybody.
	Publish Effect = "publish"
	// Ignore drops a trigger that comes too late to matter.
	Ignore Effect = "ignore"
	// Refuse answers that this cannot be done in this state.
	Refuse Effect = "refuse"
)

// Furthest stands in the table for the state of the furthest fact heard of, at most PICKED_UP: DELIVERED is shown when the money
// is settled too, so that no authorisation is held for an order that has ended.
const Furthest State = "(furthest fact)"

// Transition is a row of the state machine.
type Transition struct {
	From   State
	On     Trigger
	To     State
	Effect Effect
}

// transitions is the machine of an order. What it does not list is Ignore for a fact in a terminal state, and a defect for all else.
var transitions = machine(
	rows(Pending, Pending, Remember, TicketAccepted, PreparationStarted, TicketReady, TicketRejected, TicketExpired, TicketCancelled,
		OrderPickedUp, OrderDroppedOff, DeliveryFailed, DeliveryCancelled),
	rows(Pending, Pending, Remember, CancelAsked),
	rows(Pending, Furthest, Publish, ApprovalGiven),
	rows(Pending, Rejected, Publish, ApprovalRefused),

	before(func(s State) []Transition {
		return concat(
			rows(s, Furthest, Advance, TicketAccepted, PreparationStarted, TicketReady, OrderPickedUp, OrderDroppedOff, DeliveryFailed),
			rows(s, s, Remember, TicketRejected, TicketExpired, TicketCancelled, DeliveryCancelled),
			rows(s, s, Remember, CancelAsked),
			rows(s, CancelPending, Publish, CancelBegun),
		)
	}),

	rows(PickedUp, PickedUp, Ignore, TicketAccepted, PreparationStarted, TicketReady, TicketRejected, TicketExpired, TicketCancelled,
		OrderPickedUp, DeliveryCancelled),
	rows(PickedUp, PickedUp, Remember, OrderDroppedOff, DeliveryFailed),
	rows(PickedUp, PickedUp, Refuse, CancelAsked),
	rows(PickedUp, Delivered, Publish, DeliverySettled),
	rows(PickedUp, Undeliverable, Publish, FailureSettled),

	rows(CancelPending, CancelPending, Remember, TicketAccepted, PreparationStarted, TicketReady, TicketRejected, TicketExpired,
		TicketCancelled, OrderPickedUp, OrderDroppedOff, DeliveryFailed, DeliveryCancelled),
	rows(CancelPending, CancelPending, Ignore, CancelAsked),
	rows(CancelPending, Furthest, Publish, CancelTurned),
	rows(CancelPending, Cancelled, Publish, CancelDone),

	ended(func(s State) []Transition {
		return concat(
			rows(s, s, Ignore, TicketAccepted, PreparationStarted, TicketReady, TicketRejected, TicketExpired, TicketCancelled,
				OrderPickedUp, OrderDroppedOff, DeliveryFailed, DeliveryCancelled),
			rows(s, s, Refuse, CancelAsked),
		)
	}),
)

// on looks a trigger up; false means that it cannot happen in this state.
func (s State) on(t Trigger) (Transition, bool) {
	row, ok := transitions[edge{s, t}]
	return row, ok
}

type edge struct {
	from State
	on   Trigger
}

func machine(parts ...[]Transition) map[edge]Transition {
	table := map[edge]Transition{}
	for _, row := range concat(parts...) {
		table[edge{row.From, row.On}] = row
	}
	return table
}

// rows is one row for each trigger.
func rows(from, to State, effect Effect, triggers ...Trigger) []Transition {
	out := make([]Transition, len(triggers))
	for i, t := range triggers {
		out[i] = Transition{From: from, On: t, To: to, Effect: effect}
	}
	return out
}

// before repeats rows for the states between approval and pick-up, in which an order can still be cancelled.
func before(f func(State) []Transition) []Transition {
	return concat(f(Approved), f(Accepted), f(Preparing), f(Ready))
}

// ended repeats rows for the terminal states.
func ended(f func(State) []Transition) []Transition {
	return concat(f(Rejected), f(Delivered), f(Undeliverable), f(Cancelled))
}

func concat(parts ...[]Transition) []Transition {
	var all []Transition
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
