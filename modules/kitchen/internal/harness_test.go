package internal

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
	"kerf/platform/work"
)

// kitchen is a running module on a database of its own.
type kitchen struct {
	*Service
	webtest.Client
	t     *testing.T
	clock *clock.Manual
	ctx   context.Context // of a saga
}

func open(t *testing.T) *kitchen {
	t.Helper()
	return openOn(t, databasetest.Open(t, "kitchen"), clock.NewManual(noon))
}

// openOn runs the module as a process of those on a schema.
func openOn(t *testing.T, db *database.DB, clk *clock.Manual) *kitchen {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	queue := work.New(db, clk.Clock, work.Config{Workers: 2}, log, nil)
	k := &kitchen{
		Service: New(db, outbox.New(db, "kitchen", clk), queue, clk, log), t: t, clock: clk,
		ctx: identity.With(t.Context(), identity.Service("orders")),
	}
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(run) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) { // told to end before it had begun
			t.Error(err)
		}
	})
	server := web.New(web.Config{Verifier: webtest.Tokens{}, Wall: clk.Wall})
	k.Routes(server.Echo)
	k.Client = webtest.Client{TB: t, Handler: server}
	return k
}

// order is an order whose ticket is in hand.
type order struct{ id, restaurant, consumer string }

func newOrder() order { return order{ids.New(), ids.New(), ids.New()} }

func (o order) cook() string { return "restaurant+" + ids.New() + "+" + o.restaurant }

func (o order) ticket(key string) *kitchenapi.CreateTicketRequest {
	return &kitchenapi.CreateTicketRequest{
		OperationKey: key, OrderId: o.id, RestaurantId: o.restaurant, ConsumerId: o.consumer,
		Lines: []*kitchenapi.TicketLine{{ItemId: "soup", Name: "Soup", Quantity: 2, Options: []string{"hot"}}},
		Notes: "no salt", PickupCode: "K7", PreparationSeconds: 900,
	}
}

// created, awaiting, … bring a new order's ticket to that state.
func (k *kitchen) created() order {
	k.t.Helper()
	o := newOrder()
	_, err := k.CreateTicket(k.ctx, o.ticket(ids.New()))
	must(k.t, err)
	return o
}

func (k *kitchen) awaiting() order {
	k.t.Helper()
	o := k.created()
	_, err := k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: ids.New(), OrderId: o.id})
	must(k.t, err)
	return o
}

func (k *kitchen) accepted() order {
	k.t.Helper()
	o := newOrder()
	k.accept(o)
	return o
}

// accept brings the ticket of an order that is given to ACCEPTED.
func (k *kitchen) accept(o order) {
	k.t.Helper()
	_, err := k.CreateTicket(k.ctx, o.ticket(ids.New()))
	must(k.t, err)
	_, err = k.ConfirmTicket(k.ctx, &kitchenapi.ConfirmTicketRequest{OperationKey: ids.New(), OrderId: o.id})
	must(k.t, err)
	k.Post(o.cook(), "/v1/tickets/"+o.id+"/acceptance", `{}`).Want(http.StatusOK)
}

func (k *kitchen) preparing() order {
	k.t.Helper()
	o := k.accepted()
	k.Post(o.cook(), "/v1/tickets/"+o.id+"/preparation", `{}`).Want(http.StatusOK)
	return o
}

func (k *kitchen) ready() order {
	k.t.Helper()
	o := k.preparing()
	k.Post(o.cook(), "/v1/tickets/"+o.id+"/readiness", `{}`).Want(http.StatusOK)
	return o
}

func (k *kitchen) state(o order) kitchenapi.TicketState {
	k.t.Helper()
	res, err := k.GetTicket(k.ctx, &kitchenapi.GetTicketRequest{OrderId: o.id})
	must(k.t, err)
	return res.GetTicket().GetState()
}

func (k *kitchen) wantState(o order, want kitchenapi.TicketState) {
	k.t.Helper()
	if got := k.state(o); got != want {
		k.t.Errorf("the ticket is %s, want %s", got, want)
	}
}

func (k *kitchen) awaitState(o order, want kitchenapi.TicketState) {
	k.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); k.state(o) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			k.t.Fatalf("the ticket is %s, want %s", k.state(o), want)
		}
	}
}

// wantFacts checks the events of an order by name.
func (k *kitchen) wantFacts(o order, want ...string) {
	k.t.Helper()
	rows, err := k.db.Query(k.t.Context(), `SELECT type FROM outbox WHERE key = ? AND subject = ? ORDER BY sequence`, o.id, o.id)
	must(k.t, err)
	defer rows.Close()
	var got []string
	for rows.Next() {
		var name string
		must(k.t, rows.Scan(&name))
		got = append(got, strings.TrimPrefix(name, "kerf.kitchen."))
	}
	if !slices.Equal(got, want) {
		k.t.Errorf("published %v, want %v", got, want)
	}
}

func (k *kitchen) write(f func(ctx context.Context, tx *database.Tx) error) {
	k.t.Helper()
	must(k.t, k.db.Write(k.ctx, f))
}

func kindOf(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("got %v, want the kind %s", err, want)
	}
}
