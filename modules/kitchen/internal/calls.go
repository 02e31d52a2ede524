package internal

import (
	"context"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/operation"
)

// The commands of kitchenapi.KitchenService. They are the sagas': the public has no business with them, and reaches its own through
// routes.go. An operation's comment stands in the contract.

func (s *Service) CreateTicket(ctx context.Context, req *kitchenapi.CreateTicketRequest) (*kitchenapi.CreateTicketResponse, error) {
	if err := identity.RequireModule(ctx); err != nil {
		return nil, err
	}
	if err := checkCreate(req); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*kitchenapi.CreateTicketResponse, error) {
		return &kitchenapi.CreateTicketResponse{}, s.createTicket(ctx, tx, req)
	})
}

func (s *Service) createTicket(ctx context.Context, tx *database.Tx, req *kitchenapi.CreateTicketRequest) error {
	t := ticketOf(req, s.clock.Now())
	made, err := create(tx, t)
	if err != nil {
		return err
	}
	if !made {
		return refuseSecond(tx, t.OrderID)
	}
	return s.events.Append(ctx, tx, t.OrderID, t.OrderID,
		&kitchenapi.TicketCreated{OrderId: t.OrderID, RestaurantId: t.RestaurantID, ConsumerId: t.ConsumerID})
}

// refuseSecond says why an order gets no ticket: it has one, or its creation was cancelled.
func refuseSecond(tx *database.Tx, orderID string) error {
	there, err := find(tx, orderID)
	if err != nil {
		return err
	}
	if there.State == Cancelled {
		return fault.Refused("ticket_creation_cancelled", "the order's ticket was cancelled")
	}
	return fault.Refused("ticket_exists", "the order has a ticket")
}

func ticketOf(req *kitchenapi.CreateTicketRequest, now time.Time) *Ticket {
	t := &Ticket{
		OrderID: req.GetOrderId(), Version: 1, State: Created,
		RestaurantID: req.GetRestaurantId(), ConsumerID: req.GetConsumerId(),
		Notes: req.GetNotes(), PickupCode: req.GetPickupCode(),
		Preparation: time.Duration(req.GetPreparationSeconds()) * time.Second,
		CreatedAt:   now, UpdatedAt: now,
	}
	t.Lines = make([]Line, len(req.GetLines()))
	for i, l := range req.GetLines() {
		t.Lines[i] = Line{ItemID: l.GetItemId(), Name: l.GetName(), Quantity: l.GetQuantity(), Options: l.GetOptions()}
	}
	return t
}

func (s *Service) ConfirmTicket(ctx context.Context, req *kitchenapi.ConfirmTicketRequest) (*kitchenapi.ConfirmTicketResponse, error) {
	if err := requireOrder(ctx, req.GetOrderId()); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*kitchenapi.ConfirmTicketResponse, error) {
		t, err := find(tx, req.GetOrderId()) // a tombstone is CANCELLED, which says more than not found
		if err != nil {
			return nil, err
		}
		return &kitchenapi.ConfirmTicketResponse{}, s.change(ctx, tx, t, (*Ticket).Confirm)
	})
}

func (s *Service) CancelTicketCreation(ctx context.Context, req *kitchenapi.CancelTicketCreationRequest) (*kitchenapi.CancelTicketCreationResponse, error) {
	if err := requireOrder(ctx, req.GetOrderId()); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*kitchenapi.CancelTicketCreationResponse, error) {
		return &kitchenapi.CancelTicketCreationResponse{}, s.cancelCreation(ctx, tx, req.GetOrderId(), req.GetReason())
	})
}

// cancelCreation cancels the ticket, or, where there is none yet, has it refused when it comes.
func (s *Service) cancelCreation(ctx context.Context, tx *database.Tx, orderID, reason string) error {
	made, err := create(tx, tombstone(orderID, reason, s.clock.Now()))
	if err != nil || made {
		return err
	}
	t, err := find(tx, orderID)
	if err != nil {
		return err
	}
	return s.change(ctx, tx, t, func(t *Ticket, now time.Time) (Effect, error) { return t.CancelCreation(reason, now) })
}

func (s *Service) BeginCancel(ctx context.Context, req *kitchenapi.BeginCancelRequest) (*kitchenapi.BeginCancelResponse, error) {
	if err := requireCancel(ctx, req.GetOrderId(), req.GetCancelId()); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*kitchenapi.BeginCancelResponse, error) {
		return s.beginCancel(ctx, tx, req.GetOrderId(), req.GetCancelId())
	})
}

func (s *Service) beginCancel(ctx context.Context, tx *database.Tx, orderID, cancelID string) (*kitchenapi.BeginCancelResponse, error) {
	late, err := undone(tx, orderID, cancelID)
	if err != nil {
		return nil, err
	}
	if late {
		return nil, fault.Refused("cancel_undone", "this cancel was taken back")
	}
	t, err := findMade(tx, orderID)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, tx, t, func(t *Ticket, now time.Time) (Effect, error) { return t.BeginCancel(cancelID, now) })
	if err != nil {
		return nil, err
	}
	res := &kitchenapi.BeginCancelResponse{Accepted: t.Promised, Ended: t.State.ended(), StateBefore: stateOf(t.State)}
	if t.State == CancelPending {
		res.StateBefore = stateOf(t.StateBefore)
	}
	return res, nil
}

