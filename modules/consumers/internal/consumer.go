package internal

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

// Consumer is who orders: the aggregate whose version an edit of the profile states. Fields are columns of the table consumer; what a
// person is called and reached by is empty once it is CLOSED.
type Consumer struct {
	ID               string `gorm:"primaryKey"`
	Version          int64
	State            State
	SuspensionReason string
	Name             string
	Email            string
	Phone            string
	// Locale is BCP 47.
	Locale        string
	MutedChannels Channels
	// OrderLimit is the most that one order may cost, in minor units of whatever currency the order has.
	OrderLimit int64
	// DefaultAddressID is empty for none.
	DefaultAddressID string
	// CreatedAt is microseconds, UTC.
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

// Address is where a consumer has things brought. It has a version of its own: two addresses are edited independently.
type Address struct {
	ConsumerID string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Version    int64
	Label      string
	Street     string
	City       string
	PostalCode string
	// Country is ISO 3166-1 alpha-2.
	Country  string
	Position geo.Position `gorm:"embedded"`
}

// PaymentMethod is a token of the payment provider: it stands for a card or an account that only the provider knows.
type PaymentMethod struct {
	ConsumerID string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Token      string
	Label      string
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
}

// Channels are the ways to tell somebody something, stored as JSON.
type Channels []string

// Value stores the channels.
func (c Channels) Value() (driver.Value, error) {
	if c == nil {
		c = Channels{}
	}
	b, err := json.Marshal(c)
	return string(b), err
}

// Scan reads what Value wrote.
func (c *Channels) Scan(src any) error {
	switch s := src.(type) {
	case string:
		return json.Unmarshal([]byte(s), c)
	case []byte:
		return json.Unmarshal(s, c)
	}
	return fmt.Errorf("channels are stored as JSON text, not as %T", src)
}

// Limits of a consumer.
const (
	defaultOrderLimit = 500_00
	maxAddresses      = 50
	maxPaymentMethods = 20
)

// State is where a consumer stands.
type State string

// The states of a consumer.
const (
	Active    State = "ACTIVE"
	Suspended State = "SUSPENDED"
	Closed    State = "CLOSED"
)

// Trigger is what a consumer's state takes.
type Trigger string

// The triggers of a consumer.
const (
	OnEdit       Trigger = "edit" // profile, addresses, payment methods, preferences
	OnSuspend    Trigger = "suspend"
	OnReactivate Trigger = "reactivate"
	OnClose      Trigger = "close"
)

// Transition is a row of the state machine: in From, the trigger On leads To, and publishes Event (of edits, each has its own or none).
type Transition struct {
	From  State
	On    Trigger
	To    State
	Event string
}

// Transitions is the whole machine; what it does not hold is refused.
var Transitions = [...]Transition{
	{Active, OnEdit, Active, ""},
	{Suspended, OnEdit, Suspended, ""},
	{Active, OnSuspend, Suspended, "ConsumerSuspended"},
	{Suspended, OnReactivate, Active, "ConsumerReactivated"},
	{Active, OnClose, Closed, "ConsumerClosed"},
	{Suspended, OnClose, Closed, "ConsumerClosed"},
}

// May tells whether a trigger would be taken.
func (c *Consumer) May(on Trigger) bool {
	_, err := c.next(on)
	return err == nil
}

// Change takes a trigger. Refused consumer_ and the state, such as consumer_closed, where the machine has no such
// transition.
func (c *Consumer) Change(on Trigger) error {
	to, err := c.next(on)
	if err != nil {
		return err
	}
	c.State = to
	return nil
}

func (c *Consumer) next(on Trigger) (State, error) {
	for _, t := range Transitions {
		if t.From == c.State && t.On == on {
			return t.To, nil
		}
	}
	return "", fault.Refused("consumer_"+strings.ToLower(string(c.State)), "the consumer is %s", c.State)
}

// erase forgets the person. The id stays, for orders, ledger and whoever else refers to it.
func (c *Consumer) erase() {
	c.SuspensionReason, c.Name, c.Email, c.Phone, c.DefaultAddressID, c.MutedChannels = "", "", "", "", "", nil
}

// mayOrder tells whether the consumer may place an order of an amount. Refused consumer_suspended, consumer_closed, over_limit.
func (c *Consumer) mayOrder(amount int64) error {
	switch {
	case c.State == Closed:
		return fault.Refused("consumer_closed", "the consumer is closed")
	case c.State != Active:
		return fault.Refused("consumer_suspended", "the consumer is suspended")
	case amount > c.OrderLimit:
		return fault.Refused("over_limit", "the order is above the consumer's limit of %d", c.OrderLimit)
	}
	return nil
}
