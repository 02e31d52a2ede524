package internal

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

const (
	maxNotes  = 500
	maxReason = 200
)

// PostOrder is POST /v1/orders.
func (c *Core) PostOrder(e echo.Context) error {
	p, err := web.Require(e, identity.RoleConsumer)
	if err != nil {
		return err
	}
	return web.Once(e, c.db, func(ctx context.Context, commit web.Commit) error {
		cmd, err := bindPlaceOrder(e, p)
		if err != nil {
			return err
		}
		terms, err := c.agree(ctx, cmd)
		if err != nil {
			return err
		}
		id := ids.New()
		return commit(func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
			o, err := c.place(ctx, tx, id, terms)
			if err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusCreated, Location: o.path(), ETag: o.Version, Body: o.document(p)}, nil
		})
	})
}

func bindPlaceOrder(e echo.Context, p identity.Principal) (PlaceOrder, error) {
	var body struct {
		QuoteID         string `json:"quote_id"`
		AddressID       string `json:"address_id"`
		PaymentMethodID string `json:"payment_method_id"`
		Notes           string `json:"notes"`
	}
	if err := web.Bind(e, &body); err != nil {
		return PlaceOrder{}, err
	}
	var v fault.Checks
	for _, id := range []struct{ field, value string }{
		{"quote_id", body.QuoteID}, {"address_id", body.AddressID}, {"payment_method_id", body.PaymentMethodID},
	} {
		v.That(ids.Valid(id.value), id.field, "must be a UUID in lower case")
	}
	v.Prose(body.Notes, "notes", 0, maxNotes)
	return PlaceOrder{
		ConsumerID: p.Subject, QuoteID: body.QuoteID, AddressID: body.AddressID, PaymentMethodID: body.PaymentMethodID, Notes: body.Notes,
	}, v.Err()
}

// PostCancellation is POST /v1/orders/{order_id}/cancellation.
func (c *Core) PostCancellation(e echo.Context) error {
	p, err := web.Require(e, identity.RoleConsumer, identity.RoleRestaurant, identity.RoleSupport, identity.RoleAdmin)
	if err != nil {
		return err
	}
	return web.Once(e, c.db, func(_ context.Context, commit web.Commit) error {
		var body struct {
			Reason string `json:"reason"`
		}
		if err := web.Bind(e, &body); err != nil {
			return err
		}
		var v fault.Checks
		v.Prose(body.Reason, "reason", 0, maxReason)
		if err := v.Err(); err != nil {
			return err
		}
		seen, given, err := web.IfMatch(e)
		if err != nil {
			return err
		}
		return commit(func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
			o, err := c.cancel(ctx, tx, p, e.Param("order_id"), body.Reason, func(version int64) bool { return !given || seen == version })
			if err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusOK, ETag: o.Version, Body: o.document(p)}, nil
		})
	})
}

// cancel records a caller's wish and begins the cancel, unless a saga runs, which then takes it up.
// Errors: not found; stale; refused order_picked_up, order_ended.
func (c *Core) cancel(ctx context.Context, tx *database.Tx, p identity.Principal, id, reason string, current func(int64) bool) (*Order, error) {
	o, err := load(tx, id)
	if err != nil {
		return nil, err
	}
	by, may := canceller(p, o)
	if !may {
		return nil, fault.NotFound("order")
	}
	if !current(o.Version) {
		return nil, fault.Stale("the order is at version %d", o.Version)
	}
	now := c.clock.Now()
	if err := o.AskCancel(by, reason, now); err != nil {
		return nil, err
	}
	o.TakeUp(now, newID)
	return o, c.save(ctx, tx, o, nil)
}
