package internal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

// Routes adds delivery's part of the public API, as deliveryapi.OpenAPI describes it.
func (s *Service) Routes(e *echo.Echo) {
	e.GET("/v1/deliveries/:order_id", s.getDelivery)
	e.POST("/v1/deliveries/:order_id/acceptance", s.plain(itsCourier, (*Delivery).AcceptOffer))
	e.POST("/v1/deliveries/:order_id/decline", s.plain(itsCourier, (*Delivery).DeclineOffer))
	e.POST("/v1/deliveries/:order_id/arrival-at-pickup", s.plain(itsCourier, (*Delivery).ArriveAtPickup))
	e.POST("/v1/deliveries/:order_id/pickup", s.postPickup)
	e.POST("/v1/deliveries/:order_id/arrival-at-dropoff", s.plain(itsCourier, (*Delivery).ArriveAtDropoff))
	e.POST("/v1/deliveries/:order_id/dropoff", s.postDropoff)
	e.POST("/v1/deliveries/:order_id/failure", s.postFailure)
	e.POST("/v1/deliveries/:order_id/return", s.plain(itsCourierOrStaff, (*Delivery).Return))
	e.POST("/v1/deliveries/:order_id/reassignment", s.plain(staff, (*Delivery).Reassign))

	e.POST("/v1/couriers", s.postCourier)
	e.GET("/v1/couriers", s.getCouriers)
	e.GET("/v1/couriers/:courier_id", s.getCourier)
	e.POST("/v1/couriers/:courier_id/shift", s.postShift)
	e.POST("/v1/couriers/:courier_id/shift-end", s.postShiftEnd)
	e.PUT("/v1/couriers/:courier_id/location", s.putLocation)
}

func (s *Service) getDelivery(c echo.Context) error {
	p, err := web.Require(c)
	if err != nil {
		return err
	}
	orderID, err := ids.Parse("order_id", c.Param("order_id"))
	if err != nil {
		return fault.NotFound("delivery")
	}
	d, err := readDelivery(c.Request().Context(), s.db, orderID)
	if err != nil {
		return err
	}
	if !maySee(p, d) {
		return fault.NotFound("delivery")
	}
	return web.Versioned(c, d.Version, resourceOf(d, p))
}

// action is something that a caller does with a delivery.
type action struct {
	by    actors
	body  any          // where the request's body is read into
	check func() error // whether the body makes sense; nil if it always does
	first func(ctx context.Context, p identity.Principal) error
	step  step
}

// plain answers an action that needs no more than the delivery.
func (s *Service) plain(by actors, step step) echo.HandlerFunc {
	return func(c echo.Context) error { return s.act(c, action{by: by, body: &struct{}{}, step: step}) }
}

// act answers an action: the delivery, if it is the caller's and of the version that he states, taken through the step. If the action
// has something to do first, that is committed on its own, before the step.
func (s *Service) act(c echo.Context, a action) error {
	p, err := web.Require(c, a.by...)
	if err != nil {
		return err
	}
	seen, stated, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, a.body); err != nil {
		return err
	}
	if a.check != nil {
		if err := a.check(); err != nil {
			return err
		}
	}
	return web.Once(c, s.db, func(ctx context.Context, commit web.Commit) error {
		if a.first != nil {
			if err := a.first(ctx, p); err != nil {
				return err
			}
		}
		return commit(func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
			d, err := findScheduled(tx, c.Param("order_id"))
			if err != nil {
				return web.Answer{}, err
			}
			if !a.by.include(p, d) {
				return web.Answer{}, fault.NotFound("delivery")
			}
			if stated && seen != d.Version {
				return web.Answer{}, fault.Stale("the delivery has version %d now", d.Version)
			}
			if _, err := s.change(ctx, tx, d, a.step); err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusOK, ETag: d.Version, Body: resourceOf(d, p)}, nil
		})
	})
}

func (s *Service) postPickup(c echo.Context) error {
	var body struct {
		Code string `json:"code"`
	}
	return s.act(c, action{
		by: itsCourier, body: &body, check: checkCode("code", &body.Code),
		first: func(ctx context.Context, p identity.Principal) error {
			return s.countWrong(ctx, p, c.Param("order_id"), AtPickup, body.Code)
		},
		step: func(d *Delivery, now time.Time) (Effect, error) { return d.ConfirmPickup(body.Code, now) },
	})
}

func (s *Service) postDropoff(c echo.Context) error {
	var body struct {
		PIN string `json:"pin"`
	}
	return s.act(c, action{
		by: itsCourier, body: &body, check: checkCode("pin", &body.PIN),
		first: func(ctx context.Context, p identity.Principal) error {
			return s.countWrong(ctx, p, c.Param("order_id"), AtDropoff, body.PIN)
		},
		step: func(d *Delivery, now time.Time) (Effect, error) { return d.ConfirmDelivery(body.PIN, now) },
	})
}

func checkCode(field string, code *string) func() error {
	return func() error {
		var v fault.Checks
		v.Text(*code, field, 1, 100)
		return v.Err()
	}
}

func (s *Service) postFailure(c echo.Context) error {
	var body struct {
		Reason string `json:"reason"`
	}
	check := func() error {
		var v fault.Checks
		v.That(slices.Contains(failures, body.Reason), "reason", "must be one of %s", strings.Join(failures, ", "))
		return v.Err()
	}
	return s.act(c, action{by: itsCourier, body: &body, check: check, step: func(d *Delivery, now time.Time) (Effect, error) {
		return d.Fail(body.Reason, now)
	}})
}

// countWrong counts a wrong code, in a transaction of its own: the step that refuses the code is undone, and the count must not be.
// Counted before it is told that the code was wrong, so that no number of requests at once gets more answers than one after another.
// The right code costs one read. Exhausted while the courier has to wait.
func (s *Service) countWrong(ctx context.Context, p identity.Principal, orderID string, at State, code string) error {
	d, err := readDelivery(ctx, s.db, orderID)
	if err != nil {
		return err
	}
	if !itsCourier.include(p, d) {
		return fault.NotFound("delivery")
	}
	now := s.clock.Now()
	if d.State != at || !d.blocked(now) && d.check(code, d.code(), now) == nil {
		return nil // for the step to say
	}
	if !d.blocked(now) {
		if err := s.db.Write(ctx, func(_ context.Context, tx *database.Tx) error { return countWrongCode(tx, orderID, now) }); err != nil {
			return err
		}
		d.WrongCodes, d.WrongCodeAt = d.WrongCodes+1, now
	}
	if d.blocked(now) {
		wait := s.clock.WallUntil(d.WrongCodeAt.Add(wrongCodePause))
		return fault.Exhausted(max(time.Second, wait), "too_many_codes", "too many wrong codes were named")
	}
	return nil
}
