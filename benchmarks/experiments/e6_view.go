package experiments

import (
	"time"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/kerfpb"
)

// quoteView is a quote as REST has it: names in snake_case, amounts as numbers, instants as text.
type quoteView struct {
	ID                 string       `json:"id"`
	ConsumerID         string       `json:"consumer_id"`
	RestaurantID       string       `json:"restaurant_id"`
	MenuVersion        int64        `json:"menu_version"`
	Lines              []lineView   `json:"lines"`
	Subtotal           moneyView    `json:"subtotal"`
	Tax                moneyView    `json:"tax"`
	DeliveryFee        moneyView    `json:"delivery_fee"`
	ServiceFee         moneyView    `json:"service_fee"`
	SmallOrderFee      moneyView    `json:"small_order_fee"`
	Tip                moneyView    `json:"tip"`
	Total              moneyView    `json:"total"`
	CancellationFee    moneyView    `json:"cancellation_fee"`
	RestaurantPosition positionView `json:"restaurant_position"`
	Address            positionView `json:"address"`
	PreparationSeconds int32        `json:"preparation_seconds"`
	ETAEarliest        time.Time    `json:"eta_earliest"`
	ETALatest          time.Time    `json:"eta_latest"`
	ExpiresAt          time.Time    `json:"expires_at"`
}

type lineView struct {
	ItemID    string       `json:"item_id"`
	Name      string       `json:"name"`
	Quantity  int32        `json:"quantity"`
	Options   []optionView `json:"options"`
	UnitPrice moneyView    `json:"unit_price"`
	Total     moneyView    `json:"total"`
	Tax       moneyView    `json:"tax"`
}

type optionView struct {
	GroupID    string    `json:"group_id"`
	OptionID   string    `json:"option_id"`
	Name       string    `json:"name"`
	PriceDelta moneyView `json:"price_delta"`
}

type moneyView struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type positionView struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

func viewOf(q *restaurantsapi.Quote) quoteView {
	view := quoteView{
		ID: q.GetQuoteId(), ConsumerID: q.GetConsumerId(), RestaurantID: q.GetRestaurantId(), MenuVersion: q.GetMenuVersion(),
		Subtotal: moneyOf(q.GetSubtotal()), Tax: moneyOf(q.GetTax()), DeliveryFee: moneyOf(q.GetDeliveryFee()), ServiceFee: moneyOf(q.GetServiceFee()),
		SmallOrderFee: moneyOf(q.GetSmallOrderFee()), Tip: moneyOf(q.GetTip()), Total: moneyOf(q.GetTotal()), CancellationFee: moneyOf(q.GetCancellationFee()),
		RestaurantPosition: positionOf(q.GetRestaurantPosition()), Address: positionOf(q.GetAddress()), PreparationSeconds: q.GetPreparationSeconds(),
		ETAEarliest: q.GetEtaEarliest().AsTime(), ETALatest: q.GetEtaLatest().AsTime(), ExpiresAt: q.GetExpiresAt().AsTime(),
	}
	for _, line := range q.GetLines() {
		of := lineView{
			ItemID: line.GetItemId(), Name: line.GetName(), Quantity: line.GetQuantity(), UnitPrice: moneyOf(line.GetUnitPrice()), Total: moneyOf(line.GetTotal()),
			Tax: moneyOf(line.GetTax()),
		}
		for _, o := range line.GetOptions() {
			of.Options = append(of.Options, optionView{o.GetGroupId(), o.GetOptionId(), o.GetName(), moneyOf(o.GetPriceDelta())})
		}
		view.Lines = append(view.Lines, of)
	}
	return view
}

func moneyOf(m *kerfpb.Money) moneyView { return moneyView{m.GetAmount(), m.GetCurrency()} }

func positionOf(p *kerfpb.Position) positionView {
	return positionView{p.GetLatitude(), p.GetLongitude()}
}
