package internal

import (
	"fmt"
	"slices"
	"time"

	"kerf/platform/fault"
)

// AcceptanceTime is how long a restaurant has to accept a ticket, on the domain clock.
const AcceptanceTime = 10 * time.Minute

// longestPreparation bounds what a restaurant may promise, so that a slip of a digit is not taken for a plan.
const longestPreparation = 24 * time.Hour

// Ticket is an order as its kitchen sees it.
type Ticket struct {
	OrderID      string
	Version      int64
	State        State
	Reason       string
	MissingItems []string
	RestaurantID string
	ConsumerID   string
	Lines        []Line
	Notes        string
	// PickupCode is what the courier must name at the counter. Only the restaurant and modules may see it.
	PickupCode  string
	Preparation time.Duration

	// CancelID is the cancel that holds the ticket, or that ended it; StateBefore is what an undo leads back to.
	CancelID    string
	StateBefore State
	// Promised says that the restaurant had accepted, which stays true when the ticket is cancelled.
	Promised bool
	// HandedOver says that the restaurant itself has reported the hand-over, not only the courier the pick-up.
	HandedOver bool

	AcceptBy  time.Time
	ReadyBy   time.Time
	ReadyAt   time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Line is what to cook.
type Line struct {
	ItemID   string   `json:"item_id"`
	Name     string   `json:"name"`
	Quantity int32    `json:"quantity"`
	Options  []string `json:"options"`
}

// tombstone is the ticket of an order whose ticket must never be made.
func tombstone(orderID, reason string, now time.Time) *Ticket {
	return &Ticket{OrderID: orderID, Version: 1, State: Cancelled, Reason: reason, CreatedAt: now, UpdatedAt: now}
}

// isTombstone tells whether the ticket was cancelled before it was made. It is shown to nobody.
func (t *Ticket) isTombstone() bool { return t.RestaurantID == "" }

// fire takes the trigger's row of the machine, or refuses. It changes the state and the version; what else the trigger brings is
// the caller's to set. After an error, here and in the methods below, the ticket is to be thrown away with its transaction.
func (t *Ticket) fire(trigger Trigger, now time.Time) (Effect, error) {
	row, ok := machine[occasion{t.State, trigger}]
	if !ok {
		return Nothing, refusal(t.State, trigger)
	}
	if row.effect == Nothing {
		return Nothing, nil
	}
	t.State = row.to
	if row.to == Before {
		t.State = t.StateBefore
	}
	t.Version++
	t.UpdatedAt = now
	return row.effect, nil
}

// Confirm shows the ticket to the restaurant and starts its time to accept.
func (t *Ticket) Confirm(now time.Time) (Effect, error) {
	effect, err := t.fire(Confirm, now)
	if effect == AskRestaurant {
		t.AcceptBy = now.Add(AcceptanceTime)
	}
	return effect, err
}

// CancelCreation ends a ticket whose order does not come about. A ticket that has ended stays as it is.
func (t *Ticket) CancelCreation(reason string, now time.Time) (Effect, error) {
	effect, err := t.fire(CancelCreation, now)
	if effect != Nothing {
		t.Reason, t.StateBefore, t.CancelID = reason, "", ""
	}
	return effect, err
}

// BeginCancel holds the ticket for a cancel. A second cancel is refused while one holds it; the same one finds it held.
func (t *Ticket) BeginCancel(cancelID string, now time.Time) (Effect, error) {
	if t.State == CancelPending && t.CancelID == cancelID {
		return Nothing, nil
	}
	before := t.State
	effect, err := t.fire(BeginCancel, now)
	if effect == HoldCancel {
		t.CancelID, t.StateBefore = cancelID, before
	}
	return effect, err
}

// ConfirmCancel ends the ticket that this cancel holds.
func (t *Ticket) ConfirmCancel(cancelID, reason string, now time.Time) (Effect, error) {
	if t.State == CancelPending && t.CancelID != cancelID {
		return Nothing, fault.Refused("cancel_not_begun", "another cancel holds the ticket")
	}
	effect, err := t.fire(ConfirmCancel, now)
	if effect == PublishCancelled {
		t.Reason, t.StateBefore = reason, ""
	}
	return effect, err
}

// UndoCancel gives the ticket back its state, if it is this cancel that holds it.
func (t *Ticket) UndoCancel(cancelID string, now time.Time) (Effect, error) {
	if t.CancelID != cancelID && (t.State == CancelPending || t.State == Cancelled) {
		return Nothing, nil // it was not this cancel
	}
	effect, err := t.fire(UndoCancel, now)
	if effect == TakeCancelBack {
		t.CancelID, t.StateBefore = "", ""
	}
	return effect, err
}

// Accept promises the food by an instant; without one, after the time that the kitchen usually needs.
func (t *Ticket) Accept(readyBy, now time.Time) (Effect, error) {
	if readyBy.IsZero() {
		readyBy = now.Add(t.Preparation)
	}
	effect, err := t.fire(Accept, now)
	if err != nil {
		return effect, err
	}
	if err := promise(readyBy, now); err != nil {
		return Nothing, err
	}
	t.Promised, t.ReadyBy = true, readyBy
	return effect, nil
}

// Reject declines the ticket; missing names those of its items that the restaurant is out of.
func (t *Ticket) Reject(reason string, missing []string, now time.Time) (Effect, error) {
	effect, err := t.fire(Reject, now)
	if err != nil {
		return effect, err
	}
	for i, id := range missing {
		if !slices.ContainsFunc(t.Lines, func(l Line) bool { return l.ItemID == id }) {
			return Nothing, fault.Invalid(fault.Violation{
				Field: fmt.Sprintf("missing_item_ids[%d]", i), Description: "must be an item of the ticket",
			})
		}
	}
	t.Reason, t.MissingItems = reason, missing
	return effect, nil
}

// StartPreparing begins the work. inPreparation is how many tickets the kitchen works on, of which it takes at most capacity; a
// capacity of 0 is no limit.
func (t *Ticket) StartPreparing(inPreparation, capacity int64, now time.Time) (Effect, error) {
	effect, err := t.fire(StartPreparation, now)
	if err == nil && capacity > 0 && inPreparation >= capacity {
		return Nothing, fault.Refused("kitchen_full", "the kitchen works on %d tickets, as many as it takes", inPreparation)
	}
	return effect, err
}

// MarkReady says that the food waits for its courier.
func (t *Ticket) MarkReady(now time.Time) (Effect, error) {
	effect, err := t.fire(MarkReady, now)
	if err == nil {
		t.ReadyAt = now
	}
	return effect, err
}

// Delay promises the food for later.
func (t *Ticket) Delay(readyBy, now time.Time) (Effect, error) {
	effect, err := t.fire(Delay, now)
	if err != nil {
		return effect, err
	}
	if err := promise(readyBy, now); err != nil {
		return Nothing, err
	}
	if !readyBy.After(t.ReadyBy) {
		return Nothing, fault.Refused("not_later", "ready_by is not later than what was promised")
	}
	t.ReadyBy = readyBy
	return effect, nil
}

// HandOver gives the food to the courier. If the courier's own word was faster, the restaurant's is noted, once, and changes
// nothing else.
func (t *Ticket) HandOver(now time.Time) (Effect, error) {
	if t.State == PickedUp && !t.HandedOver {
		t.HandedOver = true
		t.Version++
		t.UpdatedAt = now
		return Nothing, nil
	}
	effect, err := t.fire(HandOver, now)
	if err == nil {
		t.HandedOver = true
	}
	return effect, err
}

// Expire ends a ticket that nobody accepted in time.
func (t *Ticket) Expire(now time.Time) (Effect, error) { return t.fire(Expire, now) }

// CourierPickedUp is the courier's word that the food has left, for a restaurant that forgot to hand it over. While a cancel holds
// the ticket it is remembered: the cancel's saga learns from delivery that it came too late, and undoes it.
func (t *Ticket) CourierPickedUp(now time.Time) (Effect, error) {
	if t.State == CancelPending && (!t.Promised || t.StateBefore == PickedUp) {
		return Nothing, nil
	}
	effect, err := t.fire(CourierPickedUp, now)
	if effect == RememberPickUp {
		t.StateBefore = PickedUp
	}
	return effect, err
}

// promise checks an instant that a restaurant names for its food.
func promise(readyBy, now time.Time) error {
	if readyBy.Before(now) || readyBy.After(now.Add(longestPreparation)) {
		return fault.Invalid(fault.Violation{Field: "ready_by", Description: "must be an instant of the next 24 hours"})
	}
	return nil
}

// shown tells whether the restaurant sees the ticket: from its confirmation on, and not at all if it never came to that.
func (t *Ticket) shown() bool { return !t.AcceptBy.IsZero() }
