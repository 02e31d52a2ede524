package internal

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

func TestATicketIsMadeOnceForAnOrder(t *testing.T) {
	k := open(t)
	o := newOrder()
	first := o.ticket("key 1")
	for range 2 { // the same command twice is one
		_, err := k.CreateTicket(k.ctx, first)
		must(t, err)
	}
	_, err := k.CreateTicket(k.ctx, o.ticket("key 2"))
	wantFault(t, err, "ticket_exists")
	k.wantFacts(o, "TicketCreated")

	other := newOrder().ticket("key 1")
	_, err = k.CreateTicket(k.ctx, other)
	wantFault(t, err, "operation_key_reused")
}

func TestATicketKeepsWhatItWasMadeOf(t *testing.T) {
	k := open(t)
	o := k.created()
	res, err := k.GetTicket(k.ctx, &kitchenapi.GetTicketRequest{OrderId: o.id})
	must(t, err)
	want := o.ticket("")
	got := res.GetTicket()
	if got.GetRestaurantId() != o.restaurant || got.GetConsumerId() != o.consumer || got.GetNotes() != "no salt" ||
		got.GetPickupCode() != "K7" || len(got.GetLines()) != 1 || !proto.Equal(got.GetLines()[0], want.GetLines()[0]) ||
		!got.GetCreatedAt().AsTime().Equal(noon) || got.GetVersion() != 1 {
		t.Errorf("got %v", got)
	}
}

func TestWhatNoKitchenCanWorkByIsInvalid(t *testing.T) {
	k := open(t)
	for field, spoil := range map[string]func(*kitchenapi.CreateTicketRequest){
		"order_id":            func(r *kitchenapi.CreateTicketRequest) { r.OrderId = "7" },
		"restaurant_id":       func(r *kitchenapi.CreateTicketRequest) { r.RestaurantId = "" },
		"consumer_id":         func(r *kitchenapi.CreateTicketRequest) { r.ConsumerId = "x" },
		"lines":               func(r *kitchenapi.CreateTicketRequest) { r.Lines[0].Quantity = 0 },
		"preparation_seconds": func(r *kitchenapi.CreateTicketRequest) { r.PreparationSeconds = -1 },
		"operation_key":       func(r *kitchenapi.CreateTicketRequest) { r.OperationKey = "" },
	} {
		req := newOrder().ticket("key")
		spoil(req)
		_, err := k.CreateTicket(k.ctx, req)
		f := fault.As(err)
		if f == nil || f.Kind != fault.KindInvalid || f.Violations[0].Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestACreationThatWasCancelledNeverHappens(t *testing.T) {
	k := open(t)
	o := newOrder()
	_, err := k.CancelTicketCreation(k.ctx, &kitchenapi.CancelTicketCreationRequest{OperationKey: "undo", OrderId: o.id, Reason: "card_declined"})
	must(t, err)
	_, err = k.CreateTicket(k.ctx, o.ticket("late"))
	wantFault(t, err, "ticket_creation_cancelled")
	_, err = k.GetTicket(k.ctx, &kitchenapi.GetTicketRequest{OrderId: o.id})
	kindOf(t, err, fault.KindNotFound)
	_, err = k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: "confirm", OrderId: o.id})
	wantFault(t, err, "ticket_cancelled")
	k.wantFacts(o)
}

func TestCancellingACreationEndsTheTicketFromEveryOpenState(t *testing.T) {
	k := open(t)
	for _, make := range []func() order{k.created, k.awaiting, k.accepted, k.preparing, k.ready} {
		o := make()
		_, err := k.CancelTicketCreation(k.ctx, &kitchenapi.CancelTicketCreationRequest{OperationKey: ids.New(), OrderId: o.id, Reason: "card_declined"})
		must(t, err)
		k.wantState(o, kitchenapi.TicketState_TICKET_STATE_CANCELLED)
	}
}

