package internal

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

const root = "/v1/restaurants"

// Routes adds the module's part of the public API.
func (s *Service) Routes(e *echo.Echo) {
	e.GET(root, s.getNearby)
	e.POST(root, s.postRestaurant)
	e.GET(root+"/:id", s.getRestaurant)
	e.PATCH(root+"/:id", put[Details](s))
	e.PUT(root+"/:id/opening-hours", put[SetOpeningHours](s))
	e.PUT(root+"/:id/delivery-zone", put[SetDeliveryZone](s))
	e.PUT(root+"/:id/fees", put[FeeSettings](s))
	e.PUT(root+"/:id/tax-rate", put[SetTaxRate](s))
	e.PUT(root+"/:id/preparation-time", put[SetPreparationTime](s))

	e.GET(root+"/:id/opening", s.getOpening)
	e.POST(root+"/:id/opening", s.post(OnOpen))
	e.POST(root+"/:id/pause", s.post(OnPause))
	e.POST(root+"/:id/resumption", s.post(OnResume))
	e.POST(root+"/:id/closure", s.post(OnClose))

	e.POST(root+"/:id/menus", s.postMenu)
	e.GET(root+"/:id/menu", s.getCurrentMenu)
	e.GET(root+"/:id/menus/:version", s.getMenu)
	e.GET(root+"/:id/items/:item/availability", s.getAvailability)
	e.PUT(root+"/:id/items/:item/availability", s.putAvailability)

	e.POST("/v1/quotes", s.postQuote)
	e.GET("/v1/quotes/:id", s.getQuote)
}

// requireStaff returns the caller of an operation that only a restaurant's people may ask for; whose it is shows later.
func requireStaff(c echo.Context) (identity.Principal, error) {
	return web.Require(c, identity.RoleRestaurant, identity.RoleAdmin)
}

func (s *Service) postRestaurant(c echo.Context) error {
	by, err := requireStaff(c)
	if err != nil {
		return err
	}
	var creation Creation
	if err := web.Bind(c, &creation); err != nil {
		return err
	}
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		r, err := s.create(ctx, tx, by, &creation)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusCreated, Location: r.path(), ETag: r.Version, Body: s.view(r, by)}, nil
	})
}

// refuseNulls answers Invalid for a member of the body that is null. Where what is left out stays as it is, null could mean that or
// nothing at all, so it means neither.
func refuseNulls(c echo.Context) error {
	var members map[string]any
	if err := web.Bind(c, &members); err != nil {
		return err
	}
	var v fault.Checks
	for _, name := range slices.Sorted(maps.Keys(members)) {
		v.That(members[name] != nil, name, "must not be null; what is left out stays as it is")
	}
	return v.Err()
}

// put returns the handler of a command that replaces a part of a restaurant, read from the body; the version is to be stated.
func put[C any, P interface {
	*C
	command
}](s *Service) echo.HandlerFunc {
	return func(c echo.Context) error {
		by, err := requireStaff(c)
		if err != nil {
			return err
		}
		seen, err := web.RequireIfMatch(c)
		if err != nil {
			return err
		}
		do := P(new(C))
		if err := web.Bind(c, do); err != nil {
			return err
		}
		if c.Request().Method == http.MethodPatch {
			if err := refuseNulls(c); err != nil {
				return err
			}
		}
		return s.change(c, by, seen, do)
	}
}

// post returns the handler of a change of state. It may state the version.
func (s *Service) post(on Trigger) echo.HandlerFunc {
	return func(c echo.Context) error {
		by, err := requireStaff(c)
		if err != nil {
			return err
		}
		seen, _, err := web.IfMatch(c)
		if err != nil {
			return err
		}
		do := &StateChange{On: on}
		if c.Request().ContentLength != 0 { // no body says as much as {}
			if err := web.Bind(c, do); err != nil {
				return err
			}
		}
		return s.change(c, by, seen, do)
	}
}

// change answers with the restaurant that a command has changed.
func (s *Service) change(c echo.Context, by identity.Principal, seen int64, do command) error {
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		r, err := s.edit(ctx, tx, by, c.Param("id"), seen, do)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusOK, ETag: r.Version, Body: s.view(r, by)}, nil
	})
}

// once answers a command that needs nothing but its transaction.
func (s *Service) once(c echo.Context, f func(ctx context.Context, tx *database.Tx) (web.Answer, error)) error {
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error { return commit(f) })
}

func (s *Service) getRestaurant(c echo.Context) error {
	r, by, err := s.visible(c)
	if err != nil {
		return err
	}
	return public(c, r.Version, r.lapses(s.clock.Now()), s.view(r, by))
}

// visible returns the restaurant of the path, and who asks. A draft is shown to those it belongs to, and Not found to all others.
func (s *Service) visible(c echo.Context) (*Restaurant, identity.Principal, error) {
	by, _ := identity.From(c.Request().Context())
	r, err := s.find(c.Request().Context(), c.Param("id"))
	if err != nil {
		return nil, by, err
	}
	if r.State == Draft && !r.belongsTo(by) && !by.Has(identity.RoleSupport) {
		return nil, by, fault.NotFound("restaurant")
	}
	return r, by, nil
}

// public answers a query that everybody may ask, with links that depend on who does. Where time alone has changed what is shown since the
// version was written (lapsed), the answer is sent whole: the version does not tell.
func public(c echo.Context, version int64, lapsed bool, body any) error {
	h := c.Response().Header()
	h.Add(echo.HeaderVary, echo.HeaderAuthorization)
	if !lapsed && web.NotModified(c, web.ETag(version)) {
		return nil
	}
	web.WriteETag(c, version)
	if _, known := identity.From(c.Request().Context()); !known {
		h.Set(echo.HeaderCacheControl, "public, no-cache") // any cache may keep it, if it asks each time whether it still holds
	}
	return c.JSON(http.StatusOK, body)
}

// getOpening answers the query IsOpenAt.
func (s *Service) getOpening(c echo.Context) error {
	r, _, err := s.visible(c)
	if err != nil {
		return err
	}
	at := s.clock.Now()
	if text := c.QueryParam("at"); text != "" {
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return fault.Invalid(fault.Violation{Field: "at", Description: "must be an RFC 3339 time such as 2026-01-31T12:00:00Z"})
		}
	}
	zone, err := s.zone(r.TimeZone)
	if err != nil {
		return err
	}
	return web.Composed(c, openingView{
		RestaurantID: r.ID, At: at.UTC(), Open: r.OpenAt(at, zone), State: r.StateAt(at),
		Links: web.Links{"self": {Href: c.Request().URL.RequestURI()}, "restaurant": {Href: r.path()}},
	})
}
