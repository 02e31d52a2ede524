package internal

import (
	"time"
)

// State is where a notification stands.
type State string

// The states of a notification. All but PENDING are ends.
const (
	Pending    State = "PENDING"
	Sent       State = "SENT"
	Failed     State = "FAILED"     // there is nobody to tell
	Suppressed State = "SUPPRESSED" // the recipient has muted the app
)

var states = []State{Pending, Sent, Failed, Suppressed}

// Trigger is what may happen to a notification.
type Trigger string

// The triggers: what is known of the recipient when there is something to tell.
const (
	Told    Trigger = "told"
	Muted   Trigger = "muted"
	Missing Trigger = "recipient missing"
)

var triggers = []Trigger{Told, Muted, Missing}

// transition is one row of the machine.
type transition struct {
	from    State
	trigger Trigger
	to      State
}

// transitions is the whole machine; what is not here changes nothing, since a second answer comes from a repeat of the first.
var transitions = []transition{
	{Pending, Told, Sent},
	{Pending, Muted, Suppressed},
	{Pending, Missing, Failed},
}

// on is the state that a trigger leads to.
func (s State) on(t Trigger) State {
	for _, row := range transitions {
		if row.from == s && row.trigger == t {
			return row.to
		}
	}
	return s
}

// audience is as what somebody is told.
type audience string

const (
	toConsumer   audience = "consumer"
	toRestaurant audience = "restaurant"
	toCourier    audience = "courier"
)

// Notification tells one recipient of one event.
type Notification struct {
	ID          string
	RecipientID string
	EventID     string
	About       string
	OrderID     string
	State       State
	Facts       Facts
	Text        text
	CreatedAt   time.Time
	ReadAt      time.Time
}

// answer gives a notification the end that the trigger leads to; only one that is told has a text.
func (n *Notification) answer(trigger Trigger, told text) {
	n.State = n.State.on(trigger)
	if n.State == Sent {
		n.Text = told
	}
}
