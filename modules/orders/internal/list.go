package internal

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"gorm.io/gorm"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

// filter says which orders are listed.
type filter struct {
	consumerID   string
	restaurantID string
	state        State
	placedAfter  time.Time
	placedBefore time.Time
}

// GetOrders is GET /v1/orders: newest first, a page at a time.
func (c *Core) GetOrders(e echo.Context) error {
	p, err := web.Require(e, identity.RoleConsumer, identity.RoleRestaurant, identity.RoleSupport, identity.RoleAdmin)
	if err != nil {
		return err
	}
	f, err := filterOf(e)
	if err != nil {
		return err
	}
	if f, err = f.within(p); err != nil {
		return err
	}
	page, err := web.PageOf(e)
	if err != nil {
		return err
	}
	orders, err := c.list(e, f, page)
	if err != nil {
		return err
	}
	documents := make([]document, len(orders))
	for i, o := range orders {
		documents[i] = o.document(p)
	}
	return e.JSON(http.StatusOK, web.CollectionOf(e, page, documents, func(d document) web.Cursor {
		return web.Cursor{Key: strconv.FormatInt(database.Micros(d.PlacedAt), 10), ID: d.ID}
	}))
}

func filterOf(e echo.Context) (filter, error) {
	f := filter{consumerID: e.QueryParam("consumer_id"), restaurantID: e.QueryParam("restaurant_id"), state: State(e.QueryParam("state"))}
	var v fault.Checks
	v.That(f.consumerID == "" || ids.Valid(f.consumerID), "consumer_id", "must be a UUID in lower case")
	v.That(f.restaurantID == "" || ids.Valid(f.restaurantID), "restaurant_id", "must be a UUID in lower case")
	v.That(f.state == "" || f.state.Known(), "state", "must be a state of an order")
	for _, t := range []struct {
		name string
		to   *time.Time
	}{{"placed_after", &f.placedAfter}, {"placed_before", &f.placedBefore}} {
		if text := e.QueryParam(t.name); text != "" {
			var err error
			*t.to, err = time.Parse(time.RFC3339, text)
			v.That(err == nil, t.name, "must be an instant of RFC 3339")
		}
	}
	return f, v.Err()
}

// within narrows the filter to what the caller may see. What is somebody else's is not found.
func (f filter) within(p identity.Principal) (filter, error) {
	switch {
	case p.Has(identity.RoleSupport, identity.RoleAdmin):
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

func (c *Core) list(e echo.Context, f filter, page web.Page) ([]*Order, error) {
	q := c.db.Read(e.Request().Context()).Table("orders").Select(orderColumns)
	q = f.where(q)
	if !page.After.IsZero() {
		placed, err := strconv.ParseInt(page.After.Key, 10, 64)
		if err != nil {
			return nil, fault.Invalid(fault.Violation{Field: "cursor", Description: "must be the cursor of a link that was given"})
		}
		q = q.Where("(placed_at, id) < (?, ?)", placed, page.After.ID)
	}
	rows, err := q.Order("placed_at DESC, id DESC").Limit(page.Limit + 1).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var orders []*Order
	for rows.Next() {
		var o Order
		if err := rows.Scan(orderFields(&o)...); err != nil {
			return nil, err
		}
		orders = append(orders, &o)
	}
	return orders, rows.Err()
}

func (f filter) where(q *gorm.DB) *gorm.DB {
	if f.consumerID != "" {
		q = q.Where("consumer_id = ?", f.consumerID)
	}
	if f.restaurantID != "" {
		q = q.Where("restaurant_id = ?", f.restaurantID)
	}
	if f.state != "" {
		q = q.Where("state = ?", string(f.state))
	}
	if !f.placedAfter.IsZero() {
		q = q.Where("placed_at >= ?", database.Micros(f.placedAfter))
	}
	if !f.placedBefore.IsZero() {
		q = q.Where("placed_at < ?", database.Micros(f.placedBefore))
	}
	return q
}
