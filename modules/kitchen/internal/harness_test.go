package internal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	"kerf/platform/work"
)

// kitchen is a running module on a database of its own.
type kitchen struct {
	*Service
	t     *testing.T
	clock *clock.Manual
	ctx   context.Context // of a saga
	http  http.Handler
}

func open(t *testing.T) *kitchen {
	t.Helper()
	db := databasetest.Open(t, "kitchen")
	clk := clock.NewManual(noon)
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
	server := web.New(web.Config{Verifier: tokens{}, Wall: clk.Wall})
	k.Routes(server.Echo)
	k.http = server
	return k
}

// tokens makes the token "role subject owned owned" the principal that it spells.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (identity.Principal, error) {
	part := strings.Split(token, "+")
	return identity.Principal{Subject: part[1], Roles: []identity.Role{identity.Role(part[0])}, OwnedIDs: part[2:]}, nil
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
	o := k.awaiting()
	k.post(o.cook(), "/v1/tickets/"+o.id+"/acceptance", `{}`).want(http.StatusOK)
	return o
}

func (k *kitchen) preparing() order {
	k.t.Helper()
	o := k.accepted()
	k.post(o.cook(), "/v1/tickets/"+o.id+"/preparation", `{}`).want(http.StatusOK)
	return o
}

func (k *kitchen) ready() order {
	k.t.Helper()
	o := k.preparing()
	k.post(o.cook(), "/v1/tickets/"+o.id+"/readiness", `{}`).want(http.StatusOK)
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

// answer is what the public API answered.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (k *kitchen) do(token, method, path, body string, headers ...string) *answer {
	k.t.Helper()
	in := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		in.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		in.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	out := httptest.NewRecorder()
	k.http.ServeHTTP(out, in)
	a := &answer{t: k.t, status: out.Code, header: out.Header(), raw: out.Body.Bytes()}
	if len(a.raw) > 0 {
		must(k.t, json.Unmarshal(a.raw, &a.body))
	}
	return a
}

func (k *kitchen) get(token, path string, headers ...string) *answer {
	k.t.Helper()
	return k.do(token, http.MethodGet, path, "", headers...)
}

// post sends a command under a new key, unless headers name one.
func (k *kitchen) post(token, path, body string, headers ...string) *answer {
	k.t.Helper()
	return k.do(token, http.MethodPost, path, body, append([]string{"Idempotency-Key", ids.New()}, headers...)...)
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("answered %d %s, want %d", a.status, a.raw, status)
	}
	return a
}

// problem checks a refusal, and that it is one of the platform's problems.
func (a *answer) problem(status int, code string) *answer {
	a.t.Helper()
	a.want(status)
	if a.body["code"] != code || a.header.Get("Content-Type") != "application/problem+json" {
		a.t.Errorf("answered %s as %s, want the code %s", a.raw, a.header.Get("Content-Type"), code)
	}
	return a
}

// violation checks that the refusal names a field.
func (a *answer) violation(field string) {
	a.t.Helper()
	a.problem(http.StatusBadRequest, "invalid")
	list, _ := a.body["violations"].([]any)
	for _, v := range list {
		if v.(map[string]any)["field"] == field {
			return
		}
	}
	a.t.Errorf("answered %s, want a violation of %q", a.raw, field)
}

func (a *answer) links() map[string]any {
	links, _ := a.body["_links"].(map[string]any)
	return links
}

func kindOf(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("got %v, want the kind %s", err, want)
	}
}
