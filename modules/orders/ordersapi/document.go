package ordersapi

import (
	"strings"
	"time"

	"kerf/platform/clock"
	"kerf/platform/geo"
	"kerf/platform/money"
)

// Document is an order as REST shows it, less its links. This module and the gateway, which composes an order with its ticket, delivery
// and payment, both answer with it.
type Document struct {
	ID              string         `json:"id"`
	Version         int64          `json:"version"`
	State           string         `json:"state"`
	Reason          string         `json:"reason,omitempty"`
	ConsumerID      string         `json:"consumer_id"`
	RestaurantID    string         `json:"restaurant_id"`
	QuoteID         string         `json:"quote_id"`
	AddressID       string         `json:"address_id"`
	Lines           []DocumentLine `json:"lines"`
	Subtotal        money.Money    `json:"subtotal"`
	Tax             money.Money    `json:"tax"`
	DeliveryFee     money.Money    `json:"delivery_fee"`
	ServiceFee      money.Money    `json:"service_fee"`
	SmallOrderFee   money.Money    `json:"small_order_fee"`
	Tip             money.Money    `json:"tip"`
	Total           money.Money    `json:"total"`
	CancellationFee money.Money    `json:"cancellation_fee"`
	// Charge is what the order's end charges; nil while it is open.
	Charge          *money.Money `json:"charge"`
	Address         geo.Position `json:"address"`
	Notes           string       `json:"notes,omitempty"`
	PlacedAt        time.Time    `json:"placed_at"`
	UpdatedAt       time.Time    `json:"updated_at"`
	DeliveryPIN     string       `json:"delivery_pin,omitempty"`
	CancelRequested bool         `json:"cancel_requested"`
}

// DocumentLine is a line of a Document.
type DocumentLine struct {
	ItemID    string      `json:"item_id"`
	Name      string      `json:"name"`
	Quantity  int32       `json:"quantity"`
	Options   []string    `json:"options"`
	UnitPrice money.Money `json:"unit_price"`
	Total     money.Money `json:"total"`
	Tax       money.Money `json:"tax"`
}

// DocumentOf returns what REST shows of an order.
func DocumentOf(o *Order) Document {
	d := Document{
		ID: o.GetOrderId(), Version: o.GetVersion(), State: StateName(o.GetState()), Reason: o.GetReason(),
		ConsumerID: o.GetConsumerId(), RestaurantID: o.GetRestaurantId(), QuoteID: o.GetQuoteId(), AddressID: o.GetAddressId(),
		Lines:    make([]DocumentLine, len(o.GetLines())),
		Subtotal: money.FromProto(o.GetSubtotal()), Tax: money.FromProto(o.GetTax()), DeliveryFee: money.FromProto(o.GetDeliveryFee()),
		ServiceFee: money.FromProto(o.GetServiceFee()), SmallOrderFee: money.FromProto(o.GetSmallOrderFee()), Tip: money.FromProto(o.GetTip()),
		Total: money.FromProto(o.GetTotal()), CancellationFee: money.FromProto(o.GetCancellationFee()),
		Address:  geo.FromProto(o.GetAddress()),
		Notes:    o.GetNotes(),
		PlacedAt: clock.FromProto(o.GetPlacedAt()), UpdatedAt: clock.FromProto(o.GetUpdatedAt()),
		DeliveryPIN: o.GetDeliveryPin(), CancelRequested: o.GetCancelRequested(),
	}
	if o.GetCharge() != nil {
		charge := money.FromProto(o.GetCharge())
		d.Charge = &charge
	}
	for i, l := range o.GetLines() {
		d.Lines[i] = DocumentLine{
			ItemID: l.GetItemId(), Name: l.GetName(), Quantity: l.GetQuantity(), Options: append([]string{}, l.GetOptions()...),
			UnitPrice: money.FromProto(l.GetUnitPrice()), Total: money.FromProto(l.GetTotal()), Tax: money.FromProto(l.GetTax()),
		}
	}
	return d
}

const statePrefix = "ORDER_STATE_"

// StateName returns a state as REST and tables spell it, such as PENDING.
func StateName(s OrderState) string { return strings.TrimPrefix(s.String(), statePrefix) }

// StateOf is the inverse of StateName; ORDER_STATE_UNSPECIFIED for a name that is none.
func StateOf(name string) OrderState { return OrderState(OrderState_value[statePrefix+name]) }
