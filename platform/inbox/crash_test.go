package inbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/bus/kafka"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// childEnv is set, to the shape of the process, in those that tests start and kill.
const childEnv = "KERF_TEST_INBOX_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		var s shape
		err := json.Unmarshal([]byte(text), &s)
		if err == nil {
			err = child(s)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	writers = 4
	orders  = 5 // of each writer
)

// shape is how a process is put together.
type shape struct {
	Shop    string                     // the module that publishes
	Schemas map[string]database.Config // by module
	Driver  string                     // of the bus
	Broker  string                     // of Kafka
	Format  bus.Format
	Pace    time.Duration // between what a writer writes; as fast as it can if zero
}

// newShape has fresh schemas for a publisher and two listeners, and a bus in memory.
func newShape(t testing.TB, shop string) shape {
	t.Helper()
	s := shape{Shop: shop, Schemas: map[string]database.Config{}, Driver: "memory", Format: bus.Protobuf}
	dir := t.TempDir()
	for _, module := range []string{shop, "books", "views"} {
		s.Schemas[module] = databasetest.Config(t, dir, module)
	}
	return s
}

func (s shape) bus() (bus.Bus, error) {
	if s.Driver == "memory" {
		return memory.New(memory.Config{Groups: map[string][]string{bus.Topic(s.Shop): {"books", "views"}}}), nil
	}
	return kafka.New(kafka.Config{Brokers: []string{s.Broker}, Timing: kafka.Timing{
		Fetch: 100 * time.Millisecond, Heartbeat: 200 * time.Millisecond, Session: time.Second, Commit: 20 * time.Millisecond,
		Retry: 50 * time.Millisecond,
	}}, slog.New(slog.DiscardHandler), nil)
}

// pair is a publisher and two listeners with a database each, as one process has them.
type pair struct {
	outbox    *outbox.Outbox
	bus       bus.Bus
	shop      *database.DB
	listeners map[string]*database.DB
	running   sync.WaitGroup // what ends with the context
}

// openPair opens the databases, runs everything, and returns when the routers do. Unless handled is nil, it gets a token for each
// event that a listener has handled.
func openPair(ctx context.Context, s shape, handled chan<- struct{}) (*pair, error) {
	log, clk := slog.New(slog.DiscardHandler), clock.NewManual(time.Now())
	open := func(module string) (*database.DB, error) {
		return database.Open(ctx, module, s.Schemas[module], migrations.FS, log, nil)
	}
	shop, err := open(s.Shop)
	if err != nil {
		return nil, err
	}
	p := &pair{shop: shop, outbox: outbox.New(shop, s.Shop, clk), listeners: map[string]*database.DB{}}
	if p.bus, err = s.bus(); err != nil {
		return nil, err
	}
	for _, group := range []string{"books", "views"} {
		db, err := open(group)
		if err != nil {
			return nil, err
		}
		p.listeners[group] = db
		router, err := listen(p.bus, s.Shop, group, db, clk, handled)
		if err != nil {
			return nil, err
		}
		p.running.Go(func() { router.Run(ctx) })
		<-router.Running()
	}
	relay := outbox.NewRelay(p.outbox, p.bus.Publisher(), outbox.RelayConfig{Bus: s.Driver, Format: s.Format, Mark: 2 * time.Millisecond}, log, nil)
	p.running.Go(func() { relay.Run(ctx) })
	return p, nil
}

// close ends what has been told to end.
func (p *pair) close(t *testing.T) {
	t.Helper()
	p.running.Wait()
	if err := p.bus.Close(); err != nil {
		t.Error(err)
	}
	for _, db := range []*database.DB{p.shop, p.listeners["books"], p.listeners["views"]} {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// listen makes a listener whose effects must come out once each, and in order: the primary key and the handler see to that. Unless
// handled is nil, it gets a token after each commit.
func listen(b bus.Bus, shop, group string, db *database.DB, clk *clock.Manual, handled chan<- struct{}) (*message.Router, error) {
	err := db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(`CREATE TABLE IF NOT EXISTS effect (subject TEXT, sequence INTEGER, PRIMARY KEY (subject, sequence))`)
		return err
	})
	if err != nil {
		return nil, err
	}
	record := func(_ context.Context, tx *database.Tx, meta bus.Meta, _ *kerfpb.Money) error {
		var last int64
		if err := tx.QueryRow(`SELECT count(*) FROM effect WHERE subject = ?`, meta.Subject).Scan(&last); err != nil {
			return err
		}
		if meta.Sequence != last+1 {
			return fmt.Errorf("%s-%d comes after %d", meta.Subject, meta.Sequence, last)
		}
		if handled != nil {
			tx.AfterCommit(func() { handled <- struct{}{} })
		}
		_, err := tx.Exec(`INSERT INTO effect VALUES (?, ?)`, meta.Subject, meta.Sequence)
		return err
	}
	l := inbox.NewListener(group, db, []inbox.Subscription{{Module: shop, Handlers: []inbox.Handler{inbox.On(record)}}},
		inbox.Config{}, clk, slog.New(slog.DiscardHandler), nil)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	sub, err := b.Subscriber(group)
	if err != nil {
		return nil, err
	}
	return router, l.AddTo(router, sub)
}

