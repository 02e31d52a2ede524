package internal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/tracking/trackingapi"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
	"kerf/platform/inbox"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// tracker is a running module: its events come over a bus, its streams go over real connections.
type tracker struct {
	*Service
	t         *testing.T
	clock     *clock.Manual
	publisher message.Publisher
	books     *books
	web       *web.Server
	url       string
	end       func() // ends the module, as the test's end does
}

func open(t *testing.T) *tracker {
	t.Helper()
	return openOn(t, databasetest.Open(t, "tracking"), newBooks())
}

// openOn is open on a schema, and with what was published before.
func openOn(t *testing.T, db *database.DB, b *books) *tracker {
	t.Helper()
	clk := clock.NewManual(noon)
	log := slog.New(slog.DiscardHandler)
	messages := memory.New(memory.Config{Duplicate: true})
	positions, err := messages.Subscriber("")
	must(t, err)
	k := &tracker{
		Service: New(db, clk, positions, b.logs(), log), t: t, clock: clk, publisher: messages.Publisher(), books: b,
		web: web.New(web.Config{Verifier: webtest.Tokens{}, Wall: clk.Wall}),
	}
	k.Routes(k.web.Echo)
	server := httptest.NewServer(k.web)
	k.url = server.URL
	k.run(messages)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return k
}

// run has the module hear what is on the bus until the test ends.
func (k *tracker) run(messages *memory.Bus) {
	k.t.Helper()
	listener := inbox.NewListener("tracking", k.db, k.Subscriptions(), inbox.Config{}, k.clock, k.log, nil)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	must(k.t, err)
	sub, err := messages.Subscriber("tracking")
	must(k.t, err)
	must(k.t, listener.AddTo(router, sub))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = router.Run(ctx) })
	running.Go(func() {
		if err := k.Run(ctx); err != nil {
			k.t.Error(err)
		}
	})
	k.end = sync.OnceFunc(func() {
		stop()
		_ = messages.Close()
		running.Wait()
	})
	k.t.Cleanup(k.end)
	<-router.Running()
	await(k.t, "the schema's age is known", func() bool {
		now, err := readShowing(k.db.QueryRow(k.t.Context(), selectShowing))
		return err == nil && now.looked
	})
}

// publish puts an event of an order on the bus, the next of its source.
func (k *tracker) publish(event proto.Message) {
	k.t.Helper()
	order := event.(interface{ GetOrderId() string }).GetOrderId()
	source := sourceOf(event)
	k.send(bus.Topic(string(source)), order, k.books.next(source, order), event)
}

func (k *tracker) publishAll(events ...proto.Message) {
	k.t.Helper()
	for _, e := range events {
		k.publish(e)
	}
}

func (k *tracker) send(topic, subject string, sequence int64, event proto.Message) {
	k.t.Helper()
	meta, payload := written(event, subject, sequence, k.clock.Now())
	must(k.t, k.publisher.Publish(topic, bus.NewMessage(meta, payload)))
	k.books.write(meta, payload) // after it was published, as a relay does
}

// written is an event as its module writes it down.
func written(event proto.Message, subject string, sequence int64, now time.Time) (bus.Meta, []byte) {
	payload, err := proto.Marshal(event)
	if err != nil {
		panic(err)
	}
	name, version := bus.TypeOf(event)
	return bus.Meta{
		ID: ids.New(), Type: name, Source: string(sourceOf(event)), Subject: subject, Key: subject, Sequence: sequence, Time: now,
		ContentType: "application/protobuf", SchemaVersion: version,
	}, payload
}

// move reports where a courier is, at a second after noon.
func (k *tracker) move(courier string, second int, orders ...string) {
	k.t.Helper()
	k.send(deliveryapi.PositionsTopic, courier, int64(second), &deliveryapi.CourierMoved{
		CourierId: courier, Position: placed.GetAddress(), Sequence: int64(second), OrderIds: orders, Time: minute(second),
	})
}

