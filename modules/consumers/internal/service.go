// Package internal is consumers: what becomes of a consumer (consumer.go), the commands and what they must look like (commands.go), what a
// consumer has (belongings.go), the store, and the ways in: calls (service.go) and requests (http*.go).
package internal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"gorm.io/gorm/clause"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/inbox"
	"kerf/platform/outbox"
)

// domainClock tells domain time.
type domainClock interface{ Now() time.Time }

// Service is what consumers does, whoever asks and by whatever protocol.
type Service struct {
	db     *database.DB
	events *outbox.Outbox
	clock  domainClock
}

// NewService returns the service on the module's database.
func NewService(db *database.DB, events *outbox.Outbox, clk domainClock) *Service {
	return &Service{db: db, events: events, clock: clk}
}

// Subscriptions is what the module hears: nothing.
func (s *Service) Subscriptions() []inbox.Subscription { return nil }

// selectMayOrder answers CheckMayOrder in one query: it is asked for every order.
const selectMayOrder = `SELECT c.state, c.order_limit, a.latitude, a.longitude, p.token FROM consumer c
	LEFT JOIN address a ON a.consumer_id = c.id AND a.id = ?
	LEFT JOIN payment_method p ON p.consumer_id = c.id AND p.id = ?
	WHERE c.id = ?`

// CheckMayOrder says whether a consumer may place an order: see the contract.
func (s *Service) CheckMayOrder(ctx context.Context, req *consumersapi.CheckMayOrderRequest) (*consumersapi.CheckMayOrderResponse, error) {
	if err := requireStanding(ctx, req.GetConsumerId()); err != nil {
		return nil, err
	}
	var c Consumer
	var latitude, longitude sql.NullFloat64
	var token sql.NullString
	err := s.db.QueryRow(ctx, selectMayOrder, req.GetAddressId(), req.GetPaymentMethodId(), req.GetConsumerId()).
		Scan(&c.State, &c.OrderLimit, &latitude, &longitude, &token)
	switch {
	case err != nil:
		return nil, missing(err, "consumer")
	case c.State == Active && !latitude.Valid:
		return nil, notTheirs("address", "address_id")
	case c.State == Active && !token.Valid:
		return nil, notTheirs("payment method", "payment_method_id")
	}
	if err := c.mayOrder(req.GetTotal().GetAmount()); err != nil {
		return nil, err
	}
	at := geo.Position{Latitude: latitude.Float64, Longitude: longitude.Float64}
	return &consumersapi.CheckMayOrderResponse{Address: at.ToProto(), PaymentToken: token.String}, nil
}

// notTheirs says that a consumer has no such thing, and which field of the request named it: whoever asked sent several ids.
func notTheirs(what, field string) error {
	f := fault.NotFound(what)
	f.Violations = []fault.Violation{{Field: field, Description: "must name one of the consumer's"}}
	return f
}

// GetContact returns how to address a consumer: see the contract.
func (s *Service) GetContact(ctx context.Context, req *consumersapi.GetContactRequest) (*consumersapi.GetContactResponse, error) {
	if err := requireStanding(ctx, req.GetConsumerId()); err != nil {
		return nil, err
	}
	c, err := find(s.db.Read(ctx), req.GetConsumerId())
	if err != nil {
		return nil, err
	}
	if c.State == Closed {
		return nil, fault.NotFound("consumer")
	}
	return &consumersapi.GetContactResponse{Name: c.Name, Email: c.Email, Locale: c.Locale, MutedChannels: c.MutedChannels}, nil
}

// requireStanding answers Not found unless who asks is a module acting by itself, or the consumer in question.
func requireStanding(ctx context.Context, consumerID string) error {
	if p, known := identity.From(ctx); known && (p.Has(identity.RoleService) || p.Owns(consumerID)) {
		return nil
	}
	return fault.NotFound("consumer")
}

// register stores a new consumer: the caller, by the id that its token says, or a fresh id if the subject is none. Refused already_registered.
func (s *Service) register(ctx context.Context, tx *database.Tx, by identity.Principal, r *Registration) (*Consumer, error) {
	id := by.Subject
	if !ids.Valid(id) {
		id = ids.New()
	}
	c, err := r.register(id)
	if err != nil {
		return nil, err
	}
	c.CreatedAt = database.Micros(s.clock.Now())
	switch made := tx.Gorm().Clauses(clause.OnConflict{DoNothing: true}).Create(c); {
	case made.Error != nil:
		return nil, fmt.Errorf("create consumer: %w", made.Error)
	case made.RowsAffected == 0:
		return nil, fault.Refused("already_registered", "this consumer is registered")
	}
	return c, s.events.Append(ctx, tx, c.ID, c.ID, &consumersapi.ConsumerRegistered{ConsumerId: c.ID})
}

// edit runs a command on a consumer and stores it with its next version. seen is the version that the caller has seen, 0 if it does not
// say. Not found for somebody else's; stale; else as the transition on and do. A nil event says that do changed nothing: then nothing is
// stored, and the version stays.
func (s *Service) edit(ctx context.Context, tx *database.Tx, id string, seen int64, on Trigger,
	do func(c *Consumer) (proto.Message, error)) (*Consumer, error) {
	c, err := find(tx.Gorm(), id)
	if err != nil {
		return nil, err
	}
	if seen != 0 && seen != c.Version {
		return nil, fault.Stale("the consumer has version %d", c.Version)
	}
	if err := c.Change(on); err != nil {
		return nil, err
	}
	event, err := do(c)
	if err != nil {
		return nil, err
	}
	if event == nil {
		return c, nil
	}
	return c, s.save(ctx, tx, c, event)
}

// save stores a consumer with its next version, and its event.
func (s *Service) save(ctx context.Context, tx *database.Tx, c *Consumer, event proto.Message) error {
	c.Version++
	if err := tx.Gorm().Select("*").Updates(c).Error; err != nil {
		return fmt.Errorf("update consumer: %w", err)
	}
	return s.events.Append(ctx, tx, c.ID, c.ID, event)
}

// close ends a consumer and erases the person. The ledger's and the orders' references to the id stay good.
func (s *Service) close(ctx context.Context, tx *database.Tx, id string, seen int64) (*Consumer, error) {
	return s.edit(ctx, tx, id, seen, OnClose, func(c *Consumer) (proto.Message, error) {
		c.erase()
		for _, owned := range []any{&Address{}, &PaymentMethod{}} {
			if err := tx.Gorm().Where("consumer_id = ?", c.ID).Delete(owned).Error; err != nil {
				return nil, fmt.Errorf("erase consumer: %w", err)
			}
		}
		return &consumersapi.ConsumerClosed{ConsumerId: c.ID}, nil
	})
}