// child writes events, and prints the name of each that it was told is durable, and a dot for each that was handled, until it is killed.
func child(s shape) error {
	ctx := context.Background()
	handled := make(chan struct{}, 1000)
	p, err := openPair(ctx, s, handled)
	if err != nil {
		return err
	}
	go func() {
		for range handled {
			fmt.Println(".")
		}
	}()
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for w := range writers {
		wg.Go(func() { errs <- p.writeFor(ctx, w, s.Pace) })
	}
	return <-errs
}

// writeFor is one writer.
func (p *pair) writeFor(ctx context.Context, writer int, pace time.Duration) error {
	tick := time.NewTicker(max(pace, 1))
	defer tick.Stop()
	for i := 0; ; i++ {
		subject := fmt.Sprintf("order-%d-%d", writer, i%orders)
		err := p.shop.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
			return p.outbox.Append(ctx, tx, subject, subject, known)
		})
		if err != nil {
			return err
		}
		fmt.Println(subject)
		if pace > 0 {
			<-tick.C
		}
	}
}

// kill runs a child, kills it when enough says so of a line that it printed, and adds up by subject what it acknowledged.
func kill(t *testing.T, s shape, acknowledged map[string]int64, enough func(line string) bool) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for killed := false; lines.Scan(); {
		if lines.Text() != "." {
			acknowledged[lines.Text()]++
		}
		if !killed && enough(lines.Text()) {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended by itself: %v, %s", err, stderr.String())
	}
}

// after is true from the nth line on that is a dot, or that is none.
func after(n int, dot bool) func(string) bool {
	return func(line string) bool {
		if (line == ".") == dot {
			n--
		}
		return n <= 0
	}
}

func TestNothingIsLostOrDoneTwiceWhenKilled(t *testing.T) {
	const kills = 8
	s := newShape(t, "shop")
	acknowledged := map[string]int64{}
	for range kills {
		kill(t, s, acknowledged, after(1+rand.IntN(400), false))
	}
	s.run(t, func(p *pair) {
		total := p.awaitQuiet(t)
		p.check(t, acknowledged)
		t.Logf("%d kills, %d events, all of them consumed once by each group", kills, total)
	})
}

// awaitQuiet waits until all that was written is published and settled, and returns how much that is.
func (p *pair) awaitQuiet(t *testing.T) (total int64) {
	t.Helper()
	(&world{TB: t}).await(func() string {
		counts, err := p.outbox.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total = counts.Written
		return cmp.Diff(outbox.Counts{Written: total, Published: total, Settled: total}, counts)
	})
	return total
}

// check compares what was acknowledged, written, consumed and done.
func (p *pair) check(t *testing.T, acknowledged map[string]int64) {
	t.Helper()
	written := sequences(t, p.shop, `SELECT subject, sequence FROM outbox_subject`)
	for subject, n := range acknowledged {
		if written[subject] < n {
			t.Errorf("%d events of %s were acknowledged, %d are there", n, subject, written[subject])
		}
	}
	for group, db := range p.listeners {
		if diff := cmp.Diff(written, sequences(t, db, `SELECT subject, handled FROM inbox`)); diff != "" {
			t.Errorf("%s consumed other events than were written: %s", group, diff)
		}
		if diff := cmp.Diff(written, sequences(t, db, `SELECT subject, count(*) FROM effect GROUP BY subject`)); diff != "" {
			t.Errorf("%s has other effects than were written: %s", group, diff)
		}
		if diff := cmp.Diff(map[string]int64{}, sequences(t, db, `SELECT event_id, 1 FROM parked`)); diff != "" {
			t.Errorf("%s has parked: %s", group, diff)
		}
	}
}

func sequences(t *testing.T, db *database.DB, query string) map[string]int64 {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		found[name] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
