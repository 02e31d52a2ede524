package internal

import (
	"math"
	"strconv"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// hitView is a restaurant in the list of a search.
type hitView struct {
	restaurantView
	DistanceMetres float64 `json:"distance_metres"`
	Delivers       bool    `json:"delivers"`
	OpenNow        bool    `json:"open_now"`
}

// getNearby answers the query SearchNearby.
func (s *Service) getNearby(c echo.Context) error {
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	search, err := searchOf(c)
	if err != nil {
		return err
	}
	hits, err := s.search(c.Request().Context(), search, placeOf(page.After.Key, page.After.ID), page.Limit+1)
	if err != nil {
		return err
	}
	by, _ := identity.From(c.Request().Context())
	views := make([]hitView, len(hits))
	for i, h := range hits {
		views[i] = hitView{s.view(h.Restaurant, by), h.Distance, h.Delivers, h.OpenNow}
	}
	return web.Composed(c, web.CollectionOf(c, page, views, func(v hitView) web.Cursor {
		return web.Cursor{Key: place{distance: v.DistanceMetres}.key(), ID: v.ID}
	}))
}

// searchOf reads the query parameters of a search.
func searchOf(c echo.Context) (*Search, error) {
	var v fault.Checks
	number := func(name string, missing float64) float64 {
		text := c.QueryParam(name)
		if text == "" {
			v.That(!math.IsNaN(missing), name, "is missing")
			return missing
		}
		n, err := strconv.ParseFloat(text, 64)
		v.That(err == nil, name, "must be a number")
		return n
	}
	s := &Search{
		From:   geo.Position{Latitude: number("latitude", math.NaN()), Longitude: number("longitude", math.NaN())},
		Radius: number("radius", defaultSearchRadius), Cuisine: c.QueryParam("cuisine"), Text: c.QueryParam("q"),
	}
	switch open := c.QueryParam("open_now"); open {
	case "true":
		s.OpenNow = true
	case "", "false":
	default:
		v.That(false, "open_now", "must be true or false")
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	return s, s.validate()
}
