package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"gorm.io/gorm"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
)

// The columns of restaurant in the order of Restaurant.columns. GORM maps the same struct where time does not matter; a quote is made
// and read for every order, so it reads by prepared SQL.
const restaurantColumns = `r.id, r.version, r.owner, r.state, r.paused_until, r.name, r.cuisine, r.search_text, r.latitude, r.longitude,
	r.time_zone, r.currency, r.opening_hours, r.radius_metres, r.minimum, r.delivery_fee, r.service_fee_basis_points, r.small_order_fee,
	r.small_order_below, r.cancellation_fee, r.tax_basis_points, r.preparation_minutes, r.menu_version, r.unavailable, r.created_at`

const (
	selectRestaurant = `SELECT ` + restaurantColumns + ` FROM restaurant r WHERE r.id = ?`
	selectQuote      = `SELECT q.data, ` + restaurantColumns + ` FROM quote q JOIN restaurant r ON r.id = q.restaurant_id
		WHERE q.id = ? AND q.consumer_id = ?`
	insertQuote = `INSERT INTO quote (id, consumer_id, restaurant_id, data) VALUES (?, ?, ?, ?)`
	selectMenu  = `SELECT published_at, items FROM menu WHERE restaurant_id = ? AND version = ?`
	insertMenu  = `INSERT INTO menu (restaurant_id, version, published_at, items) VALUES (?, ?, ?, ?)`
)

func (r *Restaurant) columns() []any {
	return []any{
		&r.ID, &r.Version, &r.Owner, &r.State, &r.PausedUntil, &r.Name, &r.Cuisine, &r.SearchText, &r.Position.Latitude, &r.Position.Longitude,
		&r.TimeZone, &r.Currency, &r.OpeningHours, &r.RadiusMetres, &r.Fees.Minimum, &r.Fees.DeliveryFee, &r.Fees.ServiceFeeBasisPoints,
		&r.Fees.SmallOrderFee, &r.Fees.SmallOrderBelow, &r.Fees.CancellationFee, &r.TaxBasisPoints, &r.PreparationMinutes, &r.MenuVersion,
		&r.Unavailable, &r.CreatedAt,
	}
}

// find returns a restaurant as it is committed, or Not found.
func (s *Service) find(ctx context.Context, id string) (*Restaurant, error) {
	var r Restaurant
	if err := s.db.QueryRow(ctx, selectRestaurant, id).Scan(r.columns()...); err != nil {
		return nil, missing(err, "restaurant")
	}
	return &r, nil
}

// findQuote returns a consumer's quote with its restaurant as it is now, or Not found.
func (s *Service) findQuote(ctx context.Context, id, consumerID string) (*restaurantsapi.Quote, *Restaurant, error) {
	var r Restaurant
	var data []byte
	if err := s.db.QueryRow(ctx, selectQuote, id, consumerID).Scan(append([]any{&data}, r.columns()...)...); err != nil {
		return nil, nil, missing(err, "quote")
	}
	quote := &restaurantsapi.Quote{}
	if err := proto.Unmarshal(data, quote); err != nil {
		return nil, nil, fmt.Errorf("read quote: %w", err)
	}
	return quote, &r, nil
}

func storeQuote(tx *database.Tx, quote *restaurantsapi.Quote) error {
	data, err := proto.Marshal(quote)
	if err == nil {
		_, err = tx.Exec(insertQuote, quote.GetQuoteId(), quote.GetConsumerId(), quote.GetRestaurantId(), data)
	}
	if err != nil {
		return fmt.Errorf("store quote: %w", err)
	}
	return nil
}

// candidates returns the restaurants in a box that are out in public, whose cuisine is the given one and in whose text the words
// stand, if given. How far away they are and when they are open is for the caller to say.
func (s *Service) candidates(ctx context.Context, in geo.Box, cuisine, text string) ([]*Restaurant, error) {
	q := s.db.Read(ctx).Where("state IN ?", []State{Open, Paused}).Where("latitude BETWEEN ? AND ?", in.South, in.North)
	if in.West <= in.East {
		q = q.Where("longitude BETWEEN ? AND ?", in.West, in.East)
	} else {
		q = q.Where("(longitude >= ? OR longitude <= ?)", in.West, in.East)
	}
	if cuisine != "" {
		q = q.Where("lower(cuisine) = ?", strings.ToLower(cuisine))
	}
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		q = q.Where(`search_text LIKE ? ESCAPE '\'`, "%"+likeEscape.Replace(word)+"%")
	}
	var found []*Restaurant
	if err := q.Limit(maxCandidates + 1).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("search restaurants: %w", err)
	}
	if len(found) > maxCandidates {
		return nil, fault.Refused("too_many", "more than %d restaurants are so near; search a smaller radius", maxCandidates)
	}
	return found, nil
}

// likeEscape makes a pattern match its text alone.
var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// maxCandidates bounds the work of one search.
const maxCandidates = 5_000

// missing turns "no row" into Not found, and describes every other error.
func missing(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.NotFound(what)
	}
	return fmt.Errorf("find %s: %w", what, err)
}
