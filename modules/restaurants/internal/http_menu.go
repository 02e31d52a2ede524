package internal

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// menuView is the JSON of a menu version; of the current menu, with what can be had now.
type menuView struct {
	RestaurantID string     `json:"restaurant_id"`
	MenuVersion  int64      `json:"menu_version"`
	PublishedAt  time.Time  `json:"published_at"`
	Items        []itemView `json:"items"`
	Links        web.Links  `json:"_links"`
}

type itemView struct {
	Item
	// Available stands on the current menu only.
	Available *bool `json:"available,omitempty"`
	// AvailableFrom is when an item that is out comes back, if that is known.
	AvailableFrom *time.Time `json:"available_from,omitempty"`
}

type availabilityView struct {
	RestaurantID  string     `json:"restaurant_id"`
	ItemID        string     `json:"item_id"`
	Available     bool       `json:"available"`
	AvailableFrom *time.Time `json:"available_from,omitempty"`
	// Version is the restaurant's, to be stated when this is changed.
	Version int64     `json:"version"`
	Links   web.Links `json:"_links"`
}

func (m *Menu) path() string {
	return root + "/" + m.RestaurantID + "/menus/" + strconv.FormatInt(m.Version, 10)
}

func (m *Menu) view() menuView {
	v := menuView{RestaurantID: m.RestaurantID, MenuVersion: m.Version, PublishedAt: database.Time(m.PublishedAt), Items: make([]itemView, len(m.Items))}
	for i, item := range m.Items {
		v.Items[i].Item = item
	}
	v.Links = web.Links{"self": {Href: m.path()}, "restaurant": {Href: root + "/" + m.RestaurantID}}
	return v
}

func (s *Service) postMenu(c echo.Context) error {
	by, err := requireStaff(c)
	if err != nil {
		return err
	}
	seen, _, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	var body struct {
		Items []Item `json:"items"`
	}
	if err := web.Bind(c, &body); err != nil {
		return err
	}
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		m, err := s.publish(ctx, tx, by, c.Param("id"), seen, body.Items)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusCreated, Location: m.path(), ETag: m.Version, Body: m.view()}, nil
	})
}

// getMenu shows a version as it was published. It never changes, so it may be kept for ever.
func (s *Service) getMenu(c echo.Context) error {
	r, _, err := s.visible(c)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(c.Param("version"), 10, 64)
	if err != nil {
		return fault.NotFound("menu")
	}
	m, err := s.menu(c.Request().Context(), r.ID, version)
	if err != nil {
		return err
	}
	if web.NotModified(c, web.ETag(m.Version)) {
		return nil
	}
	if r.State != Draft {
		c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=31536000, immutable")
	}
	return c.JSON(http.StatusOK, m.view())
}

// getCurrentMenu shows the current version with the availability of each item. Its version is the restaurant's, which counts both.
func (s *Service) getCurrentMenu(c echo.Context) error {
	r, by, err := s.visible(c)
	if err != nil {
		return err
	}
	if r.MenuVersion == 0 {
		return fault.NotFound("menu")
	}
	m, err := s.menu(c.Request().Context(), r.ID, r.MenuVersion)
	if err != nil {
		return err
	}
	v, now := m.view(), s.clock.Now()
	for i := range v.Items {
		available := r.Available(v.Items[i].ID, now)
		v.Items[i].Available, v.Items[i].AvailableFrom = &available, r.availableFrom(v.Items[i].ID, now)
	}
	v.Links["self"] = web.Link{Href: r.path() + "/menu"}
	v.Links.Get("version", m.path())
	if r.StateAt(now) == Open && by.Has(identity.RoleConsumer) {
		v.Links.Act("quote", http.MethodPost, "/v1/quotes")
	}
	return public(c, r.Version, r.lapses(now), v)
}

func (r *Restaurant) availableFrom(itemID string, now time.Time) *time.Time {
	until := r.Unavailable[itemID]
	if until == 0 || r.Available(itemID, now) {
		return nil
	}
	from := database.Time(until)
	return &from
}

func (s *Service) getAvailability(c echo.Context) error {
	r, by, err := s.visible(c)
	if err != nil {
		return err
	}
	if err := s.requireItem(c.Request().Context(), r, c.Param("item")); err != nil {
		return err
	}
	now := s.clock.Now()
	return public(c, r.Version, r.lapses(now), r.availability(c.Param("item"), by, now))
}

func (s *Service) putAvailability(c echo.Context) error {
	by, err := requireStaff(c)
	if err != nil {
		return err
	}
	seen, err := web.RequireIfMatch(c)
	if err != nil {
		return err
	}
	do := &SetItemAvailability{ItemID: c.Param("item")}
	if err := web.Bind(c, do); err != nil {
		return err
	}
	return web.Once(c, s.db, func(ctx context.Context, commit web.Commit) error {
		// The menu is looked at before the transaction: an item that leaves it meanwhile takes its availability along.
		r, err := s.find(ctx, c.Param("id"))
		if err != nil {
			return err
		}
		if !r.belongsTo(by) {
			return fault.NotFound("restaurant")
		}
		if err := s.requireItem(ctx, r, do.ItemID); err != nil {
			return err
		}
		return commit(func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
			r, err := s.edit(ctx, tx, by, c.Param("id"), seen, do)
			if err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusOK, ETag: r.Version, Body: r.availability(do.ItemID, by, s.clock.Now())}, nil
		})
	})
}

// requireItem answers Not found unless the item is on the current menu.
func (s *Service) requireItem(ctx context.Context, r *Restaurant, itemID string) error {
	if r.MenuVersion == 0 {
		return fault.NotFound("item")
	}
	m, err := s.menu(ctx, r.ID, r.MenuVersion)
	if err != nil {
		return err
	}
	if m.Item(itemID) == nil {
		return fault.NotFound("item")
	}
	return nil
}

func (r *Restaurant) availability(itemID string, to identity.Principal, now time.Time) availabilityView {
	self := r.path() + "/items/" + itemID + "/availability"
	v := availabilityView{
		RestaurantID: r.ID, ItemID: itemID, Available: r.Available(itemID, now), AvailableFrom: r.availableFrom(itemID, now), Version: r.Version,
		Links: web.Links{"self": {Href: self}, "menu": {Href: r.path() + "/menu"}},
	}
	if r.belongsTo(to) {
		v.Links.Act("edit", http.MethodPut, self)
	}
	return v
}
