package internal

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/web"
)

// The bounds of what a courier may send. The largest sequence is the largest number that JSON carries exactly.
const (
	maxName     = 100
	maxSequence = 1<<53 - 1
)

// postCourier registers the caller as a courier. Its id is the caller's subject where that is an id; otherwise it is a new one, which
// the caller's later tokens must own.
func (s *Service) postCourier(c echo.Context) error {
	p, err := web.Require(c, identity.RoleCourier)
	if err != nil {
		return err
	}
	var body struct {
		Name    string `json:"name"`
		Vehicle string `json:"vehicle"`
	}
	if err := web.Bind(c, &body); err != nil {
		return err
	}
	var v fault.Checks
	v.Text(body.Name, "name", 0, maxName)
	v.Text(body.Vehicle, "vehicle", 0, maxName)
	if err := v.Err(); err != nil {
		return err
	}
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error {
		id := p.Subject
		if !ids.Valid(id) {
			id = ids.New()
		}
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			now := s.clock.Now()
			courier := &Courier{ID: id, Version: 1, State: Offline, Name: body.Name, Vehicle: body.Vehicle, CreatedAt: now, UpdatedAt: now}
			made, err := s.createCourier(tx, courier)
			if err != nil {
				return web.Answer{}, err
			}
			if !made {
				return web.Answer{}, fault.Refused("courier_exists", "the caller is a courier already")
			}
			return web.Answer{
				Status: http.StatusCreated, Location: "/v1/couriers/" + id, ETag: courier.Version, Body: courierResourceOf(courier, nil, p),
			}, nil
		})
	})
}

// knowsCourier tells whether a caller may know of a courier.
func knowsCourier(p identity.Principal, id string) bool {
	return p.Has(staff...) || p.Has(identity.RoleCourier) && p.Owns(id)
}

// getCourier is what a courier's app polls, so that nothing new must cost nothing: the version is in memory.
func (s *Service) getCourier(c echo.Context) error {
	p, err := web.Require(c, itsCourierOrStaff...)
	if err != nil {
		return err
	}
	id := c.Param("courier_id")
	if !knowsCourier(p, id) {
		return fault.NotFound("courier")
	}
	if version, known := s.tracks.version(id); known && web.NotModified(c, web.ETag(version)) {
		return nil
	}
	asOf := s.tracks.asOf()
	courier, d, err := readCourier(c.Request().Context(), s.db, id)
	if err != nil {
		return err
	}
	s.tracks.committed(*courier, d, asOf)
	return web.Versioned(c, courier.Version, courierResourceOf(courier, d, p))
}

// ofCourier answers a courier's action on its shift: the courier, if it is the caller and of the version that he states, changed by
// step, which writes it down and returns it as it is then. A shift begins and ends without a delivery.
func (s *Service) ofCourier(c echo.Context, body any, check func() error,
	step func(ctx context.Context, tx *database.Tx, courier *Courier) (*Courier, error)) error {
	p, err := web.Require(c, identity.RoleCourier)
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
	id := c.Param("courier_id")
	return web.Once(c, s.db, func(_ context.Context, commit web.Commit) error {
		return commit(func(ctx context.Context, tx *database.Tx) (web.Answer, error) {
			if !p.Owns(id) {
				return web.Answer{}, fault.NotFound("courier")
			}
			courier, err := s.findCourier(tx, id)
			if err != nil {
				return web.Answer{}, err
			}
			if stated && seen != courier.Version {
				return web.Answer{}, fault.Stale("the courier has version %d now", courier.Version)
			}
			if courier, err = step(ctx, tx, courier); err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusOK, ETag: courier.Version, Body: courierResourceOf(courier, nil, p)}, nil
		})
	})
}

func (s *Service) postShift(c echo.Context) error {
	var body struct {
		Position *geo.Position `json:"position"`
	}
	check := func() error {
		var v fault.Checks
		body.Position.Check(&v, "position")
		return v.Err()
	}
	return s.ofCourier(c, &body, check, func(_ context.Context, tx *database.Tx, courier *Courier) (*Courier, error) {
		if err := courier.GoOnline(*body.Position, s.clock.Now()); err != nil {
			return nil, err
		}
		tx.Notify(topicDispatch)
		return courier, s.saveCourier(tx, courier, nil)
	})
}

func (s *Service) postShiftEnd(c echo.Context) error {
	return s.ofCourier(c, &struct{}{}, func() error { return nil }, s.endShift)
}

