package inbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// world is a module shop that publishes, a module books that listens, and a bus between them. Events of type Money are what books
// handles, those of type Position it does not know.
type world struct {
	testing.TB
	dir      string
	clock    *clock.Manual
	bus      *memory.Bus
	shop     *database.DB
	books    *database.DB
	outbox   *outbox.Outbox
	listener *inbox.Listener

	mu      sync.Mutex
	failing map[string]error // by subject
	calls   int
}

const effectTable = `CREATE TABLE IF NOT EXISTS effect (number INTEGER PRIMARY KEY, subject TEXT, sequence INTEGER)`

// quick retries at once.
var quick = inbox.Config{Attempts: 3, FirstRetry: time.Millisecond, LongestRetry: 2 * time.Millisecond}

func newWorld(t testing.TB, b memory.Config, cfg inbox.Config) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), b, cfg)
}

func newWorldIn(t testing.TB, dir string, b memory.Config, cfg inbox.Config) *world {
	t.Helper()
	w := &world{TB: t, dir: dir, clock: clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), failing: map[string]error{}}
	b.Groups = map[string][]string{bus.Topic("shop"): {"books"}}
	w.bus = memory.New(b)
	w.shop = databasetest.OpenIn(t, dir, "shop", migrations.FS)
	w.books = databasetest.OpenIn(t, dir, "books", migrations.FS, effectTable)
	w.outbox = outbox.New(w.shop, "shop", w.clock)
	w.run("books", w.newListener(cfg, slog.New(slog.DiscardHandler)))
	w.start(func(ctx context.Context) error {
		return outbox.NewRelay(w.outbox, w.bus.Publisher(), outbox.RelayConfig{Poll: 20 * time.Millisecond, Mark: time.Millisecond},
			slog.New(slog.DiscardHandler), nil).Run(ctx)
	})
	t.Cleanup(func() {
		if err := w.bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// newListener makes another listener of books.
func (w *world) newListener(cfg inbox.Config, log *slog.Logger) *inbox.Listener {
	w.listener = inbox.NewListener("books", w.books, []inbox.Subscription{{Module: "shop", Handlers: []inbox.Handler{inbox.On(w.handle)}}},
		cfg, w.clock, log, nil)
	return w.listener
}

// run has a router bring messages to the listener.
func (w *world) run(group string, l *inbox.Listener) {
	w.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		w.Fatal(err)
	}
	sub, err := w.bus.Subscriber(group)
	if err != nil {
		w.Fatal(err)
	}
	if err := l.AddTo(router, sub); err != nil {
		w.Fatal(err)
	}
	w.start(router.Run)
	<-router.Running()
}

// start runs f until the test ends, and waits for it.
func (w *world) start(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f(ctx); err != nil {
			w.Error(err)
		}
	}()
	w.Cleanup(func() {
		cancel()
		<-ended
	})
}

// handle writes what it is given, unless it is to fail.
func (w *world) handle(_ context.Context, tx *database.Tx, meta bus.Meta, _ *kerfpb.Money) error {
	if _, err := tx.Exec(`INSERT INTO effect (subject, sequence) VALUES (?, ?)`, meta.Subject, meta.Sequence); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	return w.failing[meta.Subject]
}

func (w *world) fail(subject string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing[subject] = err
}

func (w *world) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

var (
	known = &kerfpb.Money{Amount: 1, Currency: "EUR"}
	alien = &kerfpb.Position{Latitude: 1}
)

// write has shop publish the event about the subject, whose key is the given one.
func (w *world) write(key, subject string, event proto.Message) {
	w.Helper()
	err := w.shop.Write(w.Context(), func(ctx context.Context, tx *database.Tx) error {
		return w.outbox.Append(ctx, tx, key, subject, event)
	})
	if err != nil {
		w.Fatal(err)
	}
}

// publish puts a message on the bus past the outbox.
func (w *world) publish(msg *message.Message) {
	w.Helper()
	if err := w.bus.Publisher().Publish(bus.Topic("shop"), msg); err != nil {
		w.Fatal(err)
	}
}

// event is a message as the relay would make it.
func event(subject string, sequence int64) *message.Message {
	eventType, version := bus.TypeOf(known)
	payload, err := proto.Marshal(known)
	if err != nil {
		panic(err)
	}
	return bus.NewMessage(bus.Meta{
		ID: fmt.Sprintf("%s-%d", subject, sequence), Type: eventType, Source: "shop", Subject: subject, Key: subject, Sequence: sequence,
		Time: time.Unix(0, 0), ContentType: bus.Protobuf.ContentType(), SchemaVersion: version,
	}, payload)
}

// effects returns what the handler has written, in order, of the given subjects, or of all.
func (w *world) effects(subjects ...string) []string {
	w.Helper()
	rows, err := w.books.Query(w.Context(), `SELECT subject, sequence FROM effect ORDER BY number`)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var subject string
		var sequence int64
		if err := rows.Scan(&subject, &sequence); err != nil {
			w.Fatal(err)
		}
		if len(subjects) == 0 || slices.Contains(subjects, subject) {
			list = append(list, fmt.Sprintf("%s-%d", subject, sequence))
		}
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return list
}

func (w *world) awaitEffects(want ...string) {
	w.Helper()
	w.await(func() string { return cmp.Diff(want, w.effects()) })
}

func (w *world) counts() inbox.Counts {
	w.Helper()
	counts, err := w.listener.Counts(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return counts
}

func (w *world) awaitCounts(consumed, parked, dropped int64) {
	w.Helper()
	want := inbox.Counts{Consumed: map[string]int64{"shop": consumed}, Parked: parked, Dropped: dropped}
	w.await(func() string { return cmp.Diff(want, w.counts()) })
}

func (w *world) parked() []inbox.Parked {
	w.Helper()
	list, err := w.listener.List(w.Context(), "", 100)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

// await polls until there is no difference.
func (w *world) await(difference func() string) {
	w.Helper()
	deadline := time.NewTimer(time.Minute) // a group that was killed on Kafka needs some
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		diff := difference()
		if diff == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			w.Fatalf("still: %s", diff)
		}
	}
}
