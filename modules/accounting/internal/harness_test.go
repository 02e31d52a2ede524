package internal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/migrations"
	"kerf/modules/accounting/accountingapi"
	"kerf/modules/accounting/internal/provider"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
	"kerf/platform/work"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// bank is a running module on a database of its own, with the simulator.
type bank struct {
	*Service
	webtest.Client
	t         *testing.T
	dir       string
	clock     *clock.Manual
	simulator *provider.Simulator
	work      *work.Queue
	ctx       context.Context // of a saga
	closed    bool
	stop      func()
}

func open(t *testing.T) *bank {
	t.Helper()
	return openIn(t, t.TempDir(), clock.NewManual(noon), patience())
}

// patience is how long the provider has to answer: some commits, so that it is heard but for those tokens that have it be silent.
func patience() time.Duration {
	if databasetest.OnPostgres() {
		return 400 * time.Millisecond
	}
	return 20 * time.Millisecond
}

// openIn opens what lies in a folder, as a process does that starts there; the provider has timeout to answer.
func openIn(t *testing.T, dir string, clk *clock.Manual, timeout time.Duration) *bank {
	t.Helper()
	db, err := database.Open(t.Context(), "accounting", databasetest.Config(t, dir, "accounting"), migrations.FS, slog.New(slog.DiscardHandler), nil)
	must(t, err)
	b := openOn(t, db, clk, timeout)
	b.dir = dir
	return b
}

// openOn runs the module as a process of those on a schema, which it closes in the end.
func openOn(t *testing.T, db *database.DB, clk *clock.Manual, timeout time.Duration) *bank {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	queue := work.New(db, clk.Clock, work.Config{Workers: 4}, log, nil)
	simulator := provider.NewSimulator(db, clk, provider.Config{Slow: time.Millisecond, Late: time.Second})
	b := &bank{
		Service: New(db, outbox.New(db, "accounting", clk), queue, clk, simulator, log),
		t:       t, clock: clk, simulator: simulator, work: queue,
		ctx: identity.With(context.Background(), identity.Service("orders")),
	}
	b.timeout = timeout
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(run) }()
	b.stop = func() {
		if b.closed {
			return
		}
		b.closed = true
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) { // told to end before it had begun
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { b.stop() })
	server := web.New(web.Config{Verifier: webtest.Tokens{}, Wall: clk.Wall})
	b.Routes(server.Echo)
	b.Client = webtest.Client{TB: t, Handler: server}
	return b
}

// restart ends the process, and starts another where it was.
func (b *bank) restart() *bank {
	b.t.Helper()
	b.stop()
	return openIn(b.t, b.dir, b.clock, b.timeout)
}

// order is an order that is to be paid: 10.00 and 0.70 tax, 2.50 for delivery, 1.10 for service, 0.50 as it is small, 1.20 tip.
type order struct{ id, consumer, restaurant, courier string }

const total = 1600

func newOrder() order { return order{ids.New(), ids.New(), ids.New(), ids.New()} }

func euro(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }

func (o order) authorization(token string) *accountingapi.AuthorizePaymentRequest {
	return &accountingapi.AuthorizePaymentRequest{
		OperationKey: o.id + ":a", OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, PaymentToken: token, Amount: euro(total),
		Breakdown: &accountingapi.Breakdown{Subtotal: euro(1000), Tax: euro(70), DeliveryFee: euro(250), ServiceFee: euro(110),
			SmallOrderFee: euro(50), Tip: euro(120)},
	}
}

func (b *bank) authorize(o order, token string) error {
	_, err := b.AuthorizePayment(b.ctx, o.authorization(token))
	return err
}

func (b *bank) capture(o order) error {
	_, err := b.CapturePayment(b.ctx, &accountingapi.CapturePaymentRequest{OperationKey: o.id + ":c", OrderId: o.id, Amount: euro(total),
		Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_ORDER, CourierId: o.courier})
	return err
}

func (b *bank) captureFee(o order, amount int64) error {
	_, err := b.CapturePayment(b.ctx, &accountingapi.CapturePaymentRequest{OperationKey: o.id + ":f", OrderId: o.id, Amount: euro(amount),
		Purpose: accountingapi.CapturePurpose_CAPTURE_PURPOSE_CANCELLATION_FEE})
	return err
}

