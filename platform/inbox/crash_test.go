package inbox_test

import (
	"bufio"
	"context"
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
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// childEnv is set, to the folder of its databases, in the process that TestNothingIsLostOrDoneTwiceWhenKilled starts and kills.
const childEnv = "KERF_TEST_INBOX_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	writers = 4
	orders  = 5 // of each writer
)

// pair is a publisher and two listeners with a database each, as one process has them.
type pair struct {
	outbox    *outbox.Outbox
	shop      *database.DB
	listeners map[string]*database.DB
}

// openPair opens the databases, runs everything, and returns when the routers do.
func openPair(ctx context.Context, dir string) (*pair, error) {
	log, clk := slog.New(slog.DiscardHandler), clock.NewManual(time.Now())
	open := func(module string) (*database.DB, error) {
		return database.Open(ctx, module, database.Config{Driver: "sqlite", Dir: dir}, migrations.FS, log, nil)
	}
	shop, err := open("shop")
	if err != nil {
		return nil, err
	}
	p := &pair{shop: shop, outbox: outbox.New(shop, "shop", clk), listeners: map[string]*database.DB{}}
	b := memory.New(memory.Config{Groups: map[string][]string{bus.Topic("shop"): {"books", "views"}}})
	for _, group := range []string{"books", "views"} {
		db, err := open(group)
		if err != nil {
			return nil, err
		}
		p.listeners[group] = db
		if err := listen(ctx, b, group, db, clk, nil); err != nil {
			return nil, err
		}
	}
	go outbox.NewRelay(p.outbox, b.Publisher(), outbox.RelayConfig{Mark: 2 * time.Millisecond}, log, nil).Run(ctx)
	return p, nil
}

// listen runs a listener whose effects must come out once each, and in order: the primary key and the handler see to that. Unless
// handled is nil, it gets a token after each commit.
func listen(ctx context.Context, b bus.Bus, group string, db *database.DB, clk *clock.Manual, handled chan<- struct{}) error {
	err := db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(`CREATE TABLE IF NOT EXISTS effect (subject TEXT, sequence INTEGER, PRIMARY KEY (subject, sequence))`)
		return err
	})
	if err != nil {
		return err
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
	l := inbox.NewListener(group, db, []inbox.Subscription{{Module: "shop", Handlers: []inbox.Handler{inbox.On(record)}}},
		inbox.Config{}, clk, slog.New(slog.DiscardHandler), nil)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	sub, err := b.Subscriber(group)
	if err != nil {
		return err
	}
	if err := l.AddTo(router, sub); err != nil {
		return err
	}
	go router.Run(ctx)
	<-router.Running()
	return nil
}

// child writes events, and prints the name of each that it was told is durable, until it is killed.
func child(dir string) error {
	ctx := context.Background()
	p, err := openPair(ctx, dir)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				subject := fmt.Sprintf("order-%d-%d", w, i%orders)
				err := p.shop.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
					return p.outbox.Append(ctx, tx, subject, subject, known)
				})
				if err != nil {
					errs <- err
					return
				}
				fmt.Println(subject)
			}
		})
	}
	return <-errs
}

// kill runs a child on the folder, kills it after it has acknowledged some events, and adds them up by subject.
func kill(t *testing.T, dir string, acknowledged map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough := 1 + rand.IntN(400)
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		acknowledged[lines.Text()]++
		if n == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended by itself: %v, %s", err, stderr.String())
	}
}

func TestNothingIsLostOrDoneTwiceWhenKilled(t *testing.T) {
	const kills = 8
	dir := t.TempDir()
	acknowledged := map[string]int64{}
	for range kills {
		kill(t, dir, acknowledged)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p, err := openPair(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, db := range []*database.DB{p.shop, p.listeners["books"], p.listeners["views"]} {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	w := &world{TB: t}
	var counts outbox.Counts
	w.await(func() string {
		if counts, err = p.outbox.Counts(ctx); err != nil {
			t.Fatal(err)
		}
		return cmp.Diff(outbox.Counts{Written: counts.Written, Published: counts.Written, Settled: counts.Written}, counts)
	})
	written := sequences(t, p.shop, `SELECT subject, sequence FROM outbox_subject`)
	for subject, n := range acknowledged {
		if written[subject] < n {
			t.Errorf("%d events of %s were acknowledged, %d are there", n, subject, written[subject])
		}
	}
	total := int64(0)
	for _, n := range written {
		total += n
	}
	if total != counts.Written {
		t.Errorf("sequences add up to %d, %d rows were counted", total, counts.Written)
	}
	for group, db := range p.listeners {
		if diff := cmp.Diff(written, sequences(t, db, `SELECT subject, handled FROM inbox WHERE topic = 'kerf.shop.v1'`)); diff != "" {
			t.Errorf("%s consumed other events than were written: %s", group, diff)
		}
		if diff := cmp.Diff(written, sequences(t, db, `SELECT subject, count(*) FROM effect GROUP BY subject`)); diff != "" {
			t.Errorf("%s has other effects than were written: %s", group, diff)
		}
		if diff := cmp.Diff(map[string]int64{}, sequences(t, db, `SELECT event_id, 1 FROM parked`)); diff != "" {
			t.Errorf("%s has parked: %s", group, diff)
		}
	}
	t.Logf("%d kills, %d events, all of them consumed once by each group", kills, total)
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
