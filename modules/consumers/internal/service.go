package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"gorm.io/gorm"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/inbox"
)

// publisher is what the outbox is asked for.
type publisher interface {
	// Append records in tx that event happened to the aggregate subject.
	Append(ctx context.Context, tx *database.Tx, key, subject string, event proto.Message) error
}

// domainClock tells domain time.
type domainClock interface{ Now() time.Time }

// Service is what consumers does, whoever asks and by whatever protocol.
type Service struct {
	db     *database.DB
	events publisher
	clock  domainClock
}

// NewService returns the service on the module's database.
func NewService(db *database.DB, events publisher, clk domainClock) *Service {
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
		return nil, fault.NotFound("address")
	case c.State == Active && !token.Valid:
		return nil, fault.NotFound("payment method")
	}
	if err := c.mayOrder(req.GetTotal().GetAmount()); err != nil {
		return nil, err
	}
	at := geo.Position{Latitude: latitude.Float64, Longitude: longitude.Float64}
	return &consumersapi.CheckMayOrderResponse{Address: at.ToProto(), PaymentToken: token.String}, nil
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
	switch err := tx.Gorm().Create(c).Error; {
	case database.IsDuplicate(err):
		return nil, fault.Refused("already_registered", "this consumer is registered")
	case err != nil:
		return nil, fmt.Errorf("create consumer: %w", err)
	}
	return c, s.events.Append(ctx, tx, c.ID, c.ID, &consumersapi.ConsumerRegistered{ConsumerId: c.ID})
}

// edit runs a command on a consumer and stores it with its next version. seen is the version that the caller has seen, 0 if it does not
// say. Not found for somebody else's; stale; else as the transition on and do. A nil event publishes nothing.
func (s *Service) edit(ctx context.Context, tx *database.Tx, id string, seen int64, on Trigger, do func(c *Consumer) (proto.Message, error)) (*Consumer, error) {
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
	return c, s.save(ctx, tx, c, event)
}