// endShift takes a courier off shift, and gives back what it has not picked up.
func (s *Service) endShift(ctx context.Context, tx *database.Tx, courier *Courier) (*Courier, error) {
	if courier.OrderID != "" {
		d, err := findScheduled(tx, courier.OrderID)
		if err != nil {
			return nil, err
		}
		return s.change(ctx, tx, d, (*Delivery).CourierOffline)
	}
	if err := courier.GoOffline(s.clock.Now()); err != nil {
		return nil, err
	}
	return courier, s.saveCourier(tx, courier, nil)
}

func (s *Service) putLocation(c echo.Context) error {
	p, err := web.Require(c, identity.RoleCourier)
	if err != nil {
		return err
	}
	id := c.Param("courier_id")
	if !p.Owns(id) {
		return fault.NotFound("courier")
	}
	var body struct {
		Position *geo.Position `json:"position"`
		Sequence int64         `json:"sequence"`
	}
	if err := web.Bind(c, &body); err != nil {
		return err
	}
	var v fault.Checks
	body.Position.Check(&v, "position")
	v.That(body.Sequence >= 1 && body.Sequence <= maxSequence, "sequence", "must be a number from 1 that grows with each report")
	if err := v.Err(); err != nil {
		return err
	}
	if err := s.reportLocation(c.Request().Context(), id, report{*body.Position, body.Sequence, s.clock.Now()}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// maxRadius bounds a search for couriers, in metres.
const maxRadius = 100_000

// getCouriers answers the couriers on shift around a place, the nearest first.
func (s *Service) getCouriers(c echo.Context) error {
	if _, err := web.Require(c, staff...); err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	var v fault.Checks
	number := func(name string, fallback float64) float64 {
		text := c.QueryParam(name)
		if text == "" {
			return fallback
		}
		n, err := strconv.ParseFloat(text, 64)
		v.That(err == nil, name, "must be a number")
		return n
	}
	const missing = 1000 // on no globe
	around := geo.Position{Latitude: number("latitude", missing), Longitude: number("longitude", missing)}
	radius := number("radius", 5000)
	v.That(around.Valid(), "latitude", "must be, with longitude, a position on the globe")
	v.That(radius > 0 && radius <= maxRadius, "radius", "must be metres up to 100000")
	after, err := nearbyCursor(page.After)
	v.Note("cursor", err)
	if err := v.Err(); err != nil {
		return err
	}
	found, err := s.nearby(c.Request().Context(), around, radius)
	if err != nil {
		return err
	}
	from, _ := slices.BinarySearchFunc(found, after, func(r, a nearbyResource) int {
		if compareNearby(r, a) <= 0 {
			return -1 // the first after the cursor is looked for
		}
		return 1
	})
	found = found[from:min(len(found), from+page.Limit+1)]
	return c.JSON(http.StatusOK, web.CollectionOf(c, page, found, func(r nearbyResource) web.Cursor {
		return web.Cursor{Key: strconv.FormatFloat(r.DistanceMetres, 'g', -1, 64), ID: r.ID}
	}))
}

func nearbyCursor(after web.Cursor) (nearbyResource, error) {
	if after.IsZero() {
		return nearbyResource{DistanceMetres: -1}, nil
	}
	distance, err := strconv.ParseFloat(after.Key, 64)
	if err != nil {
		return nearbyResource{}, fault.Invalid(fault.Violation{Field: "cursor", Description: "must be the cursor of a link that was given"})
	}
	return nearbyResource{DistanceMetres: distance, ID: after.ID}, nil
}

func compareNearby(a, b nearbyResource) int {
	return cmp.Or(cmp.Compare(a.DistanceMetres, b.DistanceMetres), cmp.Compare(a.ID, b.ID))
}

// nearby returns the couriers on shift within radius metres of a place, the nearest first. Those on shift are few, and where they are
// is in memory, so all are looked at.
func (s *Service) nearby(ctx context.Context, around geo.Position, radius float64) ([]nearbyResource, error) {
	couriers, err := s.readCouriers(ctx, selectOnShift)
	if err != nil {
		return nil, err
	}
	var found []nearbyResource
	for _, c := range couriers {
		distance := around.Distance(c.Position)
		if distance > radius {
			continue
		}
		links := web.Links{}
		links.Get("self", "/v1/couriers/"+c.ID)
		if c.OrderID != "" {
			links.Get("delivery", "/v1/deliveries/"+c.OrderID)
		}
		found = append(found, nearbyResource{
			ID: c.ID, State: c.State, Name: c.Name, Vehicle: c.Vehicle, Position: c.Position, LocatedAt: c.LocatedAt,
			DistanceMetres: distance, Links: links,
		})
	}
	slices.SortFunc(found, compareNearby)
	return found, nil
}
