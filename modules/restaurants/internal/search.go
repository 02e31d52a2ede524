package internal

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

// Limits and defaults of a search.
const (
	defaultSearchRadius = 5_000  // metres
	maxSearchRadius     = 50_000 // metres
	maxSearchText       = 100
)

// Search is the query SearchNearby.
type Search struct {
	From    geo.Position
	Radius  float64
	Cuisine string
	Text    string
	OpenNow bool
}

// Hit is a restaurant that a search found.
type Hit struct {
	*Restaurant
	// Distance is metres from where the search began.
	Distance float64
	// Delivers tells whether the restaurant would deliver there.
	Delivers bool
	OpenNow  bool
}

func (s *Search) validate() error {
	var v fault.Checks
	v.That(s.From.Valid(), "latitude", "and longitude must be a position: -90 to 90, -180 to 180")
	v.That(s.Radius > 0 && s.Radius <= maxSearchRadius, "radius", "must be above 0 and at most %d", maxSearchRadius)
	v.Text(s.Cuisine, "cuisine", 0, maxCuisine)
	v.Text(s.Text, "q", 0, maxSearchText)
	return v.Err()
}

// search returns up to limit restaurants, the nearest first and those of one distance by id, after the given one.
func (s *Service) search(ctx context.Context, q *Search, after place, limit int) ([]Hit, error) {
	found, err := s.candidates(ctx, geo.Around(q.From, q.Radius), q.Cuisine, q.Text)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	var hits []Hit
	for _, r := range found {
		h, err := s.hit(r, q, now)
		if err != nil {
			return nil, err
		}
		if h.Distance <= q.Radius && (h.OpenNow || !q.OpenNow) && h.place().compare(after) > 0 {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int { return a.place().compare(b.place()) })
	return hits[:min(len(hits), limit)], nil
}

func (s *Service) hit(r *Restaurant, q *Search, now time.Time) (Hit, error) {
	zone, err := s.zone(r.TimeZone)
	if err != nil {
		return Hit{}, err
	}
	return Hit{Restaurant: r, Distance: r.Position.Distance(q.From), Delivers: r.Delivers(q.From), OpenNow: r.OpenAt(now, zone)}, nil
}

// place is where a hit stands in the list. The zero value is before the first.
type place struct {
	distance float64
	id       string
}

func (h Hit) place() place { return place{h.Distance, h.ID} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.distance, q.distance), cmp.Compare(p.id, q.id))
}

// key is the distance as text that reads back as the same number.
func (p place) key() string { return strconv.FormatFloat(p.distance, 'g', -1, 64) }

// placeOf reads a key; what is no number begins at the beginning.
func placeOf(key, id string) place {
	distance, err := strconv.ParseFloat(key, 64)
	if err != nil {
		return place{}
	}
	return place{distance, id}
}
