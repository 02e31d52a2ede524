package internal

import (
	"context"
	"time"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/operation"
)

// The commands of deliveryapi.DeliveryService. They are the sagas': the public has no business with them, and reaches its own through
// routes.go. An operation's comment stands in the contract.

func (s *Service) ScheduleDelivery(ctx context.Context, req *deliveryapi.ScheduleDeliveryRequest) (*deliveryapi.ScheduleDeliveryResponse, error) {
	if err := identity.RequireModule(ctx); err != nil {
		return nil, err
	}
	if err := checkSchedule(req); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*deliveryapi.ScheduleDeliveryResponse, error) {
		return &deliveryapi.ScheduleDeliveryResponse{}, s.schedule(ctx, tx, req)
	})
}

func (s *Service) schedule(ctx context.Context, tx *database.Tx, req *deliveryapi.ScheduleDeliveryRequest) error {
	now := s.clock.Now()
	said, err := takeWord(tx, req.GetOrderId())
	if err != nil {
		return err
	}
	d := deliveryOf(req, now)
	if !said.readyBy.IsZero() {
		d.ReadyBy = said.readyBy
	}
	d.ReadyAt = said.readyAt
	d.promise(s.road.expect(d, nil, now), now)
	made, err := createDelivery(tx, d)
	if err != nil {
		return err
	}
	if !made {
		return refuseSecond(tx, d.OrderID)
	}
	tx.Notify(topicDispatch)
	return s.publish(ctx, tx, scheduled(d))
}

// refuseSecond says why an order gets no delivery: it has one, or it was cancelled.
func refuseSecond(tx *database.Tx, orderID string) error {
	there, err := findDelivery(tx, orderID)
	if err != nil {
		return err
	}
	if there.State == Cancelled {
		return fault.Refused("delivery_cancelled", "the order's delivery was cancelled")
	}
	return fault.Refused("delivery_exists", "the order has a delivery")
}

func deliveryOf(req *deliveryapi.ScheduleDeliveryRequest, now time.Time) *Delivery {
	return &Delivery{
		OrderID: req.GetOrderId(), Version: 1, State: Unassigned,
		ConsumerID: req.GetConsumerId(), RestaurantID: req.GetRestaurantId(),
		Pickup: geo.FromProto(req.GetPickup()), Dropoff: geo.FromProto(req.GetDropoff()),
		PickupCode: req.GetPickupCode(), DeliveryPIN: req.GetDeliveryPin(),
		ReadyBy:   clock.FromProto(req.GetReadyBy()),
		CreatedAt: now, UpdatedAt: now,
	}
}

func (s *Service) CancelDelivery(ctx context.Context, req *deliveryapi.CancelDeliveryRequest) (*deliveryapi.CancelDeliveryResponse, error) {
	if err := identity.RequireModule(ctx); err != nil {
		return nil, err
	}
	if _, err := ids.Parse("order_id", req.GetOrderId()); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*deliveryapi.CancelDeliveryResponse, error) {
		return &deliveryapi.CancelDeliveryResponse{}, s.cancel(ctx, tx, req.GetOrderId(), req.GetReason())
	})
}

// cancel cancels the delivery, or, where there is none yet, has it refused when it comes.
func (s *Service) cancel(ctx context.Context, tx *database.Tx, orderID, reason string) error {
	d, err := findDelivery(tx, orderID)
	if fault.KindOf(err) == fault.KindNotFound {
		if _, err := takeWord(tx, orderID); err != nil {
			return err
		}
		_, err := createDelivery(tx, tombstone(orderID, reason, s.clock.Now()))
		return err
	}
	if err != nil {
		return err
	}
	_, err = s.change(ctx, tx, d, func(d *Delivery, now time.Time) (Effect, error) { return d.Cancel(reason, now) })
	return err
}

