package internal

import (
	"context"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/inbox"
)

// Subscriptions are what tracking hears: every event about an order.
func (s *Service) Subscriptions() []inbox.Subscription {
	return []inbox.Subscription{
		{Module: string(Orders), Handlers: []inbox.Handler{
			on(s, Orders, orderPlaced), on(s, Orders, orderApproved), on(s, Orders, orderRejected), on(s, Orders, cancelRequested),
			on(s, Orders, cancelRefused), on(s, Orders, orderCancelled), on(s, Orders, orderDelivered), on(s, Orders, orderUndeliverable),
		}},
		{Module: string(Kitchen), Handlers: []inbox.Handler{
			on(s, Kitchen, ticketCreated), on(s, Kitchen, ticketAccepted), on(s, Kitchen, ticketRejected), on(s, Kitchen, ticketExpired),
			on(s, Kitchen, preparationStarted), on(s, Kitchen, ticketReady), on(s, Kitchen, ticketDelayed), on(s, Kitchen, ticketHandedOver),
			on(s, Kitchen, ticketCancelled),
		}},
		{Module: string(Delivery), Handlers: []inbox.Handler{
			on(s, Delivery, deliveryScheduled), on(s, Delivery, courierAssigned), on(s, Delivery, courierUnassigned),
			on(s, Delivery, courierArrived), on(s, Delivery, orderPickedUp), on(s, Delivery, etaChanged), on(s, Delivery, orderDroppedOff),
			on(s, Delivery, deliveryFailed), on(s, Delivery, deliveryCancelled),
		}},
		{Module: string(Accounting), Handlers: []inbox.Handler{
			on(s, Accounting, paymentAuthorized), on(s, Accounting, paymentDeclined), on(s, Accounting, paymentVoided),
			on(s, Accounting, paymentCaptured), on(s, Accounting, paymentRefunded),
		}},
	}
}

// on folds the events of one type.
func on[E about](s *Service, source Source, says func(E) func(*trackingapi.View)) inbox.Handler {
	return inbox.On(func(_ context.Context, tx *database.Tx, meta bus.Meta, event E) error {
		return s.apply(tx, factOf(source, meta, event, says))
	})
}

// apply folds a fact into its view, notes the change, and wakes who watches once that is committed.
func (s *Service) apply(tx *database.Tx, f Fact) error {
	v, before, err := find(tx, f.OrderID)
	if err != nil {
		return err
	}
	if !Fold(v, f) {
		return nil
	}
	if err := save(tx, v, before, s.clock.Wall()); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		s.lag.applied(f.Time)
		s.watchers.changed(f.OrderID)
	})
	return nil
}
