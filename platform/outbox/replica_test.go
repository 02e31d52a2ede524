package outbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// replicaEnv is set, to what the replica is given, in the processes that tests start, kill and stop.
const replicaEnv = "KERF_TEST_OUTBOX_REPLICA"

func TestMain(m *testing.M) {
	if text := os.Getenv(replicaEnv); text != "" {
		var r replica
		err := json.Unmarshal([]byte(text), &r)
		if err == nil {
			err = r.run()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// replica is one of several processes with the same schema.
type replica struct {
	Name   string
	Schema database.Config
	Bus    string // path of the file that all publish to
	Pace   time.Duration
}

// fileBus is a bus that stores messages, of several processes: a file to which each call adds its messages as lines, in one piece.
type fileBus struct {
	name string
	file *os.File
}

func openFileBus(name, path string) (*fileBus, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &fileBus{name, file}, err
}

func (b *fileBus) Publish(_ string, messages ...*message.Message) error {
	var lines strings.Builder
	for _, msg := range messages {
		meta, err := bus.MetaOf(msg)
		if err != nil {
			return err
		}
		fmt.Fprintln(&lines, b.name, meta.Subject, meta.Sequence)
	}
	_, err := b.file.WriteString(lines.String())
	return err
}

func (b *fileBus) Close() error { return b.file.Close() }

// run publishes when it is this replica's turn, and writes events itself. It prints the subject of each that it was told is durable.
func (r replica) run() error {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, "shop", r.Schema, migrations.FS, log, nil)
	if err != nil {
		return err
	}
	b, err := openFileBus(r.Name, r.Bus)
	if err != nil {
		return err
	}
	o := outbox.New(db, "shop", clock.NewManual(time.Now()))
	go outbox.NewRelay(o, b, outbox.RelayConfig{Bus: "kafka"}, log, nil).Run(ctx)
	fmt.Println("ready")
	if r.Pace == 0 {
		select {}
	}
	tick := time.NewTicker(r.Pace)
	for i := 0; ; i++ {
		<-tick.C
		subject := fmt.Sprint(r.Name, "-", i%3)
		err := db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
			return o.Append(ctx, tx, subject, subject, &kerfpb.Money{Amount: 1})
		})
		if err != nil {
			continue // what is unknown is not acknowledged
		}
		fmt.Println(subject)
	}
}

// crew are the replicas of a test.
type crew struct {
	*testing.T
	replica // what they have in common

	mu           sync.Mutex
	started      int
	members      map[string]*exec.Cmd
	acknowledged map[string]int64
	reading      sync.WaitGroup
}

func newCrew(t *testing.T) *crew {
	c := &crew{T: t, members: map[string]*exec.Cmd{}, acknowledged: map[string]int64{}}
	c.replica = replica{Schema: databasetest.Postgres(t, t.TempDir(), "shop"), Bus: t.TempDir() + "/bus", Pace: 2 * time.Millisecond}
	return c
}

// start adds a replica, and returns when it is ready.
func (c *crew) start() {
	c.Helper()
	c.started++
	r := c.replica
	r.Name = fmt.Sprint("r", c.started)
	text, err := json.Marshal(r)
	if err != nil {
		c.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), replicaEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	c.members[r.Name] = cmd
	c.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		c.Fatalf("%s does not come up: %q", r.Name, lines.Text())
	}
	c.reading.Go(func() {
		for lines.Scan() {
			c.mu.Lock()
			c.acknowledged[lines.Text()]++
			c.mu.Unlock()
		}
	})
}

// kill ends a replica, as the system does when memory runs out.
func (c *crew) kill(name string) {
	c.Helper()
	cmd := c.members[name]
	delete(c.members, name)
	if err := cmd.Process.Kill(); err != nil {
		c.Fatal(err)
	}
}

func (c *crew) signal(name string, s syscall.Signal) {
	c.Helper()
	if err := c.members[name].Process.Signal(s); err != nil {
		c.Fatal(err)
	}
}

// line is an event on the bus.
type line struct {
	publisher, subject string
	sequence           int64
}