func (s *Service) GetDelivery(ctx context.Context, req *deliveryapi.GetDeliveryRequest) (*deliveryapi.GetDeliveryResponse, error) {
	if _, err := ids.Parse("order_id", req.GetOrderId()); err != nil {
		return nil, err
	}
	p, ok := identity.From(ctx)
	if !ok {
		return nil, fault.Unauthenticated("say who asks")
	}
	d, err := readDelivery(ctx, s.db, req.GetOrderId())
	if err != nil {
		return nil, err
	}
	if !maySee(p, d) {
		return nil, fault.NotFound("delivery")
	}
	at, err := s.whereabouts(ctx, d)
	if err != nil {
		return nil, err
	}
	return &deliveryapi.GetDeliveryResponse{Delivery: messageOf(d, at)}, nil
}

// whereabouts is where the courier of a delivery was last seen, nil where that is nobody's business: while nobody is assigned, and
// after the end.
func (s *Service) whereabouts(ctx context.Context, d *Delivery) (*kerfpb.Position, error) {
	if d.assigned() == "" || !d.State.arriving() {
		return nil, nil
	}
	if r, ok := s.tracks.lastSeen(d.CourierID); ok {
		return r.position.ToProto(), nil
	}
	c, _, err := readCourier(ctx, s.db, d.CourierID)
	if err != nil || c.LocatedAt.IsZero() {
		return nil, err
	}
	s.tracks.overlay(c)
	return c.Position.ToProto(), nil
}

// maySee tells whether a caller may know of the delivery: the offered courier too.
func maySee(p identity.Principal, d *Delivery) bool {
	switch {
	case p.Has(identity.RoleService, identity.RoleSupport, identity.RoleAdmin):
		return true
	case p.Has(identity.RoleCourier) && p.Owns(d.CourierID):
		return true
	case p.Has(identity.RoleRestaurant) && p.Owns(d.RestaurantID):
		return true
	}
	return p.Has(identity.RoleConsumer) && p.Owns(d.ConsumerID)
}

// messageOf is the delivery as other modules read it.
func messageOf(d *Delivery, courier *kerfpb.Position) *deliveryapi.Delivery {
	return &deliveryapi.Delivery{
		OrderId: d.OrderID, Version: d.Version, State: stateOf(d.State), Reason: d.Reason,
		ConsumerId: d.ConsumerID, RestaurantId: d.RestaurantID, CourierId: d.assigned(),
		Pickup: d.Pickup.ToProto(), Dropoff: d.Dropoff.ToProto(), ReadyBy: clock.ToProto(d.ReadyBy),
		EtaEarliest: clock.ToProto(d.EtaEarliest), EtaLatest: clock.ToProto(d.EtaLatest),
		PickedUpAt: clock.ToProto(d.PickedUpAt), DeliveredAt: clock.ToProto(d.DeliveredAt), UpdatedAt: clock.ToProto(d.UpdatedAt),
		CourierPosition: courier,
	}
}

// stateOf is the state as the contract numbers it; the names are the same.
func stateOf(s State) deliveryapi.DeliveryState {
	return deliveryapi.DeliveryState(deliveryapi.DeliveryState_value["DELIVERY_STATE_"+string(s)])
}

// checkSchedule refuses a delivery that no courier could make.
func checkSchedule(req *deliveryapi.ScheduleDeliveryRequest) error {
	var found []fault.Violation
	that := func(ok bool, field, description string) {
		if !ok {
			found = append(found, fault.Violation{Field: field, Description: description})
		}
	}
	const uuid = "must be a UUID in lower case"
	that(ids.Valid(req.GetOrderId()), "order_id", uuid)
	that(ids.Valid(req.GetConsumerId()), "consumer_id", uuid)
	that(ids.Valid(req.GetRestaurantId()), "restaurant_id", uuid)
	const place = "must be a position on the globe"
	that(req.GetPickup() != nil && geo.FromProto(req.GetPickup()).Valid(), "pickup", place)
	that(req.GetDropoff() != nil && geo.FromProto(req.GetDropoff()).Valid(), "dropoff", place)
	that(req.GetReadyBy().IsValid(), "ready_by", "must be an instant")
	that(req.GetPickupCode() != "", "pickup_code", "must be set")
	that(req.GetDeliveryPin() != "", "delivery_pin", "must be set")
	if len(found) > 0 {
		return fault.Invalid(found...)
	}
	return nil
}