// of is an event of another order.
func of[E proto.Message](order string, event E) E {
	e := proto.CloneOf(event)
	m := e.ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName("order_id"), protoreflect.ValueOfString(order))
	return e
}

// awaitSequence waits until an order's view is made of n events.
func (k *tracker) awaitSequence(order string, n int64) *trackingapi.View {
	k.t.Helper()
	var v *trackingapi.View
	await(k.t, fmt.Sprintf("%d events in the view of %s", n, order), func() bool {
		v, _ = read(k.t.Context(), k.db, order)
		return v.GetSequence() == n
	})
	return v
}

func (k *tracker) write(f func(tx *database.Tx) error) {
	k.t.Helper()
	must(k.t, k.db.Write(k.t.Context(), func(_ context.Context, tx *database.Tx) error { return f(tx) }))
}

const (
	diner   = "consumer+" + consumerID
	cook    = "restaurant+staff+" + restaurantID
	rider   = "courier+" + courierID
	support = "support+ann"
)

// answer is what the public API answered.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (k *tracker) get(token, path string, headers ...string) answer {
	k.t.Helper()
	return k.answerOf(k.ask(k.t.Context(), token, path, headers...))
}

func (k *tracker) do(req *http.Request) answer {
	k.t.Helper()
	res, err := http.DefaultClient.Do(req)
	must(k.t, err)
	return k.answerOf(res)
}

func (k *tracker) answerOf(res *http.Response) answer {
	k.t.Helper()
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(k.t, err)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if len(raw) > 0 {
		must(k.t, json.Unmarshal(raw, &a.body))
	}
	return a
}

func (k *tracker) ask(ctx context.Context, token, path string, headers ...string) *http.Response {
	k.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url+path, nil)
	must(k.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	must(k.t, err)
	return res
}

// stream is a client of a live stream.
type stream struct {
	t     *testing.T
	lines *bufio.Reader
	leave func()
}

// event is one event of a stream.
type event struct {
	id, name string
	data     map[string]any
}

// follow opens a stream; last is the Last-Event-ID, "" for none.
func (k *tracker) follow(token, path, last string) *stream {
	k.t.Helper()
	ctx, cancel := context.WithCancel(k.t.Context())
	res := k.ask(ctx, token, path, "Last-Event-ID", last)
	k.t.Cleanup(func() { cancel(); _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		k.t.Fatalf("%s: %s", path, res.Status)
	}
	return &stream{t: k.t, lines: bufio.NewReader(res.Body), leave: cancel}
}

// next reads an event; false at the end of the stream.
func (s *stream) next() (event, bool) {
	s.t.Helper()
	var e event
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, false
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			must(s.t, json.Unmarshal([]byte(value), &e.data))
		case "":
			if e.name != "" {
				return e, true
			}
		}
	}
}

// any reads an event.
func (s *stream) any() event {
	s.t.Helper()
	e, open := s.next()
	if !open {
		s.t.Fatal("the stream has ended")
	}
	return e
}

// want reads an event of a name and id.
func (s *stream) want(name, id string) event {
	s.t.Helper()
	e, open := s.next()
	if !open || e.name != name || e.id != id {
		s.t.Fatalf("the stream (open: %v) has %s %q %v, want %s %q", open, e.name, e.id, e.data, name, id)
	}
	return e
}

// wantSequence reads a view of the stream of all orders, whose ids are positions.
func (s *stream) wantSequence(n int) {
	s.t.Helper()
	if e := s.any(); e.name != "view" || e.data["sequence"] != float64(n) {
		s.t.Fatalf("the stream has %s %q %v, want sequence %d", e.name, e.id, e.data, n)
	}
}

func (s *stream) wantEnd() {
	s.t.Helper()
	if e, open := s.next(); open {
		s.t.Fatalf("the stream goes on with %+v", e)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
