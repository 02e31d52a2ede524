package play

import (
	"cmp"
	"fmt"
	"time"

	"kerf/cmd/simulate/day"
)

// Config says what is played, and against which server. Zero fields mean the default.
type Config struct {
	Day day.Day
	// Target is where the server answers, such as http://127.0.0.1:8080.
	Target string
	// Speed is the one that the server's domain clock must have; 0 takes any.
	Speed float64
	// Seed decides what is eaten; it changes nothing else.
	Seed uint64
	// Patience is how long a call is repeated while the server is down, and how long is waited for quiet at the end; 2 min.
	Patience time.Duration
	// Cards are the payment tokens that diners hold, one after another; tok_approve alone.
	Cards []string
	// CancelEvery is n where each nth order is cancelled by its diner, in turn before the kitchen accepts it, when it has accepted, while it
	// prepares, when the food is ready, and when it is too late; 0 has nobody cancel.
	CancelEvery int
	// Version of the simulation, for the report.
	Version string
	// Progress is told about four times a second how the day goes; it may be nil.
	Progress func(Progress)
}

func (c Config) withDefaults() Config {
	c.Patience = cmp.Or(c.Patience, 2*time.Minute)
	if len(c.Cards) == 0 {
		c.Cards = []string{"tok_approve"}
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	return c
}

// SpeedError says that the server's clock has another speed than the day is to be played at.
type SpeedError struct {
	Target       string
	Want, Actual float64
}

func (e *SpeedError) Error() string {
	return fmt.Sprintf("%s runs at speed %g, and the day is to be played at %g: start the server with -speed %g, or play with -speed %g",
		e.Target, e.Actual, e.Want, e.Want, e.Actual)
}

// Progress is how the day goes.
type Progress struct {
	Phase string // setting up, playing, waiting for quiet, checking
	// At is the time of the day in the domain, while it is played.
	At time.Duration
	// Set up, of how many.
	Ready, Of int64
	// Orders.
	Placed, Delivered, Cancelled, Open int64
	// Couriers on shift, and of them those who have an order.
	OnShift, Busy int64
	// Retries is how many attempts were repeated: it grows while the server is down.
	Retries int64
}

func (p Progress) String() string {
	switch p.Phase {
	case phaseSetUp:
		return fmt.Sprintf("%s: %d of %d", p.Phase, p.Ready, p.Of)
	case phasePlay:
		minutes := int(p.At / time.Minute)
		return fmt.Sprintf("%02d:%02d  placed %d  delivered %d  cancelled %d  open %d  couriers %d, busy %d  retries %d",
			minutes/60, minutes%60, p.Placed, p.Delivered, p.Cancelled, p.Open, p.OnShift, p.Busy, p.Retries)
	}
	return p.Phase
}

// The phases of a run.
const (
	phaseSetUp = "setting up"
	phasePlay  = "playing"
	phaseQuiet = "waiting for quiet"
	phaseCheck = "checking"
)
