package internal

import (
	"database/sql/driver"
	"strings"
	"time"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

// Restaurant is who offers what, when, for how much: the aggregate whose version every edit states. Prices lie in its menus.
// Fields are columns of the table restaurant; instants are microseconds, UTC.
type Restaurant struct {
	ID      string `gorm:"primaryKey"`
	Version int64
	// Owner is the subject that created it; others may be given it in their tokens.
	Owner string
	State State
	// PausedUntil is when a pause ends by itself; 0 when somebody must resume.
	PausedUntil int64
	Name        string
	Cuisine     string
	// SearchText is what a search's words are looked for in: name and cuisine in lower case.
	SearchText string
	Position   geo.Position `gorm:"embedded"`
	// TimeZone is an IANA name.
	TimeZone     string
	Currency     string
	OpeningHours Hours
	RadiusMetres int64
	Fees         Fees `gorm:"embedded"`
	// TaxBasisPoints is what each line is taxed with.
	TaxBasisPoints     int64
	PreparationMinutes int64
	// MenuVersion is the current menu's; 0 before there is one.
	MenuVersion int64
	Unavailable Unavailable
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
}

// TableName keeps the table's name in the singular, as the aggregate's.
func (Restaurant) TableName() string { return "restaurant" }

// Fees is what an order costs beside its lines: minor units of the restaurant's currency, and basis points of the subtotal.
type Fees struct {
	// Minimum is the least subtotal that is delivered.
	Minimum               int64
	DeliveryFee           int64
	ServiceFeeBasisPoints int64
	// SmallOrderFee is added to a subtotal under SmallOrderBelow.
	SmallOrderFee   int64
	SmallOrderBelow int64
	// CancellationFee is what a diner pays who cancels between acceptance and pick-up.
	CancellationFee int64
}

// Unavailable holds the items that are out, with the instant in microseconds at which each comes back, 0 for none.
type Unavailable map[string]int64

// Value stores the items as JSON.
func (u Unavailable) Value() (driver.Value, error) {
	if u == nil {
		u = Unavailable{}
	}
	return jsonValue(u)
}

// Scan reads what Value wrote.
func (u *Unavailable) Scan(src any) error { *u = Unavailable{}; return jsonScan(src, u) }

// State is where a restaurant stands in its life; whether it is open at an instant is a matter of its hours as well.
type State string

// The states of a restaurant.
const (
	Draft  State = "DRAFT"
	Open   State = "OPEN"
	Paused State = "PAUSED"
	Closed State = "CLOSED"
)

// Trigger is what may change a restaurant's state.
type Trigger string

// The triggers of a restaurant. Elapse is time itself: it is not written down, every reader computes it (StateAt).
const (
	OnOpen   Trigger = "open"
	OnPause  Trigger = "pause"
	OnResume Trigger = "resume"
	OnClose  Trigger = "close"
	OnElapse Trigger = "elapse"
)

// Transition is a row of the state machine: in From, the trigger On leads To, and publishes Event.
type Transition struct {
	From  State
	On    Trigger
	To    State
	Event string
}

// Transitions is the whole machine; what it does not hold is refused.
var Transitions = [...]Transition{
	{Draft, OnOpen, Open, "RestaurantOpened"},
	{Closed, OnOpen, Open, "RestaurantOpened"},
	{Paused, OnOpen, Open, "RestaurantOpened"},
	{Paused, OnResume, Open, "RestaurantOpened"},
	{Paused, OnElapse, Open, ""},
	{Open, OnPause, Paused, "RestaurantPaused"},
	{Paused, OnPause, Paused, "RestaurantPaused"}, // another end
	{Open, OnClose, Closed, "RestaurantClosed"},
	{Paused, OnClose, Closed, "RestaurantClosed"},
}

// StateAt returns the state at an instant: a pause ends by itself at PausedUntil. RestaurantPaused has told when, so nothing is
// published or written at that moment.
func (r *Restaurant) StateAt(now time.Time) State {
	if r.State == Paused && r.PausedUntil != 0 && now.UnixMicro() >= r.PausedUntil {
		return Open
	}
	return r.State
}

// May tells whether a trigger would be taken now.
func (r *Restaurant) May(on Trigger, now time.Time) bool {
	t, ok := next(r.StateAt(now), on)
	return ok && (t.To != Open || r.MenuVersion > 0)
}

// Change takes a trigger; until is for OnPause only, nil for a pause that somebody must end. Refused restaurant_ and the state, such as
// restaurant_closed, where the machine has no such transition, and no_menu for opening without a menu; Invalid for a pause that ends before it begins.
func (r *Restaurant) Change(on Trigger, until *time.Time, now time.Time) error {
	state := r.StateAt(now)
	t, ok := next(state, on)
	if !ok {
		return fault.Refused("restaurant_"+strings.ToLower(string(state)), "the restaurant is %s", state)
	}
	if t.To == Open && r.MenuVersion == 0 {
		return fault.Refused("no_menu", "a restaurant opens with a menu; publish one first")
	}
	if until != nil && !until.After(now) {
		return fault.Invalid(fault.Violation{Field: "until", Description: "must be later than now"})
	}
	r.State, r.PausedUntil = t.To, 0
	if until != nil {
		r.PausedUntil = until.UnixMicro()
	}
	return nil
}

func next(from State, on Trigger) (Transition, bool) {
	for _, t := range Transitions {
		if t.From == from && t.On == on {
			return t, true
		}
	}
	return Transition{}, false
}

// OpenAt tells whether orders are taken at an instant: OPEN, and within the hours on the clock of the restaurant's zone.
func (r *Restaurant) OpenAt(t time.Time, zone *time.Location) bool {
	return r.StateAt(t) == Open && r.OpeningHours.OpenAt(t, zone)
}

// Delivers tells whether a position lies in the restaurant's zone.
func (r *Restaurant) Delivers(to geo.Position) bool {
	return r.Position.Distance(to) <= float64(r.RadiusMetres)
}

// Available tells whether an item is not marked as out at an instant.
func (r *Restaurant) Available(itemID string, now time.Time) bool {
	until, out := r.Unavailable[itemID]
	return !out || until != 0 && now.UnixMicro() >= until
}

// settle writes down what time alone has changed: a pause that has ended, items that are back.
func (r *Restaurant) settle(now time.Time) {
	if r.State = r.StateAt(now); r.State != Paused {
		r.PausedUntil = 0
	}
	for item := range r.Unavailable {
		if r.Available(item, now) {
			delete(r.Unavailable, item)
		}
	}
}

// lapses tells whether time alone has changed what is shown of the restaurant since it was written.
func (r *Restaurant) lapses(now time.Time) bool {
	if r.StateAt(now) != r.State {
		return true
	}
	for item := range r.Unavailable {
		if r.Available(item, now) {
			return true
		}
	}
	return false
}

// Limits of a restaurant's settings.
const (
	maxName               = 100
	maxCuisine            = 50
	maxZone               = 64            // bytes; the longest name has 32
	maxAmount             = 1_000_000_000 // minor units; with the limits of menus and quotes no total comes near money.Max
	maxRadius             = 100_000       // metres
	maxPreparationMinutes = 24 * 60
)
