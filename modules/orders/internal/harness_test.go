package internal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

var noMeta bus.Meta

// harness is the core on a real database with real due work, in a world of fakes.
type harness struct {
	t     testing.TB
	db    *database.DB
	clock *clock.Manual
	world *world

	core  *Core
	queue *work.Queue
	stop  func()

	crashed atomic.Bool // a claim was taken away from its holder
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	return newHarnessOn(t, databasetest.Open(t, "orders"))
}

// newHarnessOn is a new world on a database where others may have ended.
func newHarnessOn(t testing.TB, db *database.DB) *harness {
	t.Helper()
	clk := clock.NewManual(noon)
	return newHarnessIn(t, db, clk, newWorld(clk.Now))
}

func newHarnessIn(t testing.TB, db *database.DB, clk *clock.Manual, w *world) *harness {
	t.Helper()
	h := &harness{t: t, db: db, clock: clk, world: w}
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

// start runs the core as a process that has just begun on the database.
func (h *harness) start() {
	h.t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := work.Config{Workers: 2, BackOff: 4 * time.Millisecond, MaxBackOff: 100 * time.Millisecond, Drain: time.Second, Poll: time.Hour}
	h.queue = work.New(h.db, h.clock.Clock, cfg, log, nil)
	w := h.world
	h.core = New(h.db, outbox.New(h.db, "orders", h.clock), h.queue, h.clock,
		Collaborators{Kitchen: w, Accounting: w, Delivery: w}, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.queue.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) { // stopped before it had begun
			h.t.Errorf("queue: %v", err)
		}
	})
}

func (h *harness) restart() {
	h.t.Helper()
	h.stop()
	h.start()
}

func (h *harness) write(f func(ctx context.Context, tx *database.Tx) error) error {
	return h.db.Write(context.Background(), f)
}