// save stores a consumer with its next version, and its event if there is one.
func (s *Service) save(ctx context.Context, tx *database.Tx, c *Consumer, event proto.Message) error {
	c.Version++
	if err := tx.Gorm().Select("*").Updates(c).Error; err != nil {
		return fmt.Errorf("update consumer: %w", err)
	}
	if event == nil {
		return nil
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

// editable returns a consumer whose belongings may be changed.
func editable(tx *database.Tx, id string) (*Consumer, error) {
	c, err := find(tx.Gorm(), id)
	if err != nil {
		return nil, err
	}
	return c, c.Change(OnEdit)
}

// addAddress stores an address; the first becomes the default. Refused too_many_addresses.
func (s *Service) addAddress(ctx context.Context, tx *database.Tx, consumerID string, d *AddressDetails) (*Address, *Consumer, error) {
	c, err := editable(tx, consumerID)
	if err != nil {
		return nil, nil, err
	}
	a := &Address{ConsumerID: c.ID, ID: ids.New(), Version: 1}
	if err := d.write(a); err != nil {
		return nil, nil, err
	}
	count, err := countOf(tx, &Address{}, c.ID)
	if err != nil {
		return nil, nil, err
	}
	if count >= maxAddresses {
		return nil, nil, fault.Refused("too_many_addresses", "a consumer has at most %d addresses", maxAddresses)
	}
	if err := tx.Gorm().Create(a).Error; err != nil {
		return nil, nil, fmt.Errorf("create address: %w", err)
	}
	event := &consumersapi.AddressAdded{ConsumerId: c.ID, AddressId: a.ID, Position: a.Position.ToProto()}
	if count == 0 {
		c.DefaultAddressID = a.ID
		return a, c, s.save(ctx, tx, c, event)
	}
	return a, c, s.events.Append(ctx, tx, c.ID, c.ID, event)
}

// updateAddress replaces an address.
func (s *Service) updateAddress(ctx context.Context, tx *database.Tx, consumerID, id string, seen int64, d *AddressDetails) (*Address, *Consumer, error) {
	c, a, err := s.editableAddress(tx, consumerID, id, seen)
	if err != nil {
		return nil, nil, err
	}
	if err := d.write(a); err != nil {
		return nil, nil, err
	}
	a.Version++
	if err := tx.Gorm().Select("*").Updates(a).Error; err != nil {
		return nil, nil, fmt.Errorf("update address: %w", err)
	}
	event := &consumersapi.AddressUpdated{ConsumerId: c.ID, AddressId: a.ID, Position: a.Position.ToProto()}
	return a, c, s.events.Append(ctx, tx, c.ID, c.ID, event)
}

// removeAddress forgets an address; if it was the default, there is none until one is chosen.
func (s *Service) removeAddress(ctx context.Context, tx *database.Tx, consumerID, id string, seen int64) error {
	c, a, err := s.editableAddress(tx, consumerID, id, seen)
	if err != nil {
		return err
	}
	if err := tx.Gorm().Delete(a).Error; err != nil {
		return fmt.Errorf("delete address: %w", err)
	}
	event := &consumersapi.AddressRemoved{ConsumerId: c.ID, AddressId: a.ID}
	if c.DefaultAddressID == a.ID {
		c.DefaultAddressID = ""
		return s.save(ctx, tx, c, event)
	}
	return s.events.Append(ctx, tx, c.ID, c.ID, event)
}

func (s *Service) editableAddress(tx *database.Tx, consumerID, id string, seen int64) (*Consumer, *Address, error) {
	c, err := editable(tx, consumerID)
	if err != nil {
		return nil, nil, err
	}
	a, err := findAddress(tx.Gorm(), consumerID, id)
	if err != nil {
		return nil, nil, err
	}
	if seen != a.Version {
		return nil, nil, fault.Stale("the address has version %d", a.Version)
	}
	return c, a, nil
}

// addPaymentMethod stores a token. Refused too_many_payment_methods.
func (s *Service) addPaymentMethod(tx *database.Tx, consumerID string, n *NewPaymentMethod) (*PaymentMethod, error) {
	c, err := editable(tx, consumerID)
	if err != nil {
		return nil, err
	}
	count, err := countOf(tx, &PaymentMethod{}, c.ID)
	if err != nil {
		return nil, err
	}
	if count >= maxPaymentMethods {
		return nil, fault.Refused("too_many_payment_methods", "a consumer has at most %d payment methods", maxPaymentMethods)
	}
	p := &PaymentMethod{ConsumerID: c.ID, ID: ids.New(), Token: n.Token, Label: n.Label, CreatedAt: database.Micros(s.clock.Now())}
	if err := tx.Gorm().Create(p).Error; err != nil {
		return nil, fmt.Errorf("create payment method: %w", err)
	}
	return p, nil
}

func (s *Service) removePaymentMethod(tx *database.Tx, consumerID, id string, seen int64) error {
	if _, err := editable(tx, consumerID); err != nil {
		return err
	}
	p, err := findPaymentMethod(tx.Gorm(), consumerID, id)
	if err != nil {
		return err
	}
	if seen != paymentMethodVersion {
		return fault.Stale("the payment method has version %d", paymentMethodVersion)
	}
	if err := tx.Gorm().Delete(p).Error; err != nil {
		return fmt.Errorf("delete payment method: %w", err)
	}
	return nil
}

// paymentMethodVersion is every payment method's: it is made and removed, and never changed.
const paymentMethodVersion = 1

func find(db *gorm.DB, id string) (*Consumer, error) {
	var c Consumer
	if err := db.Take(&c, "id = ?", id).Error; err != nil {
		return nil, missing(err, "consumer")
	}
	return &c, nil
}

func findAddress(db *gorm.DB, consumerID, id string) (*Address, error) {
	var a Address
	if err := db.Take(&a, "consumer_id = ? AND id = ?", consumerID, id).Error; err != nil {
		return nil, missing(err, "address")
	}
	return &a, nil
}

func findPaymentMethod(db *gorm.DB, consumerID, id string) (*PaymentMethod, error) {
	var p PaymentMethod
	if err := db.Take(&p, "consumer_id = ? AND id = ?", consumerID, id).Error; err != nil {
		return nil, missing(err, "payment method")
	}
	return &p, nil
}

func countOf(tx *database.Tx, of any, consumerID string) (int64, error) {
	var n int64
	if err := tx.Gorm().Model(of).Where("consumer_id = ?", consumerID).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count what a consumer has: %w", err)
	}
	return n, nil
}

// missing turns "no row" into Not found, and describes every other error.
func missing(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.NotFound(what)
	}
	return fmt.Errorf("find %s: %w", what, err)
}
