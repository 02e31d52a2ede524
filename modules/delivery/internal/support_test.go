package internal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/web"
	"kerf/platform/work"
)

// bench is delivery under test, with everything real but the clock and what hears CourierMoved.
type bench struct {
	t     testing.TB
	db    *database.DB
	clock *clock.Manual
	queue *work.Queue
	moved *heardMoves
	*Service
	url  string
	keys atomic.Int64
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return newBenchOn(t, databasetest.Open(t, "delivery"), clock.NewManual(noon))
}

func newBenchOn(t testing.TB, db *database.DB, clk *clock.Manual) *bench {
	t.Helper()
	b := &bench{t: t, db: db, clock: clk, moved: &heardMoves{}}
	b.start()
	return b
}

// newTwo is two processes on one schema.
func newTwo(t testing.TB) (one, other *bench) {
	t.Helper()
	a, b := databasetest.OpenTwo(t, "delivery")
	clk := clock.NewManual(noon)
	return newBenchOn(t, a, clk), newBenchOn(t, b, clk)
}

// start makes the service anew on the same database, as after a restart.
func (b *bench) start() {
	log := slog.New(slog.DiscardHandler)
	b.queue = work.New(b.db, b.clock.Clock, work.Config{}, log, nil)
	b.Service = New(b.db, outbox.New(b.db, "delivery", b.clock), b.queue, b.clock.Clock, b.moved, Config{}, log, nil)
	server := web.New(web.Config{Verifier: tokens{}})
	b.Routes(server.Echo)
	edge := httptest.NewServer(server)
	b.t.Cleanup(edge.Close)
	b.url = edge.URL
}

// run runs something until the test ends, and fails the test if it fails.
func (b *bench) run(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(func() { cancel(); done.Wait() })
}

// tokens are "role:subject" or "role".
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (identity.Principal, error) {
	role, subject, _ := strings.Cut(token, ":")
	return identity.Principal{Subject: subject, Roles: []identity.Role{identity.Role(role)}}, nil
}

// heardMoves is a publisher that keeps what it is given.
type heardMoves struct {
	mu    sync.Mutex
	moves []*deliveryapi.CourierMoved
}

func (h *heardMoves) Publish(topic string, messages ...*message.Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range messages {
		meta, err := bus.MetaOf(m)
		if err != nil {
			return err
		}
		var event deliveryapi.CourierMoved
		if err := bus.Decode(meta.ContentType, m.Payload, &event); err != nil {
			return err
		}
		if topic != deliveryapi.PositionsTopic || meta.Type != "kerf.delivery.CourierMoved" || meta.Subject != event.CourierId {
			return fmt.Errorf("published wrongly: %s, %+v", topic, meta)
		}
		h.moves = append(h.moves, &event)
	}
	return nil
}

func (h *heardMoves) Close() error { return nil }

func (h *heardMoves) all() []*deliveryapi.CourierMoved {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*deliveryapi.CourierMoved(nil), h.moves...)
}

var asOrders = identity.With(context.Background(), identity.Service("orders"))

// scheduleRequest is a delivery from the counter to the door whose food is ready in so many minutes from now.
func (b *bench) scheduleRequest(ready time.Duration) *deliveryapi.ScheduleDeliveryRequest {
	id := ids.New()
	return &deliveryapi.ScheduleDeliveryRequest{
		OperationKey: "schedule/" + id, OrderId: id, ConsumerId: ids.New(), RestaurantId: ids.New(),
		Pickup: counter.ToProto(), Dropoff: door.ToProto(), ReadyBy: timestamppb.New(b.clock.Now().Add(ready)),
		PickupCode: "1234", DeliveryPin: "9876",
	}
}

// schedule returns the order of a new delivery.
func (b *bench) schedule(ready time.Duration) string {
	b.t.Helper()
	req := b.scheduleRequest(ready)
	if _, err := b.ScheduleDelivery(asOrders, req); err != nil {
		b.t.Fatal(err)
	}
	return req.OrderId
}

func (b *bench) cancel(orderID string) error {
	_, err := b.CancelDelivery(asOrders, &deliveryapi.CancelDeliveryRequest{
		OperationKey: fmt.Sprint("cancel/", b.keys.Add(1)), OrderId: orderID, Reason: "asked",
	})
	return err
}

// courier returns the id of a new courier on shift at a place.
func (b *bench) courier(at geo.Position) string {
	b.t.Helper()
	id := ids.New()
	b.want(201, b.as(id).post("/v1/couriers", `{"name":"Ann"}`))
	b.want(200, b.as(id).post("/v1/couriers/"+id+"/shift", positionJSON(at)))
	return id
}

func positionJSON(at geo.Position) string {
	return fmt.Sprintf(`{"position":{"latitude":%v,"longitude":%v}}`, at.Latitude, at.Longitude)
}

