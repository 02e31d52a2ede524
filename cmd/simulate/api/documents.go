package api

import (
	"time"

	"kerf/platform/geo"
	"kerf/platform/money"
)

// The documents hold those fields of the API's resources that its clients here read.

// Clock is what time it is in the domain.
type Clock struct {
	Now   time.Time `json:"now"`
	Speed float64   `json:"speed"`
}

// Created is whatever was made: consumers, restaurants, couriers, addresses, payment methods and quotes.
type Created struct {
	ID string `json:"id"`
}

// Order is an order as its diner sees it.
type Order struct {
	ID           string       `json:"id"`
	State        string       `json:"state"`
	Reason       string       `json:"reason"`
	ConsumerID   string       `json:"consumer_id"`
	RestaurantID string       `json:"restaurant_id"`
	QuoteID      string       `json:"quote_id"`
	Total        money.Money  `json:"total"`
	Charge       *money.Money `json:"charge"`
	Address      geo.Position `json:"address"`
	PlacedAt     time.Time    `json:"placed_at"`
	DeliveryPIN  string       `json:"delivery_pin"`
}

// OrderPage is an order with what the other modules know of it.
type OrderPage struct {
	Order    Order         `json:"order"`
	Ticket   *TicketPart   `json:"ticket"`
	Delivery *DeliveryPart `json:"delivery"`
	Payment  *PaymentPart  `json:"payment"`
	Missing  []string      `json:"missing"`
}

// TicketPart is the kitchen's part of the page.
type TicketPart struct {
	State string `json:"state"`
}

// DeliveryPart is delivery's part of the page.
type DeliveryPart struct {
	State       string    `json:"state"`
	CourierID   string    `json:"courier_id"`
	DeliveredAt time.Time `json:"delivered_at"`
}

// PaymentPart is accounting's part of the page.
type PaymentPart struct {
	State      string      `json:"state"`
	Authorized money.Money `json:"authorized"`
	Captured   money.Money `json:"captured"`
	Refunded   money.Money `json:"refunded"`
}

// Ticket is an order in the kitchen.
type Ticket struct {
	OrderID    string    `json:"order_id"`
	State      string    `json:"state"`
	PickupCode string    `json:"pickup_code"`
	AcceptBy   time.Time `json:"accept_by"`
	ReadyBy    time.Time `json:"ready_by"`
}

// Courier is a courier, and what it is to do.
type Courier struct {
	ID               string        `json:"id"`
	State            string        `json:"state"`
	Position         *geo.Position `json:"position"`
	LocationSequence int64         `json:"location_sequence"`
	Delivery         *Task         `json:"delivery"`
}

// Task is what a courier is offered or has to do.
type Task struct {
	OrderID      string       `json:"order_id"`
	State        string       `json:"state"`
	RestaurantID string       `json:"restaurant_id"`
	Pickup       geo.Position `json:"pickup"`
	Dropoff      geo.Position `json:"dropoff"`
}

// Delivery is an order on the road.
type Delivery struct {
	OrderID string `json:"order_id"`
	State   string `json:"state"`
}

// View is what tracking tells about an order.
type View struct {
	OrderID      string `json:"order_id"`
	Sequence     int64  `json:"sequence"`
	ConsumerID   string `json:"consumer_id"`
	RestaurantID string `json:"restaurant_id"`
	Status       string `json:"status"`
	Reason       string `json:"reason"`
	Order        *struct {
		State    string       `json:"state"`
		Charge   *money.Money `json:"charge"`
		PlacedAt time.Time    `json:"placed_at"`
	} `json:"order"`
	Ticket   *Section `json:"ticket"`
	Delivery *Section `json:"delivery"`
	Payment  *struct {
		State    string      `json:"state"`
		Captured money.Money `json:"captured"`
		Refunded money.Money `json:"refunded"`
	} `json:"payment"`
	Behind int64 `json:"behind_milliseconds"`
}

// Section is a source's part of a view.
type Section struct {
	Sequence int64  `json:"sequence"`
	State    string `json:"state"`
}

// Audit is what a module counts of itself.
type Audit struct {
	Module    string           `json:"module"`
	Written   int64            `json:"written"`
	Published int64            `json:"published"`
	Settled   int64            `json:"settled"`
	Consumed  map[string]int64 `json:"consumed"`
	Parked    int64            `json:"parked"`
	Dropped   int64            `json:"dropped"`
	WorkOpen  int64            `json:"work_open"`
	WorkStuck int64            `json:"work_stuck"`
	Counters  map[string]int64 `json:"counters"`
}

// Ledger is the books in sum.
type Ledger struct {
	Imbalance int64         `json:"imbalance"`
	Captured  []money.Money `json:"captured"`
	Refunded  []money.Money `json:"refunded"`
}

// Posting is an entry of the ledger.
type Posting struct {
	OrderID string `json:"order_id"`
	Kind    string `json:"kind"`
}

// States in which an order goes on no more.
const (
	Delivered     = "DELIVERED"
	Cancelled     = "CANCELLED"
	Rejected      = "REJECTED"
	Undeliverable = "UNDELIVERABLE"
)

// Ended tells whether a state is one of those.
func Ended(state string) bool {
	return state == Delivered || state == Cancelled || state == Rejected || state == Undeliverable
}
