package ordersapi

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/platform/kerfpb"
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
	Subtotal        DocumentMoney  `json:"subtotal"`
	Tax             DocumentMoney  `json:"tax"`
	DeliveryFee     DocumentMoney  `json:"delivery_fee"`
	ServiceFee      DocumentMoney  `json:"service_fee"`
	SmallOrderFee   DocumentMoney  `json:"small_order_fee"`
	Tip             DocumentMoney  `json:"tip"`
	Total           DocumentMoney  `json:"total"`
	CancellationFee DocumentMoney  `json:"cancellation_fee"`
	// Charge is what the order's end charges; nil while it is open.
	Charge          *DocumentMoney   `json:"charge"`
	Address         DocumentPosition `json:"address"`
	Notes           string           `json:"notes,omitempty"`
	PlacedAt        time.Time        `json:"placed_at"`
	UpdatedAt       time.Time        `json:"updated_at"`
	DeliveryPIN     string           `json:"delivery_pin,omitempty"`
	CancelRequested bool             `json:"cancel_requested"`
}

// DocumentLine is a line of a Document.
type DocumentLine struct {
	ItemID    string        `json:"item_id"`
	Name      string        `json:"name"`
	Quantity  int32         `json:"quantity"`
	Options   []string      `json:"options"`
	UnitPrice DocumentMoney `json:"unit_price"`
	Total     DocumentMoney `json:"total"`
	Tax       DocumentMoney `json:"tax"`
}

// DocumentMoney is an amount in the minor units of its currency.
type DocumentMoney struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// DocumentPosition is a point on the earth in degrees, WGS 84.
type DocumentPosition struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// DocumentOf returns what REST shows of an order.
func DocumentOf(o *Order) Document {
	d := Document{
		ID: o.GetOrderId(), Version: o.GetVersion(), State: StateName(o.GetState()), Reason: o.GetReason(),
		ConsumerID: o.GetConsumerId(), RestaurantID: o.GetRestaurantId(), QuoteID: o.GetQuoteId(), AddressID: o.GetAddressId(),
		Lines:    make([]DocumentLine, len(o.GetLines())),
		Subtotal: amount(o.GetSubtotal()), Tax: amount(o.GetTax()), DeliveryFee: amount(o.GetDeliveryFee()),
		ServiceFee: amount(o.GetServiceFee()), SmallOrderFee: amount(o.GetSmallOrderFee()), Tip: amount(o.GetTip()),
		Total: amount(o.GetTotal()), CancellationFee: amount(o.GetCancellationFee()),
		Address:  DocumentPosition{Latitude: o.GetAddress().GetLatitude(), Longitude: o.GetAddress().GetLongitude()},
		Notes:    o.GetNotes(),
		PlacedAt: instant(o.GetPlacedAt()), UpdatedAt: instant(o.GetUpdatedAt()),
		DeliveryPIN: o.GetDeliveryPin(), CancelRequested: o.GetCancelRequested(),
	}
	if o.GetCharge() != nil {
		charge := amount(o.GetCharge())
		d.Charge = &charge
	}
	for i, l := range o.GetLines() {
		d.Lines[i] = DocumentLine{
			ItemID: l.GetItemId(), Name: l.GetName(), Quantity: l.GetQuantity(), Options: append([]string{}, l.GetOptions()...),
			UnitPrice: amount(l.GetUnitPrice()), Total: amount(l.GetTotal()), Tax: amount(l.GetTax()),
		}
	}
	return d
}

const statePrefix = "ORDER_STATE_"

// StateName returns a state as REST and tables spell it, such as PENDING.
func StateName(s OrderState) string { return strings.TrimPrefix(s.String(), statePrefix) }

// StateOf is the inverse of StateName; ORDER_STATE_UNSPECIFIED for a name that is none.
func StateOf(name string) OrderState { return OrderState(OrderState_value[statePrefix+name]) }

func amount(m *kerfpb.Money) DocumentMoney {
	return DocumentMoney{Amount: m.GetAmount(), Currency: m.GetCurrency()}
}

func instant(t *timestamppb.Timestamp) time.Time { return t.AsTime() }