func TestARestaurantHasTenMinutesToAccept(t *testing.T) {
	k := open(t)
	ignored, accepted := k.awaiting(), k.accepted()
	k.clock.Advance(AcceptanceTime - time.Second)
	k.wantState(ignored, kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE)
	k.clock.Advance(time.Second)
	k.awaitState(ignored, kitchenapi.TicketState_TICKET_STATE_EXPIRED)
	k.wantFacts(ignored, "TicketCreated", "TicketExpired")
	k.wantState(accepted, kitchenapi.TicketState_TICKET_STATE_ACCEPTED)
	for _, o := range []order{ignored, accepted} {
		var waiting int
		must(t, k.db.QueryRow(t.Context(), `SELECT count(*) FROM work WHERE key = ?`, o.id).Scan(&waiting))
		if waiting != 0 {
			t.Error("the timer outlives what it waits for")
		}
	}
}

func (k *kitchen) begin(o order, cancelID string) (*kitchenapi.BeginCancelResponse, error) {
	return k.BeginCancel(k.ctx, &kitchenapi.BeginCancelRequest{OperationKey: ids.New(), OrderId: o.id, CancelId: cancelID, By: "consumer"})
}

func (k *kitchen) confirm(o order, cancelID string) error {
	_, err := k.ConfirmCancel(k.ctx, &kitchenapi.ConfirmCancelRequest{OperationKey: ids.New(), OrderId: o.id, CancelId: cancelID, Reason: "asked"})
	return err
}

func (k *kitchen) undo(o order, cancelID string) error {
	_, err := k.UndoCancel(k.ctx, &kitchenapi.UndoCancelRequest{OperationKey: ids.New(), OrderId: o.id, CancelId: cancelID})
	return err
}

func TestACancelAnswersWhetherWorkWasPromised(t *testing.T) {
	k := open(t)
	for name, tt := range map[string]struct {
		make     func() order
		accepted bool
		before   kitchenapi.TicketState
	}{
		"awaiting":  {k.awaiting, false, kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE},
		"accepted":  {k.accepted, true, kitchenapi.TicketState_TICKET_STATE_ACCEPTED},
		"preparing": {k.preparing, true, kitchenapi.TicketState_TICKET_STATE_PREPARING},
		"ready":     {k.ready, true, kitchenapi.TicketState_TICKET_STATE_READY},
	} {
		o := tt.make()
		for range 2 { // a repeat under another key gets the same answer
			res, err := k.begin(o, "c")
			if err != nil || res.GetAccepted() != tt.accepted || res.GetEnded() || res.GetStateBefore() != tt.before {
				t.Errorf("%s: %v, %v", name, res, err)
			}
		}
		k.wantState(o, kitchenapi.TicketState_TICKET_STATE_CANCEL_PENDING)
		must(t, k.confirm(o, "c"))
		must(t, k.confirm(o, "c"))
		k.wantState(o, kitchenapi.TicketState_TICKET_STATE_CANCELLED)
		res, err := k.begin(o, "d")
		if err != nil || !res.GetEnded() || res.GetAccepted() != tt.accepted {
			t.Errorf("%s, cancelled: %v, %v", name, res, err)
		}
		wantFault(t, k.undo(o, "c"), "ticket_cancelled")
	}
}

func TestACancelComesTooLateOnceTheFoodIsGone(t *testing.T) {
	k := open(t)
	o := k.ready()
	k.Post(o.cook(), "/v1/tickets/"+o.id+"/hand-over", `{}`).Want(200)
	_, err := k.begin(o, "c")
	wantFault(t, err, "ticket_picked_up")
	wantFault(t, k.confirm(o, "c"), "cancel_not_begun")
	must(t, k.undo(o, "c"))
	k.wantState(o, kitchenapi.TicketState_TICKET_STATE_PICKED_UP)
}

func TestAnUndoThatOvertakesItsCancelWins(t *testing.T) {
	k := open(t)
	o := k.accepted()
	must(t, k.undo(o, "c"))
	_, err := k.begin(o, "c")
	wantFault(t, err, "cancel_undone")
	k.wantState(o, kitchenapi.TicketState_TICKET_STATE_ACCEPTED)
	res, err := k.begin(o, "another")
	if err != nil || !res.GetAccepted() {
		t.Errorf("another cancel: %v, %v", res, err)
	}
}

