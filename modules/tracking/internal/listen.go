package internal

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/inbox"
)

// hearing is what the events of one type say, whether they come live or from their module's log.
type hearing struct {
	source Source
	event  string // such as kerf.kitchen.TicketAccepted
	live   func(*Service) inbox.Handler
	// fact reads an event in protobuf.
	fact func(meta bus.Meta, data []byte) (Fact, error)
}

// on is the hearing of the events of one type; says gives the change of the source's section.
func on[E about](source Source, says func(E) func(*trackingapi.View)) hearing {
	var none E
	kind := none.ProtoReflect().Type()
	name, _ := bus.TypeOf(none)
	return hearing{
		source: source, event: name,
		live: func(s *Service) inbox.Handler {
			return inbox.On(func(_ context.Context, tx *database.Tx, meta bus.Meta, event E) error {
				return s.apply(tx, factOf(source, meta, event, says))
			})
		},
		fact: func(meta bus.Meta, data []byte) (Fact, error) {
			event := kind.New().Interface()
			if err := proto.Unmarshal(data, event); err != nil {
				return Fact{}, fmt.Errorf("read a %s: %w", name, err)
			}
			return factOf(source, meta, event.(E), says), nil
		},
	}
}

// hearings are all events about an order.
func hearings() []hearing {
	return []hearing{
		on(Orders, orderPlaced), on(Orders, orderApproved), on(Orders, orderRejected), on(Orders, cancelRequested),
		on(Orders, cancelRefused), on(Orders, orderCancelled), on(Orders, orderDelivered), on(Orders, orderUndeliverable),

		on(Kitchen, ticketCreated), on(Kitchen, ticketAccepted), on(Kitchen, ticketRejected), on(Kitchen, ticketExpired),
		on(Kitchen, preparationStarted), on(Kitchen, ticketReady), on(Kitchen, ticketDelayed), on(Kitchen, ticketHandedOver),
		on(Kitchen, ticketCancelled),

		on(Delivery, deliveryScheduled), on(Delivery, courierAssigned), on(Delivery, courierUnassigned),
		on(Delivery, courierArrived), on(Delivery, orderPickedUp), on(Delivery, etaChanged), on(Delivery, orderDroppedOff),
		on(Delivery, deliveryFailed), on(Delivery, deliveryCancelled),

		on(Accounting, paymentAuthorized), on(Accounting, paymentDeclined), on(Accounting, paymentVoided),
		on(Accounting, paymentCaptured), on(Accounting, paymentRefunded),
	}
}

// Subscriptions are what tracking hears: every event about an order.
func (s *Service) Subscriptions() []inbox.Subscription {
	subscriptions := make([]inbox.Subscription, len(sources))
	for i, source := range sources {
		subscriptions[i].Module = string(source)
		for _, h := range hearings() {
			if h.source == source {
				subscriptions[i].Handlers = append(subscriptions[i].Handlers, h.live(s))
			}
		}
	}
	return subscriptions
}

// apply folds a fact into its view, notes the change, and wakes who watches once that is committed.
func (s *Service) apply(tx *database.Tx, f Fact) error {
	stand, err := find(tx, f.OrderID)
	if err != nil {
		return err
	}
	before := sequenceOf(stand.shown.view, f.Source)
	if !Fold(stand.shown.view, f) {
		return nil
	}
	if err := s.save(tx, &stand.shown); err != nil {
		return err
	}
	if err := stand.followWith(tx, f, before); err != nil {
		return err
	}
	tx.Notify(topicViews)
	tx.AfterCommit(func() {
		s.lag.applied(f.Time)
		s.watchers.changed(f.OrderID)
	})
	return nil
}