// crash makes the answer to the call that runs unrecordable, as if the process had died: the lease is another's.
func (h *harness) crash() {
	err := h.write(func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(`UPDATE work SET lease = lease + 1 WHERE lease <> 0`)
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
	h.crashed.Store(true)
}

var testTerms = Terms{
	ConsumerID: "consumer", RestaurantID: "restaurant", AddressID: "address",
	Lines: []Line{{ItemID: "soup", Name: "Soup", Quantity: 2, Options: []string{"spicy"}, UnitPrice: 500, Total: 1000, Tax: 100}},
	Price: Price{
		Currency: "EUR", Subtotal: 1000, Tax: 100, DeliveryFee: 300, ServiceFee: 50, SmallOrderFee: 40, Tip: 10, Total: 1500, CancellationFee: 200,
	},
	Address: Position{48.2, 16.3}, RestaurantPosition: Position{48.21, 16.31},
	PaymentToken: "tok_approve", PickupCode: "1234", DeliveryPIN: "9876", PreparationSeconds: 900,
}

func (h *harness) place(change func(*Terms)) string {
	h.t.Helper()
	terms := testTerms
	terms.QuoteID, terms.PlacedAt = ids.New(), h.clock.Now()
	terms.EtaEarliest, terms.EtaLatest = h.clock.Now().Add(30*time.Minute), h.clock.Now().Add(45*time.Minute)
	if change != nil {
		change(&terms)
	}
	id := ids.New()
	if err := h.write(func(ctx context.Context, tx *database.Tx) error {
		_, err := h.core.place(ctx, tx, id, terms)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func (h *harness) order(id string) *Order {
	h.t.Helper()
	o, err := load(reading{context.Background(), h.db}, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

func (h *harness) cancel(id string) error {
	return h.cancelAs(id, identity.Principal{Subject: "consumer", Roles: []identity.Role{identity.RoleConsumer}})
}

func (h *harness) cancelAs(id string, p identity.Principal) error {
	return h.write(func(ctx context.Context, tx *database.Tx) error {
		_, err := h.core.cancel(ctx, tx, p, id, "changed my mind", func(int64) bool { return true })
		return err
	})
}

// deliver hands over what a publisher has published, up to n facts.
func (h *harness) deliver(source string, n int) {
	h.t.Helper()
	for range n {
		h.world.mu.Lock()
		queue := h.world.facts[source]
		if len(queue) == 0 {
			h.world.mu.Unlock()
			return
		}
		h.world.facts[source] = queue[1:]
		h.world.mu.Unlock()
		if err := h.write(func(ctx context.Context, tx *database.Tx) error { return queue[0](ctx, tx, h.core) }); err != nil {
			h.t.Errorf("a fact was not taken, which would park it: %v", err)
		}
	}
}

// lose drops what a publisher has published, as if it were parked for good.
func (h *harness) lose(source string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.world.facts[source] = nil
}

func (h *harness) deliverAll() {
	h.deliver("kitchen", 100)
	h.deliver("delivery", 100)
}

// settle lets the due work be done, retries included, until nothing is due within the next seconds.
func (h *harness) settle() {
	h.t.Helper()
	for range 400 {
		h.idle()
		if !h.retrying() {
			return
		}
		h.clock.Advance(50 * time.Millisecond)
	}
	h.t.Fatalf("no rest: %v", h.world.calls)
}

// retrying tells whether a saga waits to be asked again.
func (h *harness) retrying() bool {
	var n int
	if err := h.db.QueryRow(context.Background(), `SELECT count(*) FROM work WHERE kind = 'saga'`).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n > 0
}

// idle waits until no worker has anything to do. After a crash it runs a new process.
func (h *harness) idle() {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if h.crashed.Swap(false) {
			h.restart()
		}
		d, err := h.queue.Depth(context.Background())
		if err != nil {
			h.t.Fatal(err)
		}
		if d.Due == 0 && d.Claimed == 0 {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
	h.t.Fatalf("work is still running: %v", h.world.calls)
}

// must stops a test that has people do what they cannot.
func (h *harness) must(ok bool, what string) {
	h.t.Helper()
	if !ok {
		h.t.Fatalf("impossible: %s", what)
	}
}

// events are the facts published about an order, in order.
func (h *harness) events(id string) []proto.Message {
	h.t.Helper()
	rows, err := h.db.Query(context.Background(), `SELECT type, data FROM outbox WHERE subject = ? ORDER BY sequence`, id)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var events []proto.Message
	for rows.Next() {
		var name string
		var data []byte
		if err := rows.Scan(&name, &data); err != nil {
			h.t.Fatal(err)
		}
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(strings.Replace(name, "kerf.orders.", "kerf.orders.v1.", 1)))
		if err != nil {
			h.t.Fatal(err)
		}
		event := kind.New().Interface()
		if err := proto.Unmarshal(data, event); err != nil {
			h.t.Fatal(err)
		}
		events = append(events, event)
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
	return events
}

func names(events []proto.Message) string {
	var all []string
	for _, e := range events {
		all = append(all, string(e.ProtoReflect().Descriptor().Name()))
	}
	return strings.Join(all, " ")
}

// checkEnd is what must hold for an order that nothing is on its way for any more: I3, I5, I7, I9 and I12 of ARCHITECTURE.md.
func (h *harness) checkEnd(id string) error {
	h.world.arrive()
	o := h.order(id)
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !o.State.Terminal() {
		fail("it is still %s (furthest %s, setback %q)", o.State, o.Furthest, o.Setback)
	}
	if o.Saga != nil {
		fail("saga %s is open at %s", o.Saga.Kind, o.Saga.Step)
	}
	if o.PaymentToken != "" {
		fail("the payment token is kept")
	}
	w := h.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p, t, r := w.payment(id), w.ticket(id), w.road(id)
	if p.held() != 0 {
		fail("%d is still held", p.held())
	}
	if p.captures > 1 {
		fail("captured %d times", p.captures)
	}
	if o.Charge == nil || *o.Charge != p.captured-p.refunded {
		fail("charge %v, but captured %d and refunded %d", o.Charge, p.captured, p.refunded)
	}
	switch o.State {
	case Rejected, Cancelled:
		if t.state != kitchenapi.TicketState_TICKET_STATE_UNSPECIFIED && !t.ended() && t.state != kitchenapi.TicketState_TICKET_STATE_PICKED_UP {
			fail("the kitchen still cooks: %s", t.state)
		}
		if s := r.state.String(); s != "DELIVERY_STATE_UNSPECIFIED" && s != "DELIVERY_STATE_CANCELLED" {
			fail("a courier still drives: %s", s)
		}
	case Delivered, Undeliverable:
		if t.state == kitchenapi.TicketState_TICKET_STATE_CANCEL_PENDING {
			fail("the ticket is held for a cancel that was turned back")
		}
	}
	if len(w.broken) > 0 {
		fail("the contracts were broken: %s", strings.Join(w.broken, "; "))
	}
	return errors.Join(append(wrong, checkEvents(o, h.events(id)))...)
}

// checkEvents folds the events and compares: they begin with OrderPlaced, end once, and each cancel asked for is answered.
func checkEvents(o *Order, events []proto.Message) error {
	var asked int
	for i, e := range events {
		last := i == len(events)-1
		switch e := e.(type) {
		case *ordersapi.OrderPlaced:
			if i != 0 {
				return errors.New("placed twice")
			}
		case *ordersapi.OrderApproved:
			if slices.ContainsFunc(events[:i], func(m proto.Message) bool { _, again := m.(*ordersapi.OrderApproved); return again }) {
				return errors.New("approved twice")
			}
		case *ordersapi.CancelRequested:
			if asked++; asked > 1 {
				return errors.New("a cancel was asked for while one was under way")
			}
		case *ordersapi.CancelRefused:
			if asked--; asked < 0 {
				return errors.New("a cancel was refused that nobody asked for")
			}
		case *ordersapi.OrderCancelled:
			if asked != 1 || !last || o.State != Cancelled || e.Charge.Amount != *o.Charge {
				return fmt.Errorf("cancelled: %v in %s", e, names(events))
			}
		case *ordersapi.OrderRejected:
			if !last || o.State != Rejected {
				return fmt.Errorf("rejected: %v in %s", e, names(events))
			}
		case *ordersapi.OrderDelivered:
			if asked != 0 || !last || o.State != Delivered || e.Charge.Amount != *o.Charge {
				return fmt.Errorf("delivered: %v in %s", e, names(events))
			}
		case *ordersapi.OrderUndeliverable:
			if asked != 0 || !last || o.State != Undeliverable || e.Charge.Amount != *o.Charge {
				return fmt.Errorf("undeliverable: %v in %s", e, names(events))
			}
		}
	}
	return nil
}

func (h *harness) mustEnd(id string, state State, reason string, charge int64) {
	h.t.Helper()
	if err := h.checkEnd(id); err != nil {
		h.t.Errorf("%v\ncalls: %v\nevents: %v", err, h.world.calls, names(h.events(id)))
	}
	o := h.order(id)
	if o.State != state || o.Reason != reason || o.Charge == nil || *o.Charge != charge {
		h.t.Errorf("ended %s (%q) charge %v, want %s (%q) %d\ncalls: %v", o.State, o.Reason, show(o.Charge), state, reason, charge, h.world.calls)
	}
}

func show(n *int64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}
