package internal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"

	"kerf/modules/consumers/consumersapi"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/inbox"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
	"kerf/platform/work"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// teller is a running module, whose events come over a bus that delivers each twice.
type teller struct {
	*Service
	webtest.Client
	t        *testing.T
	clock    *clock.Manual
	contacts *contacts
	bus      *memory.Bus
	queue    *work.Queue
	stop     func()
	sequence map[string]int64 // by module and order
}

func open(t *testing.T) *teller {
	t.Helper()
	k := newTeller(t)
	k.start(databasetest.Open(t, "notifications"))
	t.Cleanup(func() { k.stop() })
	return k
}

// newTeller is one that has not started.
func newTeller(t *testing.T) *teller {
	return &teller{t: t, clock: clock.NewManual(noon), contacts: &contacts{known: map[string]*consumersapi.GetContactResponse{}}, sequence: map[string]int64{}}
}

// start runs the module as a process that has just begun on the database.
func (k *teller) start(db *database.DB) {
	k.t.Helper()
	log := slog.New(slog.DiscardHandler)
	k.queue = work.New(db, k.clock.Clock, work.Config{Workers: 4, BackOff: 4 * time.Millisecond, MaxBackOff: 50 * time.Millisecond,
		Drain: time.Second, Poll: time.Hour}, log, nil)
	k.Service = New(db, k.queue, k.clock, k.contacts, log)
	server := web.New(web.Config{Verifier: webtest.Tokens{}, Wall: k.clock.Wall})
	k.Routes(server.Echo)
	k.Client = webtest.Client{TB: k.t, Handler: server}
	k.bus = memory.New(memory.Config{Duplicate: true})
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	must(k.t, err)
	sub, err := k.bus.Subscriber("notifications")
	must(k.t, err)
	must(k.t, inbox.NewListener("notifications", db, k.Subscriptions(), inbox.Config{}, k.clock, log, nil).AddTo(router, sub))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = router.Run(ctx) })
	running.Go(func() {
		if err := k.queue.Run(ctx); err != nil {
			k.t.Error(err)
		}
	})
	<-router.Running()
	k.stop = sync.OnceFunc(func() {
		cancel()
		_ = k.bus.Close()
		running.Wait()
	})
}

// publish puts an event about an order on the bus, the next of its module, and returns its id.
func (k *teller) publish(event proto.Message) string {
	k.t.Helper()
	order := event.(interface{ GetOrderId() string }).GetOrderId()
	module := string(event.ProtoReflect().Descriptor().FullName().Parent().Parent().Name())
	k.sequence[module+order]++
	id := ids.New()
	k.send(id, k.sequence[module+order], event)
	return id
}

// send puts an event about an order on the bus.
func (k *teller) send(id string, sequence int64, event proto.Message) {
	k.t.Helper()
	order := event.(interface{ GetOrderId() string }).GetOrderId()
	module := string(event.ProtoReflect().Descriptor().FullName().Parent().Parent().Name())
	payload, err := proto.Marshal(event)
	must(k.t, err)
	name, version := bus.TypeOf(event)
	must(k.t, k.bus.Publisher().Publish(bus.Topic(module), bus.NewMessage(bus.Meta{
		ID: id, Type: name, Source: module, Subject: order, Key: order, Sequence: sequence, Time: k.clock.Now(),
		ContentType: "application/protobuf", SchemaVersion: version,
	}, payload)))
}

// all returns a recipient's notifications, oldest first.
func (k *teller) all(recipient string) []*Notification {
	k.t.Helper()
	found, err := inboxOf(k.t.Context(), k.db, recipient, "", true, 1000)
	must(k.t, err)
	for i, j := 0, len(found)-1; i < j; i, j = i+1, j-1 {
		found[i], found[j] = found[j], found[i]
	}
	return found
}

// awaitStates waits until a recipient's notifications, from the oldest on, are in these states.
func (k *teller) awaitStates(recipient string, want ...State) []*Notification {
	k.t.Helper()
	var found []*Notification
	await(k.t, "the notifications end as they should", func() bool {
		found = k.all(recipient)
		if len(found) < len(want) {
			return false
		}
		for i, n := range found {
			if len(found) > len(want) || n.State != want[i] {
				return false
			}
		}
		return true
	})
	return found
}

// awaitIdle waits until no work is due or under way.
func (k *teller) awaitIdle() {
	k.t.Helper()
	await(k.t, "no work is left", func() bool {
		d, err := k.queue.Depth(k.t.Context())
		return err == nil && d == work.Depth{}
	})
}

// contacts stands for the consumers module.
type contacts struct {
	mu    sync.Mutex
	known map[string]*consumersapi.GetContactResponse
	down  int    // calls that fail yet
	asked func() // called within each call, if set
	calls int
}

var errDown = fault.Unavailable(0, "down", "consumers is down")

func (c *contacts) GetContact(ctx context.Context, req *consumersapi.GetContactRequest) (*consumersapi.GetContactResponse, error) {
	if p, _ := identity.From(ctx); !p.Has(identity.RoleService) {
		return nil, errors.New("not asked as a module")
	}
	if database.InTransaction(ctx) {
		return nil, errors.New("asked within a transaction")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.asked != nil {
		c.asked()
	}
	if c.down > 0 {
		c.down--
		return nil, errDown
	}
	if contact := c.known[req.GetConsumerId()]; contact != nil {
		return contact, nil
	}
	return nil, fault.NotFound("consumer")
}

// consumer is somebody to tell.
func (k *teller) consumer(locale string, muted ...string) string {
	k.contacts.mu.Lock()
	defer k.contacts.mu.Unlock()
	id := ids.New()
	k.contacts.known[id] = &consumersapi.GetContactResponse{Name: "Anna Muster", Email: "anna@example.org", Locale: locale, MutedChannels: muted}
	return id
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
