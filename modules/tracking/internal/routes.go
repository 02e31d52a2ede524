package internal

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

// Routes adds tracking's part of the public API, as trackingapi.OpenAPI describes it.
func (s *Service) Routes(e *echo.Echo) {
	e.GET("/v1/tracking", s.getViews)
	e.GET("/v1/tracking/events", s.getAllEvents)
	e.POST("/v1/tracking/rebuild", s.postRebuild)
	e.GET("/v1/tracking/rebuild", s.getRebuild)
	e.GET("/v1/tracking/:order_id", s.getView)
	e.GET("/v1/tracking/:order_id/events", s.getEvents)
}

func (s *Service) getView(c echo.Context) error {
	p, v, err := s.viewOf(c)
	if err != nil {
		return err
	}
	behind, err := s.behind(c.Request().Context())
	if err != nil {
		return err
	}
	// Weak: the same view may be shown as another time behind.
	if web.NotModified(c, "W/"+web.ETag(v.GetSequence())) {
		return nil
	}
	r, milliseconds := resourceOf(v, p), behind.Milliseconds()
	r.Behind = &milliseconds
	return c.JSON(http.StatusOK, r)
}

// viewOf returns who asks, and the view that the path names, if it is his to see. It waits a little for the first view of a new order.
func (s *Service) viewOf(c echo.Context) (identity.Principal, *trackingapi.View, error) {
	p, err := web.Require(c)
	if err != nil {
		return p, nil, err
	}
	orderID := c.Param("order_id")
	if !ids.Valid(orderID) {
		return p, nil, fault.NotFound("order")
	}
	v, err := s.viewFor(c.Request().Context(), p, orderID)
	if fault.KindOf(err) == fault.KindNotFound && s.mayCome(orderID) {
		v, err = s.firstView(c, p, orderID)
	}
	return p, v, s.notYet(c.Request().Context(), err)
}

func (s *Service) getViews(c echo.Context) error {
	p, err := web.Require(c, identity.RoleConsumer, identity.RoleRestaurant, identity.RoleSupport, identity.RoleAdmin)
	if err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	f := filter{consumerID: c.QueryParam("consumer_id"), restaurantID: c.QueryParam("restaurant_id"), status: c.QueryParam("state")}
	var v fault.Checks
	v.That(f.consumerID == "" || ids.Valid(f.consumerID), "consumer_id", "must be a UUID in lower case")
	v.That(f.restaurantID == "" || ids.Valid(f.restaurantID), "restaurant_id", "must be a UUID in lower case")
	v.That(f.status == "" || slices.Contains(openStatuses, f.status) || slices.Contains(endStatuses, f.status), "state", "must be a state of an order")
	after, err := placeOf(page.After)
	v.Note("cursor", err)
	if err := v.Err(); err != nil {
		return err
	}
	if f, err = f.within(p); err != nil {
		return err
	}
	views, err := list(c.Request().Context(), s.db, f, after, page.Limit+1)
	if err != nil {
		return err
	}
	last := web.Cursor{}
	if len(views) > page.Limit {
		end := views[page.Limit-1]
		last = web.Cursor{Key: strconv.FormatInt(columnsOf(end).placedAt, 10), ID: end.GetOrderId()}
	}
	resources := make([]viewResource, len(views))
	for i, v := range views {
		resources[i] = resourceOf(v, p)
	}
	return c.JSON(http.StatusOK, web.CollectionOf(c, page, resources, func(viewResource) web.Cursor { return last }))
}

// within narrows the filter to what the caller may see. What is somebody else's is not found.
func (f filter) within(p identity.Principal) (filter, error) {
	switch {
	case seesAll(p):
		return f, nil
	case f.restaurantID != "" && p.Has(identity.RoleRestaurant):
		if !p.Owns(f.restaurantID) {
			return f, fault.NotFound("restaurant")
		}
		return f, nil
	case p.Has(identity.RoleConsumer):
		if f.consumerID == "" {
			f.consumerID = p.Subject
		}
		if !p.Owns(f.consumerID) {
			return f, fault.NotFound("consumer")
		}
		return f, nil
	}
	return f, fault.Invalid(fault.Violation{Field: "restaurant_id", Description: "must be given"})
}

func placeOf(after web.Cursor) (place, error) {
	if after.IsZero() {
		return place{}, nil
	}
	placed, err := strconv.ParseInt(after.Key, 10, 64)
	if err != nil || after.ID == "" {
		return place{}, fault.Invalid(fault.Violation{Field: "cursor", Description: "must be the cursor of a link that was given"})
	}
	return place{placed, after.ID}, nil
}
