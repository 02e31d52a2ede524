package internal

import (
	"strings"

	"kerf/platform/fault"
)

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Unassigned State = "UNASSIGNED"
	Offered    State = "OFFERED"
	Assigned   State = "ASSIGNED"
	AtPickup   State = "AT_PICKUP"
	PickedUp   State = "PICKED_UP"
	AtDropoff  State = "AT_DROPOFF"
	Delivered  State = "DELIVERED"
	Failed     State = "FAILED"
	Returned   State = "RETURNED"
	Cancelled  State = "CANCELLED"
)

// states are all of them, in the order of a delivery's life.
var states = []State{Unassigned, Offered, Assigned, AtPickup, PickedUp, AtDropoff, Delivered, Failed, Returned, Cancelled}

// held tells whether a courier is taken up by a delivery in this state. The unique index delivery_of_courier is over the same states.
func (s State) held() bool {
	switch s {
	case Offered, Assigned, AtPickup, PickedUp, AtDropoff, Failed:
		return true
	}
	return false
}

// arriving tells whether the diner still waits for a delivery in this state.
func (s State) arriving() bool {
	switch s {
	case Unassigned, Offered, Assigned, AtPickup, PickedUp, AtDropoff:
		return true
	}
	return false
}

// Trigger is what may happen to a delivery.
type Trigger string

// The triggers: what a round does, what the courier does, what support and sagas ask for, and what time brings.
const (
	Offer  Trigger = "Offer"
	GiveUp Trigger = "no courier in time"

	AcceptOffer     Trigger = "AcceptOffer"
	DeclineOffer    Trigger = "DeclineOffer"
	CourierOffline  Trigger = "GoOffline"
	ArriveAtPickup  Trigger = "ArriveAtPickup"
	ConfirmPickup   Trigger = "ConfirmPickup"
	ArriveAtDropoff Trigger = "ArriveAtDropoff"
	ConfirmDelivery Trigger = "ConfirmDelivery"
	Fail            Trigger = "Fail"
	Return          Trigger = "Return"

	Reassign    Trigger = "Reassign"
	Cancel      Trigger = "CancelDelivery"
	OfferLapses Trigger = "offer lapses"
)

var triggers = []Trigger{
	Offer, GiveUp, AcceptOffer, DeclineOffer, CourierOffline, ArriveAtPickup, ConfirmPickup, ArriveAtDropoff, ConfirmDelivery,
	Fail, Return, Reassign, Cancel, OfferLapses,
}

// Effect is what a transition does beside changing the state. That a courier is taken up, or set free, follows from the states.
type Effect string

// Effects that publish carry the event's name; of the others, Nothing leaves the delivery as it is, its version included.
const (
	Nothing    Effect = ""
	AskCourier Effect = "offer it, and let the offer lapse unless accepted in time"
	TakeBack   Effect = "note that the food is back"

	PublishAssigned         Effect = "CourierAssigned"
	PublishUnassigned       Effect = "CourierUnassigned"
	PublishArrivedAtPickup  Effect = "CourierArrived at pickup"
	PublishPickedUp         Effect = "OrderPickedUp"
	PublishArrivedAtDropoff Effect = "CourierArrived at dropoff"
	PublishDroppedOff       Effect = "OrderDroppedOff"
	PublishFailed           Effect = "DeliveryFailed"
	PublishCancelled        Effect = "DeliveryCancelled"
)

// transition is one row of the machine.
type transition struct {
	from    State
	trigger Trigger
	to      State
	effect  Effect
}