func TestAnUndoneCancelLeavesTheTimeToAcceptAsItWas(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	_, err := k.begin(o, "c")
	must(t, err)
	k.clock.Advance(AcceptanceTime + time.Minute) // the time ends while the cancel holds the ticket
	k.wantState(o, kitchenapi.TicketState_TICKET_STATE_CANCEL_PENDING)
	must(t, k.undo(o, "c"))
	k.awaitState(o, kitchenapi.TicketState_TICKET_STATE_EXPIRED)
}

func TestTheCouriersWordMovesATicketThatNobodyHandedOver(t *testing.T) {
	k := open(t)
	forgotten, unknown, early := k.preparing(), newOrder(), k.awaiting()
	for _, o := range []order{forgotten, unknown, early, forgotten} {
		k.write(func(ctx context.Context, tx *database.Tx) error {
			return k.orderPickedUp(ctx, tx, bus.Meta{}, &deliveryapi.OrderPickedUp{OrderId: o.id})
		})
	}
	k.wantState(forgotten, kitchenapi.TicketState_TICKET_STATE_PICKED_UP)
	k.wantFacts(forgotten, "TicketCreated", "TicketAccepted", "PreparationStarted", "TicketHandedOver")
	k.wantState(early, kitchenapi.TicketState_TICKET_STATE_AWAITING_ACCEPTANCE)
}

func TestOnlyModulesCommand(t *testing.T) {
	k := open(t)
	o := k.created()
	req := &kitchenapi.ConfirmTicketRequest{OperationKey: "key", OrderId: o.id}
	_, err := k.ConfirmTicket(t.Context(), req)
	kindOf(t, err, fault.KindUnauthenticated)
	owner := identity.With(t.Context(), identity.Principal{Subject: ids.New(), Roles: []identity.Role{identity.RoleRestaurant}, OwnedIDs: []string{o.restaurant}})
	_, err = k.ConfirmTicket(owner, req)
	kindOf(t, err, fault.KindForbidden)
	_, err = k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: "key", OrderId: ids.New()})
	kindOf(t, err, fault.KindNotFound)
}

func TestWhoSeesATicket(t *testing.T) {
	k := open(t)
	o := k.awaiting()
	hidden := k.created()
	as := func(role identity.Role, subject string, owned ...string) context.Context {
		return identity.With(t.Context(), identity.Principal{Subject: subject, Roles: []identity.Role{role}, OwnedIDs: owned})
	}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		o    order
		code string
		sees bool
	}{
		{"a module", k.ctx, o, "K7", true},
		{"its restaurant", as(identity.RoleRestaurant, ids.New(), o.restaurant), o, "K7", true},
		{"its consumer", as(identity.RoleConsumer, o.consumer), o, "", true},
		{"support", as(identity.RoleSupport, ids.New()), o, "", true},
		{"another restaurant", as(identity.RoleRestaurant, ids.New(), ids.New()), o, "", false},
		{"another consumer", as(identity.RoleConsumer, ids.New()), o, "", false},
		{"a courier", as(identity.RoleCourier, ids.New()), o, "", false},
		{"its restaurant before the order is confirmed", as(identity.RoleRestaurant, ids.New(), hidden.restaurant), hidden, "", false},
	} {
		res, err := k.GetTicket(tt.ctx, &kitchenapi.GetTicketRequest{OrderId: tt.o.id})
		if !tt.sees {
			kindOf(t, err, fault.KindNotFound)
			continue
		}
		if err != nil || res.GetTicket().GetPickupCode() != tt.code {
			t.Errorf("%s: %v, %v", tt.name, res, err)
		}
	}
}

func TestTheAuditCountsOpenTickets(t *testing.T) {
	k := open(t)
	k.created()
	held, done := k.accepted(), k.ready()
	_, err := k.begin(held, "c")
	must(t, err)
	k.Post(done.cook(), "/v1/tickets/"+done.id+"/hand-over", `{}`).Want(200)
	counters, err := k.Audit(t.Context())
	if err != nil || counters["tickets_open"] != 2 || counters["tickets_cancel_pending"] != 1 {
		t.Errorf("%v, %v", counters, err)
	}
}
