package internal

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

// Routes adds the kitchen's part of the public API, as kitchenapi.OpenAPI describes it.
func (s *Service) Routes(e *echo.Echo) {
	e.GET("/v1/tickets", s.getBoard)
	e.GET("/v1/tickets/:order_id", s.getTicket)
	e.POST("/v1/tickets/:order_id/acceptance", s.postAcceptance)
	e.POST("/v1/tickets/:order_id/rejection", s.postRejection)
	e.POST("/v1/tickets/:order_id/preparation", s.postPreparation)
	e.POST("/v1/tickets/:order_id/readiness", s.postReadiness)
	e.POST("/v1/tickets/:order_id/delay", s.postDelay)
	e.POST("/v1/tickets/:order_id/hand-over", s.postHandOver)
	e.GET("/v1/kitchens/:restaurant_id", s.getKitchen)
	e.PUT("/v1/kitchens/:restaurant_id", s.putKitchen)
}

// staff are the roles that read a restaurant's kitchen; acting is for the restaurant alone.
var staff = []identity.Role{identity.RoleRestaurant, identity.RoleSupport, identity.RoleAdmin}

// knows tells whether a caller may know of a restaurant's kitchen.
func knows(p identity.Principal, restaurantID string) bool {
	return p.Has(identity.RoleSupport, identity.RoleAdmin) || p.Has(identity.RoleRestaurant) && p.Owns(restaurantID)
}

func (s *Service) getBoard(c echo.Context) error {
	p, err := web.Require(c, staff...)
	if err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	var v fault.Checks
	restaurantID, err := ids.Parse("restaurant_id", c.QueryParam("restaurant_id"))
	v.Note("restaurant_id", err)
	state := State(c.QueryParam("state"))
	v.That(state == "" || onBoard(state), "state", "must be a state of a ticket that the restaurant sees")
	after, err := positionOf(page.After)
	v.Note("cursor", err)
	if err := v.Err(); err != nil {
		return err
	}
	if !knows(p, restaurantID) {
		return fault.NotFound("restaurant")
	}
	found, err := board(c.Request().Context(), s.db, restaurantID, state, after, page.Limit+1)
	if err != nil {
		return err
	}
	tickets := make([]ticketResource, len(found))
	for i, t := range found {
		tickets[i] = resourceOf(t, p)
	}
	return c.JSON(http.StatusOK, web.CollectionOf(c, page, tickets, func(t ticketResource) web.Cursor {
		return web.Cursor{Key: strconv.FormatInt(database.Micros(t.CreatedAt), 10), ID: t.OrderID}
	}))
}

func onBoard(state State) bool {
	for _, s := range states {
		if s == state {
			return s != Created
		}
	}
	return false
}

func positionOf(after web.Cursor) (position, error) {
	if after.IsZero() {
		return position{}, nil
	}
	created, err := strconv.ParseInt(after.Key, 10, 64)
	if err != nil {
		return position{}, fault.Invalid(fault.Violation{Field: "cursor", Description: "must be the cursor of a link that was given"})
	}
	return position{created, after.ID}, nil
}

func (s *Service) getTicket(c echo.Context) error {
	p, err := web.Require(c)
	if err != nil {
		return err
	}
	orderID, err := ids.Parse("order_id", c.Param("order_id"))
	if err != nil {
		return fault.NotFound("ticket")
	}
	t, err := read(c.Request().Context(), s.db, orderID)
	if err != nil {
		return err
	}
	if !maySee(p, t) {
		return fault.NotFound("ticket")
	}
	return web.Versioned(c, t.Version, resourceOf(t, p))
}

// step is one step of a ticket's machine, within its transaction.
type step func(tx *database.Tx, t *Ticket, now time.Time) (Effect, error)

// act answers an action of the restaurant: the body read into body, and the ticket, if it is the caller's and of the version that he
// states, taken through the step.
func (s *Service) act(c echo.Context, body any, check func() error, step step) error {
	p, err := web.Require(c, identity.RoleRestaurant)
	if err != nil {
		return err
	}
	seen, stated, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, body); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error {
		return commit(func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
			t, err := findOwn(tx, p, c.Param("order_id"))
			if err != nil {
				return web.Answer{}, err
			}
			if stated && seen != t.Version {
				return web.Answer{}, fault.Stale("the ticket has version %d now", t.Version)
			}
			err = s.change(ctx, tx, t, func(t *Ticket, now time.Time) (Effect, error) { return step(tx, t, now) })
			if err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusOK, ETag: t.Version, Body: resourceOf(t, p)}, nil
		})
	})
}