func (s *Service) ConfirmCancel(ctx context.Context, req *kitchenapi.ConfirmCancelRequest) (*kitchenapi.ConfirmCancelResponse, error) {
	if err := requireCancel(ctx, req.GetOrderId(), req.GetCancelId()); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*kitchenapi.ConfirmCancelResponse, error) {
		t, err := findMade(tx, req.GetOrderId())
		if err != nil {
			return nil, err
		}
		return &kitchenapi.ConfirmCancelResponse{}, s.change(ctx, tx, t, func(t *Ticket, now time.Time) (Effect, error) {
			return t.ConfirmCancel(req.GetCancelId(), req.GetReason(), now)
		})
	})
}

func (s *Service) UndoCancel(ctx context.Context, req *kitchenapi.UndoCancelRequest) (*kitchenapi.UndoCancelResponse, error) {
	if err := requireCancel(ctx, req.GetOrderId(), req.GetCancelId()); err != nil {
		return nil, err
	}
	return operation.Run(ctx, s.db, req.GetOperationKey(), req, func(ctx context.Context, tx *database.Tx) (*kitchenapi.UndoCancelResponse, error) {
		t, err := findMade(tx, req.GetOrderId())
		if err != nil {
			return nil, err
		}
		err = s.change(ctx, tx, t, func(t *Ticket, now time.Time) (Effect, error) { return t.UndoCancel(req.GetCancelId(), now) })
		if err != nil {
			return nil, err
		}
		return &kitchenapi.UndoCancelResponse{}, refuseLateCancel(tx, t.OrderID, req.GetCancelId(), s.clock.Now())
	})
}

func (s *Service) GetTicket(ctx context.Context, req *kitchenapi.GetTicketRequest) (*kitchenapi.GetTicketResponse, error) {
	if _, err := ids.Parse("order_id", req.GetOrderId()); err != nil {
		return nil, err
	}
	p, ok := identity.From(ctx)
	if !ok {
		return nil, fault.Unauthenticated("say who asks")
	}
	t, err := read(ctx, s.db, req.GetOrderId())
	if err != nil {
		return nil, err
	}
	if !maySee(p, t) {
		return nil, fault.NotFound("ticket")
	}
	return &kitchenapi.GetTicketResponse{Ticket: messageOf(t, mayKnowCode(p, t))}, nil
}

// maySee tells whether a caller may know of the ticket. Its restaurant may once the order is confirmed.
func maySee(p identity.Principal, t *Ticket) bool {
	switch {
	case p.Has(identity.RoleService, identity.RoleSupport, identity.RoleAdmin):
		return true
	case p.Has(identity.RoleRestaurant) && p.Owns(t.RestaurantID):
		return t.shown()
	}
	return p.Has(identity.RoleConsumer) && p.Owns(t.ConsumerID)
}

// mayKnowCode tells whether a caller may know what the courier must name at the counter.
func mayKnowCode(p identity.Principal, t *Ticket) bool {
	return p.Has(identity.RoleService) || p.Has(identity.RoleRestaurant) && p.Owns(t.RestaurantID)
}

// messageOf is the ticket as other modules read it.
func messageOf(t *Ticket, withCode bool) *kitchenapi.Ticket {
	m := &kitchenapi.Ticket{
		OrderId: t.OrderID, Version: t.Version, State: stateOf(t.State), Reason: t.Reason,
		RestaurantId: t.RestaurantID, ConsumerId: t.ConsumerID, Notes: t.Notes,
		AcceptBy: clock.ToProto(t.AcceptBy), ReadyBy: clock.ToProto(t.ReadyBy), ReadyAt: clock.ToProto(t.ReadyAt),
		CreatedAt: clock.ToProto(t.CreatedAt), UpdatedAt: clock.ToProto(t.UpdatedAt),
	}
	if withCode {
		m.PickupCode = t.PickupCode
	}
	for _, l := range t.Lines {
		m.Lines = append(m.Lines, &kitchenapi.TicketLine{ItemId: l.ItemID, Name: l.Name, Quantity: l.Quantity, Options: l.Options})
	}
	return m
}

// stateOf is the state as the contract numbers it; the names are the same.
func stateOf(s State) kitchenapi.TicketState {
	return kitchenapi.TicketState(kitchenapi.TicketState_value["TICKET_STATE_"+string(s)])
}

func requireOrder(ctx context.Context, orderID string) error {
	if err := identity.RequireModule(ctx); err != nil {
		return err
	}
	_, err := ids.Parse("order_id", orderID)
	return err
}

func requireCancel(ctx context.Context, orderID, cancelID string) error {
	if err := requireOrder(ctx, orderID); err != nil {
		return err
	}
	if cancelID == "" {
		return fault.Invalid(fault.Violation{Field: "cancel_id", Description: "must be set"})
	}
	return nil
}

// checkCreate refuses a ticket that no kitchen could work by.
func checkCreate(req *kitchenapi.CreateTicketRequest) error {
	var found []fault.Violation
	id := func(field, value string) {
		if !ids.Valid(value) {
			found = append(found, fault.Violation{Field: field, Description: "must be a UUID in lower case"})
		}
	}
	id("order_id", req.GetOrderId())
	id("restaurant_id", req.GetRestaurantId())
	id("consumer_id", req.GetConsumerId())
	if len(req.GetLines()) == 0 {
		found = append(found, fault.Violation{Field: "lines", Description: "must not be empty"})
	}
	for _, l := range req.GetLines() {
		if l.GetItemId() == "" || l.GetQuantity() < 1 {
			found = append(found, fault.Violation{Field: "lines", Description: "each must name an item and a quantity of at least 1"})
			break
		}
	}
	if s := req.GetPreparationSeconds(); s < 0 || time.Duration(s)*time.Second > longestPreparation {
		found = append(found, fault.Violation{Field: "preparation_seconds", Description: "must be from 0 to 24 hours"})
	}
	if len(found) > 0 {
		return fault.Invalid(found...)
	}
	return nil
}
