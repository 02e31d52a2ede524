package internal

import (
	"time"

	"kerf/platform/geo"
)

// Courier is somebody who takes food from the counter to the door.
type Courier struct {
	ID      string
	Version int64
	State   CourierState
	Name    string
	Vehicle string
	// Position is where the courier was last seen, by the report of this Sequence, at LocatedAt; zero if never.
	Position  geo.Position
	Sequence  int64
	LocatedAt time.Time
	// OrderID is the delivery that the courier is offered or has, while BUSY.
	OrderID   string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// fire takes the trigger's row of the machine, or refuses.
func (c *Courier) fire(trigger CourierTrigger, now time.Time) error {
	to, ok := courierMachine[courierOccasion{c.State, trigger}]
	if !ok {
		return courierRefusal(c.State, trigger)
	}
	c.State = to
	c.touch(now)
	return nil
}

func (c *Courier) touch(now time.Time) {
	c.Version++
	c.UpdatedAt = now
}

// GoOnline begins a shift at a place.
func (c *Courier) GoOnline(at geo.Position, now time.Time) error {
	if err := c.fire(GoOnline, now); err != nil {
		return err
	}
	c.Position, c.LocatedAt = at, now
	return nil
}

// GoOffline ends the shift. A delivery that the courier has must be given back with it.
func (c *Courier) GoOffline(now time.Time) error {
	if err := c.fire(GoOffline, now); err != nil {
		return err
	}
	c.OrderID = ""
	return nil
}

// Take has the courier taken up by a delivery.
func (c *Courier) Take(orderID string, now time.Time) error {
	if err := c.fire(Take, now); err != nil {
		return err
	}
	c.OrderID = orderID
	return nil
}

// Free sets the courier free for the next delivery.
func (c *Courier) Free(now time.Time) error {
	if err := c.fire(Free, now); err != nil {
		return err
	}
	c.OrderID = ""
	return nil
}

// seen notes a report of the courier's whereabouts, unless something later is known: another report, or a shift that began.
func (c *Courier) seen(r report) {
	if r.sequence > c.Sequence && !r.at.Before(c.LocatedAt) {
		c.Position, c.Sequence, c.LocatedAt = r.position, r.sequence, r.at
	}
}

// report is where a courier says it is.
type report struct {
	position geo.Position
	sequence int64
	at       time.Time
}