func (b *bank) void(o order) error {
	_, err := b.VoidPayment(b.ctx, &accountingapi.VoidPaymentRequest{OperationKey: o.id + ":v", OrderId: o.id, Reason: "ticket_rejected"})
	return err
}

func (b *bank) giveBack(o order, key string, amount int64, reason string) error {
	_, err := b.RefundPayment(b.ctx, &accountingapi.RefundPaymentRequest{OperationKey: key, OrderId: o.id, Amount: euro(amount), Reason: reason})
	return err
}

// authorized and captured bring a new order's payment there.
func (b *bank) authorized(token string) order {
	b.t.Helper()
	o := newOrder()
	must(b.t, b.authorize(o, token))
	return o
}

func (b *bank) captured(token string) order {
	b.t.Helper()
	o := b.authorized(token)
	must(b.t, b.capture(o))
	return o
}

func (b *bank) payment(o order) *Payment {
	b.t.Helper()
	p, err := scanPayment(b.db.QueryRow(b.ctx, selectPayment, o.id))
	must(b.t, err)
	return p
}

func (b *bank) wantState(o order, want State) {
	b.t.Helper()
	if got := b.payment(o).State; got != want {
		b.t.Errorf("the payment is %s, want %s", got, want)
	}
}

// quiet moves the clock until nothing is left to look up.
func (b *bank) quiet() {
	b.t.Helper()
	b.await("the provider's answers", func() bool {
		b.clock.Advance(100 * time.Millisecond)
		depth, err := b.work.Depth(b.ctx)
		must(b.t, err)
		return depth == (work.Depth{})
	})
	if n := b.audit()["operations_unfinished"]; n != 0 {
		b.t.Errorf("%d operations are unfinished and nobody looks after them", n)
	}
}

func (b *bank) await(what string, come func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !come(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s did not come", what)
		}
	}
}

func (b *bank) audit() map[string]int64 {
	b.t.Helper()
	counters, err := b.Audit(b.ctx)
	must(b.t, err)
	return counters
}

// wantBooks checks what must hold at any time, and, as nothing is in flight, that the provider has charged what the ledger says.
func (b *bank) wantBooks(captured, refunded, held int64) {
	b.t.Helper()
	want := map[string]int64{
		"ledger_imbalance": 0, "orders_charged_twice": 0, "provider_orders_charged_twice": 0, "payments_off_ledger": 0, "operations_unfinished": 0,
		"captured_sum": captured, "provider_captured_sum": captured, "refunded_sum": refunded, "provider_refunded_sum": refunded,
		"authorisations_held": held, "provider_authorisations_held": held,
	}
	for name, got := range b.audit() {
		if got != want[name] {
			b.t.Errorf("%s is %d, want %d", name, got, want[name])
		}
	}
}

// wantFacts checks the events of an order by name.
func (b *bank) wantFacts(o order, want ...string) {
	b.t.Helper()
	rows, err := b.db.Query(b.ctx, `SELECT type FROM outbox WHERE key = ? AND subject = ? ORDER BY sequence`, o.id, o.id)
	must(b.t, err)
	defer rows.Close()
	var got []string
	for rows.Next() {
		var name string
		must(b.t, rows.Scan(&name))
		got = append(got, strings.TrimPrefix(name, "kerf.accounting."))
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("published %v, want %v", got, want)
	}
}

func (b *bank) wantCharges(o order, states ...string) {
	b.t.Helper()
	charges, err := b.simulator.Charges(b.ctx, o.id)
	must(b.t, err)
	var got []string
	for _, c := range charges {
		got = append(got, c.State)
	}
	if !slices.Equal(got, states) {
		b.t.Errorf("the provider has charges that are %v, want %v", got, states)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantFault checks an error's code; "" wants none.
func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if got := fault.As(err); code == "" && err != nil || code != "" && (got == nil || got.Code != code) {
		t.Errorf("got %v, want the code %q", err, code)
	}
}