// transitions is the whole machine of a delivery: what is not here is refused with refusal's code. An offer that lapses, and giving
// up, come from timers: they do nothing where they are too late.
var transitions = []transition{
	{Unassigned, Offer, Offered, AskCourier},
	{Unassigned, GiveUp, Cancelled, PublishCancelled},
	{Unassigned, Cancel, Cancelled, PublishCancelled},
	{Unassigned, OfferLapses, Unassigned, Nothing},

	{Offered, AcceptOffer, Assigned, PublishAssigned},
	{Offered, DeclineOffer, Unassigned, PublishUnassigned},
	{Offered, OfferLapses, Unassigned, PublishUnassigned},
	{Offered, CourierOffline, Unassigned, PublishUnassigned},
	{Offered, Reassign, Unassigned, PublishUnassigned},
	{Offered, Cancel, Cancelled, PublishCancelled},
	{Offered, GiveUp, Offered, Nothing},

	{Assigned, ArriveAtPickup, AtPickup, PublishArrivedAtPickup},
	{Assigned, CourierOffline, Unassigned, PublishUnassigned},
	{Assigned, Reassign, Unassigned, PublishUnassigned},
	{Assigned, Cancel, Cancelled, PublishCancelled},
	{Assigned, OfferLapses, Assigned, Nothing},
	{Assigned, GiveUp, Assigned, Nothing},

	{AtPickup, ConfirmPickup, PickedUp, PublishPickedUp},
	{AtPickup, CourierOffline, Unassigned, PublishUnassigned},
	{AtPickup, Reassign, Unassigned, PublishUnassigned},
	{AtPickup, Cancel, Cancelled, PublishCancelled},
	{AtPickup, OfferLapses, AtPickup, Nothing},
	{AtPickup, GiveUp, AtPickup, Nothing},

	{PickedUp, ArriveAtDropoff, AtDropoff, PublishArrivedAtDropoff},
	{PickedUp, Fail, Failed, PublishFailed},
	{PickedUp, OfferLapses, PickedUp, Nothing},
	{PickedUp, GiveUp, PickedUp, Nothing},

	{AtDropoff, ConfirmDelivery, Delivered, PublishDroppedOff},
	{AtDropoff, Fail, Failed, PublishFailed},
	{AtDropoff, OfferLapses, AtDropoff, Nothing},
	{AtDropoff, GiveUp, AtDropoff, Nothing},

	{Delivered, OfferLapses, Delivered, Nothing},
	{Delivered, GiveUp, Delivered, Nothing},

	// The courier still has the food, and is free when it is back.
	{Failed, Return, Returned, TakeBack},
	{Failed, OfferLapses, Failed, Nothing},
	{Failed, GiveUp, Failed, Nothing},

	{Returned, OfferLapses, Returned, Nothing},
	{Returned, GiveUp, Returned, Nothing},

	{Cancelled, Cancel, Cancelled, Nothing},
	{Cancelled, OfferLapses, Cancelled, Nothing},
	{Cancelled, GiveUp, Cancelled, Nothing},
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
	switch t {
	case Cancel:
		return fault.Refused("delivery_picked_up", "the courier has the food, or had it")
	case CourierOffline:
		return fault.Refused("courier_carries", "the courier has the food of an order")
	}
	return fault.Refused("delivery_"+strings.ToLower(string(s)), "the delivery is %s", s)
}

// CourierState is where a courier stands.
type CourierState string

// The states of a courier. BUSY begins with an offer, so that nobody is offered two orders at a time.
const (
	Offline   CourierState = "OFFLINE"
	Available CourierState = "AVAILABLE"
	Busy      CourierState = "BUSY"
)

var courierStates = []CourierState{Offline, Available, Busy}

// CourierTrigger is what may happen to a courier.
type CourierTrigger string

// The triggers of a courier: the shift, and what becomes of the delivery.
const (
	GoOnline  CourierTrigger = "GoOnline"
	GoOffline CourierTrigger = "GoOffline"
	Take      CourierTrigger = "is offered a delivery"
	Free      CourierTrigger = "has no delivery any more"
)

var courierTriggers = []CourierTrigger{GoOnline, GoOffline, Take, Free}

type courierOccasion struct {
	state   CourierState
	trigger CourierTrigger
}

// courierMachine is the whole machine of a courier: what is not here is refused with courierRefusal's code. A courier that is BUSY
// goes offline only if its delivery can be given back, which is the delivery's machine to say.
var courierMachine = map[courierOccasion]CourierState{
	{Offline, GoOnline}:    Available,
	{Available, Take}:      Busy,
	{Available, GoOffline}: Offline,
	{Busy, Free}:           Available,
	{Busy, GoOffline}:      Offline,
}

// courierRefusal answers a trigger that the table does not have in a state.
func courierRefusal(s CourierState, t CourierTrigger) error {
	if t == GoOnline {
		return fault.Refused("courier_on_shift", "the courier is on shift")
	}
	return fault.Refused("courier_"+strings.ToLower(string(s)), "the courier is %s", s)
}