// findOwn returns a ticket that its restaurant may act on; every other is not found.
func findOwn(tx *database.Tx, p identity.Principal, orderID string) (*Ticket, error) {
	t, err := findMade(tx, orderID)
	if err != nil {
		return nil, err
	}
	if !p.Owns(t.RestaurantID) || !t.shown() {
		return nil, fault.NotFound("ticket")
	}
	return t, nil
}

func unchecked() error { return nil }

func (s *Service) postAcceptance(c echo.Context) error {
	var body struct {
		ReadyBy time.Time `json:"ready_by"`
	}
	return s.act(c, &body, unchecked, func(_ *database.Tx, t *Ticket, now time.Time) (Effect, error) {
		return t.Accept(clock.Cut(body.ReadyBy), now)
	})
}

// The bounds of what a rejection says.
const (
	maxReason  = 200
	maxMissing = 100
	maxItemID  = 64
)

func (s *Service) postRejection(c echo.Context) error {
	var body struct {
		Reason         string   `json:"reason"`
		MissingItemIDs []string `json:"missing_item_ids"`
	}
	check := func() error {
		var v fault.Checks
		v.Text(body.Reason, "reason", 1, maxReason)
		v.That(len(body.MissingItemIDs) <= maxMissing, "missing_item_ids", "must not be more than %d", maxMissing)
		for i, id := range body.MissingItemIDs[:min(len(body.MissingItemIDs), maxMissing)] {
			v.Text(id, fmt.Sprintf("missing_item_ids[%d]", i), 1, maxItemID)
		}
		return v.Err()
	}
	return s.act(c, &body, check, func(_ *database.Tx, t *Ticket, now time.Time) (Effect, error) {
		return t.Reject(body.Reason, body.MissingItemIDs, now)
	})
}

func (s *Service) postPreparation(c echo.Context) error {
	return s.act(c, &struct{}{}, unchecked, func(tx *database.Tx, t *Ticket, now time.Time) (Effect, error) {
		inPreparation, capacity, err := load(tx, t.RestaurantID)
		if err != nil {
			return Nothing, err
		}
		return t.StartPreparing(inPreparation, capacity, now)
	})
}

func (s *Service) postReadiness(c echo.Context) error {
	return s.act(c, &struct{}{}, unchecked, func(_ *database.Tx, t *Ticket, now time.Time) (Effect, error) {
		return t.MarkReady(now)
	})
}

func (s *Service) postDelay(c echo.Context) error {
	var body struct {
		ReadyBy time.Time `json:"ready_by"`
	}
	check := func() error {
		var v fault.Checks
		v.That(!body.ReadyBy.IsZero(), "ready_by", "must be given")
		return v.Err()
	}
	return s.act(c, &body, check, func(_ *database.Tx, t *Ticket, now time.Time) (Effect, error) {
		return t.Delay(clock.Cut(body.ReadyBy), now)
	})
}

func (s *Service) postHandOver(c echo.Context) error {
	return s.act(c, &struct{}{}, unchecked, func(_ *database.Tx, t *Ticket, now time.Time) (Effect, error) {
		return t.HandOver(now)
	})
}

func (s *Service) getKitchen(c echo.Context) error {
	p, restaurantID, err := requireKitchen(c, staff...)
	if err != nil {
		return err
	}
	k, err := readKitchen(c.Request().Context(), s.db, restaurantID)
	if err != nil {
		return err
	}
	return web.Versioned(c, k.Version, kitchenResourceOf(k, p))
}

func (s *Service) putKitchen(c echo.Context) error {
	p, restaurantID, err := requireKitchen(c, identity.RoleRestaurant)
	if err != nil {
		return err
	}
	seen, err := web.RequireIfMatch(c)
	if err != nil {
		return err
	}
	var body struct {
		Capacity *int64 `json:"capacity"`
	}
	if err := web.Bind(c, &body); err != nil {
		return err
	}
	var v fault.Checks
	v.That(body.Capacity != nil && *body.Capacity >= 0 && *body.Capacity <= maxCapacity, "capacity", "must be from 0, no limit, to 1000")
	if err := v.Err(); err != nil {
		return err
	}
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error {
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			k, err := setCapacity(tx, restaurantID, seen, *body.Capacity, s.clock.Now())
			if err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusOK, ETag: k.Version, Body: kitchenResourceOf(k, p)}, nil
		})
	})
}

// requireKitchen returns who asks for which kitchen, if he may know of it.
func requireKitchen(c echo.Context, roles ...identity.Role) (identity.Principal, string, error) {
	p, err := web.Require(c, roles...)
	if err != nil {
		return p, "", err
	}
	restaurantID, err := ids.Parse("restaurant_id", c.Param("restaurant_id"))
	if err != nil || !knows(p, restaurantID) {
		return p, "", fault.NotFound("kitchen")
	}
	return p, restaurantID, nil
}
