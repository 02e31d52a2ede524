package internal

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// pageOf reads a page of what a consumer has, in the order in which it was added, and one more.
func pageOf[T any](c echo.Context, s *Service) (rows []T, page web.Page, err error) {
	if page, err = web.PageOf(c); err != nil {
		return nil, page, err
	}
	err = s.db.Read(c.Request().Context()).Where("consumer_id = ? AND id > ?", c.Param("id"), page.After.ID).
		Order("id").Limit(page.Limit + 1).Find(&rows).Error
	if err != nil {
		return nil, page, fmt.Errorf("list what a consumer has: %w", err)
	}
	return rows, page, nil
}

// reader returns the consumer of the path and the caller, who may see it.
func (s *Service) reader(c echo.Context) (*Consumer, identity.Principal, error) {
	by, err := requireReader(c)
	if err != nil {
		return nil, by, err
	}
	consumer, err := find(s.db.Read(c.Request().Context()), c.Param("id"))
	return consumer, by, err
}

func (s *Service) getAddresses(c echo.Context) error {
	consumer, by, err := s.reader(c)
	if err != nil {
		return err
	}
	rows, page, err := pageOf[Address](c, s)
	if err != nil {
		return err
	}
	views := make([]addressView, len(rows))
	for i := range rows {
		views[i] = rows[i].view(consumer, by)
	}
	return web.Composed(c, web.CollectionOf(c, page, views, func(v addressView) web.Cursor { return web.Cursor{ID: v.ID} }))
}

func (s *Service) getAddress(c echo.Context) error {
	consumer, by, err := s.reader(c)
	if err != nil {
		return err
	}
	a, err := findAddress(s.db.Read(c.Request().Context()), consumer.ID, c.Param("address"))
	if err != nil {
		return err
	}
	// Not Versioned: whether it is the default is the consumer's to say, and no version of the address tells.
	web.WriteETag(c, a.Version)
	return c.JSON(http.StatusOK, a.view(consumer, by))
}

func (s *Service) postAddress(c echo.Context) error {
	by, err := requireOwner(c)
	if err != nil {
		return err
	}
	var details AddressDetails
	if err := web.Bind(c, &details); err != nil {
		return err
	}
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		a, consumer, err := s.addAddress(ctx, tx, c.Param("id"), &details)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusCreated, Location: a.path(), ETag: a.Version, Body: a.view(consumer, by)}, nil
	})
}

func (s *Service) putAddress(c echo.Context) error {
	by, err := requireOwner(c)
	if err != nil {
		return err
	}
	seen, err := web.RequireIfMatch(c)
	if err != nil {
		return err
	}
	var details AddressDetails
	if err := web.Bind(c, &details); err != nil {
		return err
	}
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		a, consumer, err := s.updateAddress(ctx, tx, c.Param("id"), c.Param("address"), seen, &details)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusOK, ETag: a.Version, Body: a.view(consumer, by)}, nil
	})
}

func (s *Service) deleteAddress(c echo.Context) error {
	return s.remove(c, func(ctx context.Context, tx *database.Tx, seen int64) error {
		return s.removeAddress(ctx, tx, c.Param("id"), c.Param("address"), seen)
	})
}

func (s *Service) getPaymentMethods(c echo.Context) error {
	_, by, err := s.reader(c)
	if err != nil {
		return err
	}
	rows, page, err := pageOf[PaymentMethod](c, s)
	if err != nil {
		return err
	}
	views := make([]paymentMethodView, len(rows))
	for i := range rows {
		views[i] = rows[i].view(by)
	}
	return web.Composed(c, web.CollectionOf(c, page, views, func(v paymentMethodView) web.Cursor { return web.Cursor{ID: v.ID} }))
}

func (s *Service) getPaymentMethod(c echo.Context) error {
	consumer, by, err := s.reader(c)
	if err != nil {
		return err
	}
	p, err := findPaymentMethod(s.db.Read(c.Request().Context()), consumer.ID, c.Param("method"))
	if err != nil {
		return err
	}
	return web.Versioned(c, paymentMethodVersion, p.view(by))
}

func (s *Service) postPaymentMethod(c echo.Context) error {
	by, err := requireOwner(c)
	if err != nil {
		return err
	}
	var method NewPaymentMethod
	if err := web.Bind(c, &method); err != nil {
		return err
	}
	if err := method.validate(); err != nil {
		return err
	}
	return s.once(c, func(_ context.Context, tx *database.Tx) (web.Answer, error) {
		p, err := s.addPaymentMethod(tx, c.Param("id"), &method)
		if err != nil {
			return web.Answer{}, err
		}
		return web.Answer{Status: http.StatusCreated, Location: p.path(), ETag: paymentMethodVersion, Body: p.view(by)}, nil
	})
}

func (s *Service) deletePaymentMethod(c echo.Context) error {
	return s.remove(c, func(_ context.Context, tx *database.Tx, seen int64) error {
		return s.removePaymentMethod(tx, c.Param("id"), c.Param("method"), seen)
	})
}

// remove answers with nothing after the owner, who states the version, has removed something.
func (s *Service) remove(c echo.Context, do func(ctx context.Context, tx *database.Tx, seen int64) error) error {
	if _, err := requireOwner(c); err != nil {
		return err
	}
	seen, err := web.RequireIfMatch(c)
	if err != nil {
		return err
	}
	return s.once(c, func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
		return web.Answer{Status: http.StatusNoContent}, do(ctx, tx, seen)
	})
}
