package internal

import (
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// Order is the promise to the diner: terms that were frozen when it was placed, how far it has come, and the saga that acts on it.
//
// What happens to it is first recorded (Hear, AskCancel) and then taken up (TakeUp) when no saga acts on it, so that there is one saga
// at a time, and nothing that arrives meanwhile is lost. Its methods collect the events to publish.
type Order struct {
	ID      string
	Version int64
	Terms

	State  State
	Reason string // why it was rejected, cancelled or could not be delivered
	Charge *int64 // what its end charges, in minor units; nil while it is open

	Furthest     State  // the furthest fact heard of, APPROVED to DELIVERED; what is skipped counts as passed
	Setback      string // why restaurant or platform cannot go through with it
	Failure      string // why it did not reach the diner after pick-up
	CourierID    string
	ReadyBy      time.Time
	Dispatched   bool   // a delivery was asked for, and may exist
	Captured     *int64 // what the capture at pick-up took; nil until that is answered
	CancelBy     By     // who asked for a cancel that is not yet answered
	CancelReason string // in the words of whoever asked; never published

	HeardAt   time.Time // when the last fact came
	UpdatedAt time.Time

	Saga *Saga // the saga that acts on it; nil if none does

	changes changes
}

// Terms are what was agreed when the order was placed.
type Terms struct {
	ConsumerID, RestaurantID, QuoteID, AddressID string

	Lines              []Line
	Price              Price
	Address            Position
	RestaurantPosition Position
	PaymentToken       string // the provider's; forgotten once Place has ended
	Notes              string
	PickupCode         string // four digits for the counter
	DeliveryPIN        string // four digits for the door
	PreparationSeconds int32
	EtaEarliest        time.Time
	EtaLatest          time.Time
	PlacedAt           time.Time
}

// Line is one position of the order at the quote's price.
type Line struct {
	ItemID    string   `json:"item_id"`
	Name      string   `json:"name"`
	Quantity  int32    `json:"quantity"`
	Options   []string `json:"options,omitempty"`
	UnitPrice int64    `json:"unit_price"`
	Total     int64    `json:"total"`
	Tax       int64    `json:"tax"`
}

// Price holds the parts of what is charged, in minor units of one currency.
type Price struct {
	Currency        string
	Subtotal        int64
	Tax             int64
	DeliveryFee     int64
	ServiceFee      int64
	SmallOrderFee   int64
	Tip             int64
	Total           int64
	CancellationFee int64
}

// Position is a point on the earth in degrees, WGS 84.
type Position struct{ Latitude, Longitude float64 }

// By says who cancels.
type By string

// Who can cancel. The platform does when restaurant or courier fall through.
const (
	ByConsumer   By = "consumer"
	ByRestaurant By = "restaurant"
	BySupport    By = "support"
	ByPlatform   By = "platform"
)

// Fact is what another module published about an order, or answered when it was asked.
type Fact struct {
	On        Trigger
	Reason    string
	CourierID string
	ReadyBy   time.Time
}

// changes is what a transaction has to write down besides the order's row.
type changes struct {
	order    bool // the row itself
	events   []proto.Message
	ended    []*Saga // sagas that ended
	begun    bool    // the present saga is new
	stepped  bool    // the present saga has moved
	approved bool
	accepted bool
	terminal bool
}

// Place returns a new order with the saga that brings it to approval.
func Place(id string, terms Terms, newID func() string) *Order {
	o := &Order{ID: id, Version: 1, Terms: terms, State: Pending, Furthest: Approved, UpdatedAt: terms.PlacedAt, HeardAt: terms.PlacedAt}
	o.publish(placedEvent(o))
	o.begin(PlaceSaga, CreateTicket, newID(), terms.PlacedAt)
	return o
}

// Hear records a fact, and reports whether it was news. One that comes late, or after the end, is not; it never moves an order back.
func (o *Order) Hear(f Fact, now time.Time) bool {
	row, ok := o.State.on(f.On)
	if !ok || row.Effect == Ignore || !o.note(f) {
		return false
	}
	o.HeardAt = now
	o.move(row.To, now)
	return true
}

// note keeps what a fact says, and reports whether it says something new.
func (o *Order) note(f Fact) bool {
	switch f.On {
	case TicketAccepted:
		news := o.reach(Accepted)
		if o.ReadyBy.IsZero() && !f.ReadyBy.IsZero() {
			o.ReadyBy, news = f.ReadyBy, true
		}
		o.changes.accepted = o.changes.accepted || news
		return news
	case PreparationStarted:
		return o.reach(Preparing)
	case TicketReady:
		return o.reach(Ready)
	case OrderPickedUp:
		return o.carry(f.CourierID) && o.reach(PickedUp)
	case OrderDroppedOff:
		return o.Failure == "" && o.carry(f.CourierID) && o.reach(Delivered)
	case DeliveryFailed:
		if o.Failure != "" || o.Furthest == Delivered {
			return false
		}
		o.carry(f.CourierID)
		o.reach(PickedUp)
		o.Failure = or(f.Reason, string(DeliveryFailed))
		return true
	case TicketRejected, TicketExpired, TicketCancelled:
		return o.setBack(string(f.On))
	case DeliveryCancelled:
		return o.setBack(or(f.Reason, string(DeliveryCancelled)))
	}
	return false
}

func (o *Order) reach(s State) bool {
	if s.rank() <= o.Furthest.rank() {
		return false
	}
	o.Furthest = s
	return true
}

func (o *Order) carry(courierID string) bool {
	o.CourierID = or(courierID, o.CourierID)
	return true
}

func (o *Order) setBack(reason string) bool {
	if o.Setback != "" {
		return false
	}
	o.Setback = reason
	return true
}

// AskCancel records the wish to cancel. It is taken up at once, or when the saga that runs has ended; a wish while another cancel is
// under way changes nothing. Errors: refused order_picked_up, order_ended.
func (o *Order) AskCancel(by By, reason string, now time.Time) error {
	row, _ := o.State.on(CancelAsked)
	switch {
	case row.Effect == Refuse && o.State.Terminal():
		return fault.Refused("order_ended", "the order is %s", o.State)
	case row.Effect == Refuse || o.Furthest.rank() >= PickedUp.rank():
		return fault.Refused("order_picked_up", "the order is on its way; support may refund it")
	case row.Effect == Ignore || o.CancelBy != "":
		return nil
	}
	o.CancelBy, o.CancelReason = by, reason
	o.publish(cancelRequestedEvent(o, by, cancelledBy(by)))
	o.touch(now)
	return nil
}

// CanCancel tells whether AskCancel would record a wish.
func (o *Order) CanCancel() bool {
	row, _ := o.State.on(CancelAsked)
	return row.Effect == Remember && o.CancelBy == "" && o.Furthest.rank() < PickedUp.rank()
}

// CancelWaits tells whether a cancel was asked for and waits for the saga that runs.
func (o *Order) CancelWaits() bool {
	return o.CancelBy != "" && o.State != CancelPending && !o.State.Terminal()
}

// TakeUp begins the saga that an order needs on which none acts, or brings it to its end, by the furthest fact and by what was asked for.
// What was picked up can only be delivered or fail; before that a setback wins over a cancel, and a cancel over going on.
func (o *Order) TakeUp(now time.Time, newID func() string) {
	if o.Saga != nil || o.State.Terminal() || o.State == Pending {
		return
	}
	switch {
	case o.Furthest.rank() >= PickedUp.rank():
		o.takeUpPickedUp(now, newID)
	case o.Setback != "":
		if o.CancelBy == "" {
			o.publish(cancelRequestedEvent(o, ByPlatform, o.Setback))
		}
		o.begin(UnwindSaga, BeginTicketCancel, newID(), now)
	case o.CancelBy != "":
		o.begin(CancelSaga, BeginTicketCancel, newID(), now)
	case o.Furthest.rank() >= Accepted.rank() && !o.Dispatched:
		o.begin(DispatchSaga, ScheduleDelivery, newID(), now)
	}
}

func (o *Order) takeUpPickedUp(now time.Time, newID func() string) {
	if o.CancelBy != "" {
		o.publish(cancelRefusedEvent(o, "order_picked_up"))
		o.CancelBy, o.CancelReason = "", ""
		o.touch(now)
	}
	switch {
	case o.Captured == nil:
		o.begin(CaptureSaga, CaptureTotal, newID(), now)
	case o.Failure != "" && o.refund() > 0:
		o.begin(RefundSaga, RefundPayment, newID(), now)
	case o.Failure != "":
		o.end(FailureSettled, o.Failure, *o.Captured, now)
	case o.Furthest == Delivered:
		o.end(DeliverySettled, "", *o.Captured, now)
	}
}

// refund is what a failed delivery gives back: nothing where the diner was the cause, else all that was taken.
func (o *Order) refund() int64 {
	switch o.Failure {
	case "consumer_absent", "consumer_refused", "wrong_address":
		return 0
	}
	return *o.Captured
}

// fee is what a cancel charges: the fee, if the diner cancels what the restaurant had promised to cook.
func (o *Order) fee() int64 {
	d := o.Saga.Data
	if o.CancelBy != ByConsumer || !d.Accepted || d.TicketEnded {
		return 0
	}
	return min(o.Price.CancellationFee, o.Price.Total)
}

// end brings the order to its terminal state.
func (o *Order) end(t Trigger, reason string, charge int64, now time.Time) {
	row, ok := o.State.on(t)
	if !ok {
		return
	}
	o.Reason, o.Charge, o.PaymentToken = reason, &charge, ""
	o.move(row.To, now)
	o.publish(endedEvent(o))
	o.changes.terminal = true
}

// move shows a state; Furthest stands for the furthest fact that may be shown before the money is settled.
func (o *Order) move(to State, now time.Time) {
	if to == Furthest {
		to = o.Furthest
		if to.rank() > PickedUp.rank() {
			to = PickedUp
		}
	}
	o.State = to
	o.touch(now)
}

func (o *Order) touch(now time.Time) {
	o.changes.order = true
	o.UpdatedAt = now
}

func (o *Order) publish(event proto.Message) {
	o.changes.events = append(o.changes.events, event)
	o.changes.order = true
}

func cancelledBy(by By) string { return "cancelled_by_" + string(by) }

func (o *Order) money(amount int64) *kerfpb.Money {
	return &kerfpb.Money{Amount: amount, Currency: o.Price.Currency}
}

func (p Position) proto() *kerfpb.Position {
	return &kerfpb.Position{Latitude: p.Latitude, Longitude: p.Longitude}
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
