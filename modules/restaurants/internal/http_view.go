package internal

import (
	"net/http"
	"time"

	"kerf/platform/database"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/money"
	"kerf/platform/web"
)

// restaurantView is the JSON of a restaurant.
type restaurantView struct {
	ID                    string       `json:"id"`
	Version               int64        `json:"version"`
	State                 State        `json:"state"`
	PausedUntil           *time.Time   `json:"paused_until,omitempty"`
	Name                  string       `json:"name"`
	Cuisine               string       `json:"cuisine"`
	Position              geo.Position `json:"position"`
	TimeZone              string       `json:"time_zone"`
	Currency              string       `json:"currency"`
	OpeningHours          Hours        `json:"opening_hours"`
	DeliveryRadiusMetres  int64        `json:"delivery_radius_metres"`
	Minimum               money.Money  `json:"minimum"`
	DeliveryFee           money.Money  `json:"delivery_fee"`
	ServiceFeeBasisPoints int64        `json:"service_fee_basis_points"`
	SmallOrderFee         money.Money  `json:"small_order_fee"`
	SmallOrderBelow       money.Money  `json:"small_order_below"`
	CancellationFee       money.Money  `json:"cancellation_fee"`
	TaxBasisPoints        int64        `json:"tax_basis_points"`
	PreparationMinutes    int64        `json:"preparation_minutes"`
	MenuVersion           int64        `json:"menu_version"`
	CreatedAt             time.Time    `json:"created_at"`
	Links                 web.Links    `json:"_links"`
}

type openingView struct {
	RestaurantID string    `json:"restaurant_id"`
	At           time.Time `json:"at"`
	Open         bool      `json:"open"`
	State        State     `json:"state"`
	Links        web.Links `json:"_links"`
}

func (r *Restaurant) path() string { return root + "/" + r.ID }

// view shows a restaurant as it is now to one who may be nobody.
func (s *Service) view(r *Restaurant, to identity.Principal) restaurantView {
	now := s.clock.Now()
	v := restaurantView{
		ID: r.ID, Version: r.Version, State: r.StateAt(now), Name: r.Name, Cuisine: r.Cuisine, Position: r.Position, TimeZone: r.TimeZone,
		Currency: r.Currency, OpeningHours: r.OpeningHours, DeliveryRadiusMetres: r.RadiusMetres,
		Minimum: r.money(r.Fees.Minimum), DeliveryFee: r.money(r.Fees.DeliveryFee), ServiceFeeBasisPoints: r.Fees.ServiceFeeBasisPoints,
		SmallOrderFee: r.money(r.Fees.SmallOrderFee), SmallOrderBelow: r.money(r.Fees.SmallOrderBelow),
		CancellationFee: r.money(r.Fees.CancellationFee), TaxBasisPoints: r.TaxBasisPoints, PreparationMinutes: r.PreparationMinutes,
		MenuVersion: r.MenuVersion, CreatedAt: database.Time(r.CreatedAt), Links: r.links(to, now),
	}
	if v.State == Paused && r.PausedUntil != 0 {
		until := database.Time(r.PausedUntil)
		v.PausedUntil = &until
	}
	return v
}

func (r *Restaurant) links(to identity.Principal, now time.Time) web.Links {
	links := web.Links{}
	links.Get("self", r.path())
	links.Get("open-at", r.path()+"/opening")
	if r.MenuVersion > 0 {
		links.Get("menu", r.path()+"/menu")
	}
	if r.StateAt(now) == Open && to.Has(identity.RoleConsumer) {
		links.Act("quote", http.MethodPost, "/v1/quotes")
	}
	if !r.belongsTo(to) {
		return links
	}
	links.Act("edit", http.MethodPatch, r.path())
	for _, part := range []string{"opening-hours", "delivery-zone", "fees", "tax-rate", "preparation-time"} {
		links.Act(part, http.MethodPut, r.path()+"/"+part)
	}
	links.Act("publish-menu", http.MethodPost, r.path()+"/menus")
	for _, action := range []struct {
		on   Trigger
		noun string
	}{{OnOpen, "opening"}, {OnPause, "pause"}, {OnResume, "resumption"}, {OnClose, "closure"}} {
		if r.May(action.on, now) {
			links.Act(action.noun, http.MethodPost, r.path()+"/"+action.noun)
		}
	}
	return links
}