// heard returns what is on the bus.
func (c *crew) heard() (lines []line) {
	c.Helper()
	data, err := os.ReadFile(c.Bus)
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	for text := range strings.Lines(string(data)) {
		var l line
		if _, err := fmt.Sscan(text, &l.publisher, &l.subject, &l.sequence); err != nil {
			c.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// awaitPublisher waits until somebody but the named ones publishes, some more than one batch, and returns who.
func (c *crew) awaitPublisher(but ...string) (name string) {
	c.Helper()
	before := len(c.heard())
	await(c.T, func() string {
		n := 0
		for _, l := range c.heard()[before:] {
			if !slices.Contains(but, l.publisher) {
				name = l.publisher
				n++
			}
		}
		if n < 100 {
			return fmt.Sprintf("%d events of others than %v", n, but)
		}
		return ""
	})
	return name
}

func TestReplicasTakeOverFromOneThatIsKilledOrStopped(t *testing.T) {
	c := newCrew(t)
	c.start()
	c.start()
	holder := c.awaitPublisher()
	for range 4 {
		c.kill(holder)
		killed, began := holder, time.Now()
		holder = c.awaitPublisher(killed)
		t.Logf("%s publishes, %v after %s was killed", holder, time.Since(began).Round(time.Millisecond), killed)
		c.start()
	}
	for range 2 { // in the middle of whatever it does
		c.signal(holder, syscall.SIGSTOP)
		stopped, began := holder, time.Now()
		holder = c.awaitPublisher(stopped)
		t.Logf("%s publishes, %v after %s was stopped", holder, time.Since(began).Round(time.Millisecond), stopped)
		c.signal(stopped, syscall.SIGCONT)
		c.awaitPublisher()
	}
	for name := range c.members {
		c.kill(name)
	}
	c.reading.Wait()
	c.finish()
}

// finish publishes what the replicas have left, and checks what is on the bus and in the log.
func (c *crew) finish() {
	c.Helper()
	db := c.open()
	s := &shop{T: c.T, db: db, clock: clock.NewManual(time.Now())}
	s.Outbox = outbox.New(db, "shop", s.clock)
	b, err := openFileBus("last", c.Bus)
	if err != nil {
		c.Fatal(err)
	}
	s.relay(b, on("kafka"))
	await(c.T, func() string {
		counts := s.counts()
		return cmp.Diff(outbox.Counts{Written: counts.Written, Published: counts.Written, Settled: counts.Written}, counts)
	})
	written := c.written(db)
	for subject, n := range c.acknowledged {
		if written[subject] < n {
			c.Errorf("%d events of %s were acknowledged, %d are there", n, subject, written[subject])
		}
	}
	lines := c.heard()
	heard := map[string]int64{}
	for _, l := range lines {
		if l.sequence > heard[l.subject]+1 {
			c.Errorf("the bus has %s-%d after %d", l.subject, l.sequence, heard[l.subject])
		}
		heard[l.subject] = max(heard[l.subject], l.sequence) // what was published before may come again
	}
	logged := map[string]int64{}
	for _, e := range s.entries(1000) {
		if e.Meta.Sequence != logged[e.Meta.Subject]+1 {
			c.Errorf("the log has %s-%d after %d", e.Meta.Subject, e.Meta.Sequence, logged[e.Meta.Subject])
		}
		logged[e.Meta.Subject] = e.Meta.Sequence
	}
	for what, has := range map[string]map[string]int64{"the bus": heard, "the log": logged} {
		if diff := cmp.Diff(written, has); diff != "" {
			c.Errorf("%s has other events than were written: %s", what, diff)
		}
	}
	c.Logf("%d events, %d on the bus", s.counts().Written, len(lines))
}

// open opens the schema as one more process.
func (c *crew) open() *database.DB {
	c.Helper()
	db, err := database.Open(c.Context(), "shop", c.Schema, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		if err := db.Close(); err != nil {
			c.Error(err)
		}
	})
	return db
}

// written returns how many events each subject has had.
func (c *crew) written(db *database.DB) map[string]int64 {
	c.Helper()
	rows, err := db.Query(c.Context(), `SELECT subject, sequence FROM outbox_subject`)
	if err != nil {
		c.Fatal(err)
	}
	defer rows.Close()
	written := map[string]int64{}
	for rows.Next() {
		var subject string
		var n int64
		if err := rows.Scan(&subject, &n); err != nil {
			c.Fatal(err)
		}
		written[subject] = n
	}
	if err := rows.Err(); err != nil {
		c.Fatal(err)
	}
	return written
}
