package internal

import (
	"context"
	"fmt"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/ids"
)

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
func (s *Service) updateAddress(ctx context.Context, tx *database.Tx, consumerID, id string, seen int64,
	d *AddressDetails) (*Address, *Consumer, error) {
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