// round runs one dispatch round.
func (b *bench) round() int {
	b.t.Helper()
	left, err := b.Round(context.Background(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return left
}

// reach brings an order with one courier to a state, and returns both.
func (b *bench) reach(state State) (orderID, courierID string) {
	b.t.Helper()
	orderID, courierID = b.schedule(0), b.courier(counter)
	if state == Unassigned {
		return orderID, courierID
	}
	b.round()
	b.advance(orderID, courierID, state)
	return orderID, courierID
}

// advance has a courier do what leads from an offer to a state.
func (b *bench) advance(orderID, courierID string, state State) {
	b.t.Helper()
	b.advanceFrom(orderID, courierID, Offered, state)
}

func (b *bench) advanceFrom(orderID, courierID string, from, state State) {
	b.t.Helper()
	begun := false
	for _, s := range []struct {
		reached State
		path    string
		body    string
	}{
		{Offered, "acceptance", `{}`}, {Assigned, "arrival-at-pickup", `{}`}, {AtPickup, "pickup", `{"code":"1234"}`},
		{PickedUp, "arrival-at-dropoff", `{}`}, {AtDropoff, "dropoff", `{"pin":"9876"}`},
	} {
		if s.reached == state {
			return
		}
		if begun = begun || s.reached == from; !begun {
			continue
		}
		b.want(200, b.as(courierID).act(orderID, s.path, s.body))
	}
}

// delivery and row are what lies in the tables.
func (b *bench) delivery(orderID string) *Delivery {
	b.t.Helper()
	d, err := scanDelivery(b.db.QueryRow(context.Background(), selectDelivery, orderID))
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

func (b *bench) row(courierID string) *Courier {
	b.t.Helper()
	c, err := scanCourier(b.db.QueryRow(context.Background(), selectCourier, courierID))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) wantState(orderID string, state State) {
	b.t.Helper()
	if d := b.delivery(orderID); d.State != state {
		b.t.Errorf("the delivery is %s (%s), want %s", d.State, d.Reason, state)
	}
}

func (b *bench) wantCourier(courierID string, state CourierState) {
	b.t.Helper()
	if c := b.row(courierID); c.State != state || (c.OrderID != "") != (state == Busy) {
		b.t.Errorf("the courier is %s with %q, want %s", c.State, c.OrderID, state)
	}
}

// wantConsistent asks the audit whether the two tables say the same.
func (b *bench) wantConsistent() {
	b.t.Helper()
	found, err := b.Audit(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	if n := found["courier_disagreements"]; n != 0 {
		b.t.Errorf("%d disagreements between couriers and deliveries", n)
	}
}

// published are the events about an order, in order.
func (b *bench) published(orderID string) []proto.Message {
	b.t.Helper()
	return b.query(`SELECT type, data FROM outbox WHERE key = ? AND subject = key ORDER BY sequence`, orderID)
}

// query decodes events from the outbox.
func (b *bench) query(query string, args ...any) []proto.Message {
	b.t.Helper()
	rows, err := b.db.Query(context.Background(), query, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var found []proto.Message
	for rows.Next() {
		var name string
		var data []byte
		if err := rows.Scan(&name, &data); err != nil {
			b.t.Fatal(err)
		}
		full := protoreflect.FullName(strings.Replace(name, "kerf.delivery.", "kerf.delivery.v1.", 1))
		kind, err := protoregistry.GlobalTypes.FindMessageByName(full)
		if err != nil {
			b.t.Fatal(err)
		}
		event := kind.New().Interface()
		if err := proto.Unmarshal(data, event); err != nil {
			b.t.Fatal(err)
		}
		found = append(found, event)
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return found
}

// names are the events about an order by name.
func (b *bench) names(orderID string) string {
	b.t.Helper()
	var names []string
	for _, event := range b.published(orderID) {
		names = append(names, string(event.ProtoReflect().Descriptor().Name()))
	}
	return strings.Join(names, " ")
}

// caller sends requests with a token.
type caller struct {
	b     *bench
	token string
}

// as is a courier's app.
func (b *bench) as(courierID string) caller { return caller{b, "courier:" + courierID} }

func (b *bench) by(token string) caller { return caller{b, token} }

type reply struct {
	status int
	header http.Header
	body   string
}

// field reads a member of the body, such as delivery.state.
func (r reply) field(path string) any {
	var value any
	if json.Unmarshal([]byte(r.body), &value) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func (c caller) send(method, path, body string, headers ...string) reply {
	c.b.t.Helper()
	request, err := http.NewRequest(method, c.b.url+path, bytes.NewBufferString(body))
	if err != nil {
		c.b.t.Fatal(err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.b.t.Error(err)
		return reply{}
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		c.b.t.Error(err)
	}
	return reply{answer.StatusCode, answer.Header, string(content)}
}

func (c caller) get(path string, headers ...string) reply {
	c.b.t.Helper()
	return c.send(http.MethodGet, path, "", headers...)
}

// post sends a command with a key of its own.
func (c caller) post(path, body string, headers ...string) reply {
	c.b.t.Helper()
	key := ids.New()
	return c.send(http.MethodPost, path, body, append([]string{"Idempotency-Key", key}, headers...)...)
}

func (c caller) act(orderID, action, body string) reply {
	c.b.t.Helper()
	return c.post("/v1/deliveries/"+orderID+"/"+action, body)
}

func (c caller) report(courierID string, at geo.Position, sequence int64) reply {
	c.b.t.Helper()
	body := fmt.Sprintf(`{"position":{"latitude":%v,"longitude":%v},"sequence":%d}`, at.Latitude, at.Longitude, sequence)
	return c.send(http.MethodPut, "/v1/couriers/"+courierID+"/location", body)
}

func (b *bench) want(status int, r reply) reply {
	b.t.Helper()
	if r.status != status {
		b.t.Fatalf("answered %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// wantProblem checks a refusal by status and code.
func (b *bench) wantProblem(r reply, status int, code string) {
	b.t.Helper()
	if r.status != status || r.field("code") != code {
		b.t.Errorf("answered %d %v, want %d %s: %s", r.status, r.field("code"), status, code, r.body)
	}
}

func (b *bench) wantKind(err error, kind fault.Kind) {
	b.t.Helper()
	if fault.KindOf(err) != kind {
		b.t.Errorf("got %v, want %s", err, kind)
	}
}

// await returns when condition holds, and fails the test if it does not within some seconds.
func (b *bench) await(what string, condition func() bool) {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			b.t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
