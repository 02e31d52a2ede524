package internal

import (
	"crypto/subtle"
	"slices"
	"time"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

// Delivery is an order as the road sees it.
type Delivery struct {
	OrderID      string
	Version      int64
	State        State
	Reason       string
	ConsumerID   string
	RestaurantID string
	Pickup       geo.Position
	Dropoff      geo.Position
	// PickupCode is what the courier must name at the counter, and DeliveryPIN what the diner names at the door. Nobody is shown them
	// by this module.
	PickupCode  string
	DeliveryPIN string
	// CourierID is who is offered the delivery, has it, or had it at its end.
	CourierID string
	// WrongCodes counts the wrong codes that were named in a row, the last at WrongCodeAt.
	WrongCodes  int64
	WrongCodeAt time.Time

	OfferExpiresAt time.Time
	// ReadyBy is when the kitchen promises the food; ReadyAt when it said that it waits.
	ReadyBy time.Time
	ReadyAt time.Time
	// Eta is the arrival that was expected when the range of EtaEarliest and EtaLatest was last told.
	Eta         time.Time
	EtaEarliest time.Time
	EtaLatest   time.Time
	PickedUpAt  time.Time
	DeliveredAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// NoCourier is why a delivery is cancelled that nobody could take in time.
const NoCourier = "no_courier"

// Why a delivery was given back.
const (
	becauseDeclined   = "declined"
	becauseTimedOut   = "timed_out"
	becauseOffline    = "offline"
	becauseReassigned = "reassigned"
)

// failures are the reasons for which an order that was picked up does not reach its diner.
var failures = []string{"consumer_absent", "consumer_refused", "wrong_address", "damaged", "accident"}

// A courier who names this many wrong codes in a row has to wait before the next, so that trying them all takes days.
const (
	maxWrongCodes  = 5
	wrongCodePause = 10 * time.Minute
)

// tombstone is the delivery of an order whose delivery must never be scheduled.
func tombstone(orderID, reason string, now time.Time) *Delivery {
	return &Delivery{OrderID: orderID, Version: 1, State: Cancelled, Reason: reason, CreatedAt: now, UpdatedAt: now}
}

// isTombstone tells whether the delivery was cancelled before it was scheduled. It is shown to nobody.
func (d *Delivery) isTombstone() bool { return d.RestaurantID == "" }

// foodAt is when the food waits for its courier, as far as is known.
func (d *Delivery) foodAt() time.Time {
	if !d.ReadyAt.IsZero() {
		return d.ReadyAt
	}
	return d.ReadyBy
}

// assigned returns the courier who has the delivery; an offer is not one yet.
func (d *Delivery) assigned() string {
	if d.State == Offered {
		return ""
	}
	return d.CourierID
}

// fire takes the trigger's row of the machine, or refuses. It changes the state and the version; what else the trigger brings is
// the caller's to set. After an error, here and in the methods below, the delivery is to be thrown away with its transaction.
func (d *Delivery) fire(trigger Trigger, now time.Time) (Effect, error) {
	row, ok := machine[occasion{d.State, trigger}]
	if !ok {
		return Nothing, refusal(d.State, trigger)
	}
	if row.effect == Nothing {
		return Nothing, nil
	}
	d.State = row.to
	d.touch(now)
	return row.effect, nil
}

func (d *Delivery) touch(now time.Time) {
	d.Version++
	d.UpdatedAt = now
}

// Offer asks a courier to take the delivery.
func (d *Delivery) Offer(courierID string, expires, now time.Time) (Effect, error) {
	effect, err := d.fire(Offer, now)
	if err == nil {
		d.CourierID, d.OfferExpiresAt, d.Reason = courierID, expires, ""
	}
	return effect, err
}

// AcceptOffer is the courier's yes. Only the timer ends the time for it, so a yes that comes before the timer still counts.
func (d *Delivery) AcceptOffer(now time.Time) (Effect, error) {
	effect, err := d.fire(AcceptOffer, now)
	if err == nil {
		d.OfferExpiresAt = time.Time{}
	}
	return effect, err
}

// DeclineOffer is the courier's no.
func (d *Delivery) DeclineOffer(now time.Time) (Effect, error) {
	return d.giveBack(DeclineOffer, becauseDeclined, now)
}

// OfferLapses gives an offer back that nobody answered in time. Before its time is over it does nothing.
func (d *Delivery) OfferLapses(now time.Time) (Effect, error) {
	if d.State == Offered && now.Before(d.OfferExpiresAt) {
		return Nothing, nil
	}
	return d.giveBack(OfferLapses, becauseTimedOut, now)
}

// CourierOffline gives the delivery back because its courier ends the shift.
func (d *Delivery) CourierOffline(now time.Time) (Effect, error) {
	return d.giveBack(CourierOffline, becauseOffline, now)
}

// Reassign takes the delivery from its courier, to be offered anew.
func (d *Delivery) Reassign(now time.Time) (Effect, error) {
	return d.giveBack(Reassign, becauseReassigned, now)
}

func (d *Delivery) giveBack(trigger Trigger, because string, now time.Time) (Effect, error) {
	effect, err := d.fire(trigger, now)
	if effect == PublishUnassigned {
		d.CourierID, d.OfferExpiresAt, d.Reason = "", time.Time{}, because
		d.WrongCodes, d.WrongCodeAt = 0, time.Time{}
	}
	return effect, err
}

// ArriveAtPickup says that the courier is at the counter.
func (d *Delivery) ArriveAtPickup(now time.Time) (Effect, error) { return d.fire(ArriveAtPickup, now) }

// ConfirmPickup says that the courier has the food, by naming the code.
func (d *Delivery) ConfirmPickup(code string, now time.Time) (Effect, error) {
	effect, err := d.fire(ConfirmPickup, now)
	if err != nil {
		return effect, err
	}
	if err := d.check(code, d.PickupCode, now); err != nil {
		return Nothing, err
	}
	d.PickedUpAt = now
	d.WrongCodes, d.WrongCodeAt = 0, time.Time{}
	return effect, nil
}

// ArriveAtDropoff says that the courier is at the door.
func (d *Delivery) ArriveAtDropoff(now time.Time) (Effect, error) {
	return d.fire(ArriveAtDropoff, now)
}

// ConfirmDelivery says that the diner has the food, by naming the diner's PIN.
func (d *Delivery) ConfirmDelivery(pin string, now time.Time) (Effect, error) {
	effect, err := d.fire(ConfirmDelivery, now)
	if err != nil {
		return effect, err
	}
	if err := d.check(pin, d.DeliveryPIN, now); err != nil {
		return Nothing, err
	}
	d.DeliveredAt = now
	return effect, nil
}

// Fail says why the order does not reach its diner.
func (d *Delivery) Fail(reason string, now time.Time) (Effect, error) {
	effect, err := d.fire(Fail, now)
	if err != nil {
		return effect, err
	}
	if !slices.Contains(failures, reason) {
		return Nothing, fault.Invalid(fault.Violation{Field: "reason", Description: "must be one of the reasons that the API names"})
	}
	d.Reason = reason
	return effect, nil
}

// Return says that the food is back, and the courier free.
func (d *Delivery) Return(now time.Time) (Effect, error) { return d.fire(Return, now) }

// Cancel ends a delivery before pick-up.
func (d *Delivery) Cancel(reason string, now time.Time) (Effect, error) {
	return d.callOff(Cancel, reason, now)
}

// GiveUp ends a delivery that nobody could take in time. Where it is too late for that, it does nothing.
func (d *Delivery) GiveUp(now time.Time) (Effect, error) { return d.callOff(GiveUp, NoCourier, now) }

func (d *Delivery) callOff(trigger Trigger, reason string, now time.Time) (Effect, error) {
	effect, err := d.fire(trigger, now)
	if effect == PublishCancelled {
		d.Reason, d.CourierID, d.OfferExpiresAt = reason, "", time.Time{}
	}
	return effect, err
}

// Ready notes what the kitchen says about the food: when it waits, or, while it does not, until when it is promised. Nobody cares
// once the courier has it.
func (d *Delivery) Ready(said word, now time.Time) {
	switch d.State {
	case Unassigned, Offered, Assigned, AtPickup:
	default:
		return
	}
	before := word{d.ReadyBy, d.ReadyAt}
	if !said.readyBy.IsZero() {
		d.ReadyBy = said.readyBy
	}
	if !said.readyAt.IsZero() && d.ReadyAt.IsZero() {
		d.ReadyAt = said.readyAt
	}
	if before != (word{d.ReadyBy, d.ReadyAt}) {
		d.touch(now)
	}
}

// word is what a kitchen says about an order's food; a zero time says nothing.
type word struct{ readyBy, readyAt time.Time }

// check compares a code that the courier names.
func (d *Delivery) check(named, right string, now time.Time) error {
	if d.blocked(now) {
		return fault.Exhausted(time.Second, "too_many_codes", "too many wrong codes were named")
	}
	if right == "" || subtle.ConstantTimeCompare([]byte(named), []byte(right)) != 1 {
		return fault.Refused("wrong_code", "the code is not right")
	}
	return nil
}

// blocked tells whether the courier has to wait before naming another code.
func (d *Delivery) blocked(now time.Time) bool {
	return d.WrongCodes >= maxWrongCodes && now.Before(d.WrongCodeAt.Add(wrongCodePause))
}

// code is what the courier must name where the delivery stands: the pick-up code at the counter, the PIN at the door.
func (d *Delivery) code() string {
	if d.State == AtPickup {
		return d.PickupCode
	}
	return d.DeliveryPIN
}
