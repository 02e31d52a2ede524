// Package internal is restaurants: the restaurant, its settings, hours and menus (restaurant.go, settings.go, hours.go, menu.go), prices and quotes
// (pricing.go), the search, the stores, and the ways in: calls (service.go) and requests (http*.go).
package internal

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/inbox"
	"kerf/platform/outbox"
)

// domainClock tells domain time.
type domainClock interface{ Now() time.Time }

// Service is what restaurants does, whoever asks and by whatever protocol.
type Service struct {
	db     *database.DB
	events *outbox.Outbox
	clock  domainClock
	menus  *menuCache
	zones  sync.Map // IANA name → *time.Location; bounded by the names that exist
}

// NewService returns the service on the module's database.
func NewService(db *database.DB, events *outbox.Outbox, clk domainClock) *Service {
	return &Service{db: db, events: events, clock: clk, menus: newMenuCache(maxCachedMenus)}
}

// Subscriptions is what the module hears: nothing.
func (s *Service) Subscriptions() []inbox.Subscription { return nil }

// GetQuote returns a quote that can be ordered at this moment: see the contract.
func (s *Service) GetQuote(ctx context.Context, req *restaurantsapi.GetQuoteRequest) (*restaurantsapi.GetQuoteResponse, error) {
	// Who asks is a module acting by itself, or the consumer whose quote it is.
	if p, known := identity.From(ctx); !known || !p.Has(identity.RoleService) && !p.Owns(req.GetConsumerId()) {
		return nil, fault.NotFound("quote")
	}
	quote, r, err := s.findQuote(ctx, req.GetQuoteId(), req.GetConsumerId())
	if err != nil {
		return nil, err
	}
	menu, err := s.menu(ctx, r.ID, r.MenuVersion)
	if err != nil {
		return nil, err
	}
	zone, err := s.zone(r.TimeZone)
	if err != nil {
		return nil, err
	}
	if err := r.orderable(quote, menu, zone, s.clock.Now()); err != nil {
		return nil, err
	}
	return &restaurantsapi.GetQuoteResponse{Quote: quote}, nil
}

// quote prices a valid request for a consumer. Not found, naming the field, for a restaurant that there is not or that is
// a draft; else as Restaurant.price. The quote is
// not yet stored.
func (s *Service) quote(ctx context.Context, consumerID string, q *QuoteRequest) (*restaurantsapi.Quote, error) {
	r, err := s.find(ctx, q.RestaurantID)
	if err == nil && r.State == Draft {
		err = fault.NotFound("restaurant") // as for everybody who may only look at it
	}
	if f := fault.As(err); f != nil && f.Kind == fault.KindNotFound {
		f.Violations = []fault.Violation{{Field: "restaurant_id", Description: "must name a restaurant that exists"}}
		return nil, f
	}
	if err != nil {
		return nil, err
	}
	menu, err := s.menu(ctx, r.ID, r.MenuVersion)
	if err != nil {
		return nil, err
	}
	zone, err := s.zone(r.TimeZone)
	if err != nil {
		return nil, err
	}
	quote, err := r.price(menu, q, zone, s.clock.Now())
	if err != nil {
		return nil, err
	}
	quote.QuoteId, quote.ConsumerId = ids.New(), consumerID
	return quote, nil
}

// create stores a new restaurant of the caller's.
func (s *Service) create(ctx context.Context, tx *database.Tx, by identity.Principal, c *Creation) (*Restaurant, error) {
	r, err := c.create(by.Subject, s.clock.Now())
	if err != nil {
		return nil, err
	}
	r.ID = ids.New()
	if err := tx.Gorm().Create(r).Error; err != nil {
		return nil, fmt.Errorf("create restaurant: %w", err)
	}
	event := &restaurantsapi.RestaurantCreated{RestaurantId: r.ID, Position: r.Position.ToProto()}
	return r, s.events.Append(ctx, tx, r.ID, r.ID, event)
}

// edit runs a command of the caller's on a restaurant. seen is the version that the caller has seen, 0 if it does not say. Not found for
// a restaurant of somebody else; stale; else as the command.
func (s *Service) edit(ctx context.Context, tx *database.Tx, by identity.Principal, id string, seen int64, do command) (*Restaurant, error) {
	var r Restaurant
	if err := tx.Gorm().Take(&r, "id = ?", id).Error; err != nil {
		return nil, missing(err, "restaurant")
	}
	if !r.belongsTo(by) {
		return nil, fault.NotFound("restaurant")
	}
	if seen != 0 && seen != r.Version {
		return nil, fault.Stale("the restaurant has version %d", r.Version)
	}
	now := s.clock.Now()
	r.settle(now)
	event, err := do.apply(&r, now)
	if err != nil {
		return nil, err
	}
	if event == nil {
		return &r, nil
	}
	r.Version++
	if err := tx.Gorm().Select("*").Updates(&r).Error; err != nil {
		return nil, fmt.Errorf("update restaurant: %w", err)
	}
	return &r, s.events.Append(ctx, tx, r.ID, r.ID, event)
}

// publish makes items the current menu of a restaurant of the caller's.
func (s *Service) publish(ctx context.Context, tx *database.Tx, by identity.Principal, id string, seen int64, items []Item) (*Menu, error) {
	p := &publication{items: items}
	if _, err := s.edit(ctx, tx, by, id, seen, p); err != nil {
		return nil, err
	}
	text, err := json.Marshal(p.menu.Items)
	if err != nil {
		return nil, fmt.Errorf("publish menu: %w", err)
	}
	_, err = tx.Exec(insertMenu, p.menu.RestaurantID, p.menu.Version, p.menu.PublishedAt, string(text))
	if err != nil {
		return nil, fmt.Errorf("publish menu: %w", err)
	}
	return p.menu, nil
}

// publication is the command PublishMenu on the restaurant's side.
type publication struct {
	items []Item
	menu  *Menu
}

func (p *publication) apply(r *Restaurant, now time.Time) (proto.Message, error) {
	if err := menuViolations(p.items, r.Currency).Err(); err != nil {
		return nil, err
	}
	r.MenuVersion++
	p.menu = newMenu(r.ID, r.MenuVersion, now.UnixMicro(), p.items)
	for item := range r.Unavailable {
		if p.menu.Item(item) == nil {
			delete(r.Unavailable, item)
		}
	}
	return &restaurantsapi.MenuPublished{RestaurantId: r.ID, MenuVersion: r.MenuVersion}, nil
}

// belongsTo tells whether a principal may change the restaurant: its staff, who created it, and administrators.
func (r *Restaurant) belongsTo(p identity.Principal) bool {
	return p.Has(identity.RoleAdmin) || p.Has(identity.RoleRestaurant) && (p.Owns(r.ID) || p.Subject == r.Owner)
}

// zone returns the location of a name that was checked when it was set.
func (s *Service) zone(name string) (*time.Location, error) {
	if z, ok := s.zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("zone of a restaurant: %w", err)
	}
	s.zones.Store(name, z)
	return z, nil
}
