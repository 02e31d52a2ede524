package internal

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/database"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/money"
	"kerf/platform/web"
)

// quoteView is the JSON of a quote.
type quoteView struct {
	ID                 string       `json:"id"`
	Version            int64        `json:"version"` // always 1: a quote never changes
	ConsumerID         string       `json:"consumer_id"`
	RestaurantID       string       `json:"restaurant_id"`
	MenuVersion        int64        `json:"menu_version"`
	Lines              []lineView   `json:"lines"`
	Address            geo.Position `json:"address"`
	Subtotal           money.Money  `json:"subtotal"`
	Tax                money.Money  `json:"tax"`
	DeliveryFee        money.Money  `json:"delivery_fee"`
	ServiceFee         money.Money  `json:"service_fee"`
	SmallOrderFee      money.Money  `json:"small_order_fee"`
	Tip                money.Money  `json:"tip"`
	Total              money.Money  `json:"total"`
	CancellationFee    money.Money  `json:"cancellation_fee"`
	PreparationMinutes int64        `json:"preparation_minutes"`
	EtaEarliest        time.Time    `json:"eta_earliest"`
	EtaLatest          time.Time    `json:"eta_latest"`
	ExpiresAt          time.Time    `json:"expires_at"`
	Links              web.Links    `json:"_links"`
}

type lineView struct {
	ItemID    string       `json:"item_id"`
	Name      string       `json:"name"`
	Quantity  int32        `json:"quantity"`
	Options   []optionView `json:"options"`
	UnitPrice money.Money  `json:"unit_price"`
	Total     money.Money  `json:"total"`
	Tax       money.Money  `json:"tax"`
}

type optionView struct {
	GroupID    string      `json:"group_id"`
	OptionID   string      `json:"option_id"`
	Name       string      `json:"name"`
	PriceDelta money.Money `json:"price_delta"`
}

func quotePath(id string) string { return "/v1/quotes/" + id }

func viewQuote(q *restaurantsapi.Quote, now time.Time) quoteView {
	v := quoteView{
		ID: q.GetQuoteId(), Version: 1, ConsumerID: q.GetConsumerId(), RestaurantID: q.GetRestaurantId(), MenuVersion: q.GetMenuVersion(),
		Lines: make([]lineView, len(q.GetLines())), Address: geo.FromProto(q.GetAddress()),
		Subtotal: money.FromProto(q.GetSubtotal()), Tax: money.FromProto(q.GetTax()), DeliveryFee: money.FromProto(q.GetDeliveryFee()),
		ServiceFee: money.FromProto(q.GetServiceFee()), SmallOrderFee: money.FromProto(q.GetSmallOrderFee()), Tip: money.FromProto(q.GetTip()),
		Total: money.FromProto(q.GetTotal()), CancellationFee: money.FromProto(q.GetCancellationFee()),
		PreparationMinutes: int64(q.GetPreparationSeconds()) / 60,
		EtaEarliest:        q.GetEtaEarliest().AsTime(), EtaLatest: q.GetEtaLatest().AsTime(), ExpiresAt: q.GetExpiresAt().AsTime(),
		Links: web.Links{"self": {Href: quotePath(q.GetQuoteId())}, "restaurant": {Href: root + "/" + q.GetRestaurantId()}},
	}
	for i, l := range q.GetLines() {
		v.Lines[i] = lineView{
			ItemID: l.GetItemId(), Name: l.GetName(), Quantity: l.GetQuantity(), Options: make([]optionView, len(l.GetOptions())),
			UnitPrice: money.FromProto(l.GetUnitPrice()), Total: money.FromProto(l.GetTotal()), Tax: money.FromProto(l.GetTax()),
		}
		for j, o := range l.GetOptions() {
			v.Lines[i].Options[j] = optionView{o.GetGroupId(), o.GetOptionId(), o.GetName(), money.FromProto(o.GetPriceDelta())}
		}
	}
	if now.Before(v.ExpiresAt) {
		v.Links.Act("order", http.MethodPost, "/v1/orders")
	}
	return v
}

// postQuote prices before its transaction, from what is committed: so the module's only writer does nothing but insert a row.
func (s *Service) postQuote(c echo.Context) error {
	by, err := web.Require(c, identity.RoleConsumer)
	if err != nil {
		return err
	}
	var request QuoteRequest
	if err := web.Bind(c, &request); err != nil {
		return err
	}
	if err := request.validate(); err != nil {
		return err
	}
	return web.Once(c, s.db, func(ctx context.Context, commit web.Commit) error {
		quote, err := s.quote(ctx, by.Subject, &request)
		if err != nil {
			return err
		}
		view := viewQuote(quote, s.clock.Now())
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			return web.Answer{Status: http.StatusCreated, Location: quotePath(view.ID), ETag: view.Version, Body: view}, storeQuote(tx, quote)
		})
	})
}

func (s *Service) getQuote(c echo.Context) error {
	by, err := web.Require(c, identity.RoleConsumer)
	if err != nil {
		return err
	}
	quote, _, err := s.findQuote(c.Request().Context(), c.Param("id"), by.Subject)
	if err != nil {
		return err
	}
	view := viewQuote(quote, s.clock.Now())
	if _, valid := view.Links["order"]; valid {
		return web.Versioned(c, view.Version, view)
	}
	// What is shown lost a link when the quote expired, and has no version that says so.
	return c.JSON(http.StatusOK, view)
}
