package work_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kerf/migrations"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/work"
)

// replicaVariable makes the test's binary be one of several processes with the same schema.
const replicaVariable = "WORK_TEST_REPLICA"

// replica is what such a process is given.
type replica struct {
	Name   string
	Schema database.Config
	Diary  string // path of the file in which all note when they begin and end
}

var kinds = []string{"place", "cancel"}

// note adds a line to the diary, in one piece.
func note(diary, name, what, key string) error {
	file, err := os.OpenFile(diary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s %s %s\n", name, what, key)
	return errors.Join(err, file.Close())
}

// open opens the schema and the queue, whose items have an effect that must come once and must not overlap with others of its key.
func (r replica) open(ctx context.Context) (*database.DB, *work.Queue, error) {
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, "orders", r.Schema, migrations.FS, log, nil)
	if err != nil {
		return nil, nil, err
	}
	err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(`CREATE TABLE IF NOT EXISTS effect (key TEXT PRIMARY KEY, n BIGINT NOT NULL)`)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	clk, err := clock.New(clock.List{{Wall: now, Domain: now, Speed: 1}})
	if err != nil {
		return nil, nil, err
	}
	queue := work.New(db, clk, work.Config{Workers: 4, Poll: time.Second}, log, nil)
	for _, kind := range kinds {
		queue.Handle(kind, work.Wall, func(ctx context.Context, c *work.Claim) error {
			if err := note(r.Diary, r.Name, "begins", c.Key); err != nil {
				return err
			}
			<-time.After(rand.N(20 * time.Millisecond))
			err := c.Record(ctx, func(_ context.Context, tx *database.Tx) error {
				c.Finish(tx)
				if err := effect(tx, kind+" "+c.Key); err != nil {
					return err
				}
				return note(r.Diary, r.Name, "ends", c.Key) // what comes after it, in the diary, is the next of the key
			})
			if errors.Is(err, work.ErrLeaseLost) {
				return errors.Join(err, note(r.Diary, r.Name, "lost", c.Key))
			}
			return err
		})
	}
	return db, queue, nil
}

// schedule asks for work of two kinds under a key of its own.
func (r replica) schedule(ctx context.Context, db *database.DB, queue *work.Queue, key string) error {
	return db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		var errs []error
		for _, kind := range kinds {
			due := time.Now().Add(rand.N(60*time.Millisecond) - 30*time.Millisecond) // at once, or soon
			errs = append(errs, queue.Schedule(tx, kind, key, due, nil))
		}
		return errors.Join(errs...)
	})
}

// run handles items, and schedules some, until it is killed. It prints each key that it was told is durable.
func (r replica) run() error {
	ctx := context.Background()
	db, queue, err := r.open(ctx)
	if err != nil {
		return err
	}
	go queue.Run(ctx)
	fmt.Println("ready")
	for i := 0; ; i++ {
		key := fmt.Sprint(r.Name, "-", i)
		if r.schedule(ctx, db, queue, key) == nil {
			fmt.Println(key)
		}
		<-time.After(4 * time.Millisecond)
	}
}

// crew are the replicas of a test.
type crew struct {
	*testing.T
	replica // what they have in common

	started      int
	members      map[string]*exec.Cmd
	acknowledged []string
	mu           sync.Mutex
	reading      sync.WaitGroup
}

// start adds a replica, and returns its name when it is ready.
func (c *crew) start() string {
	c.Helper()
	c.started++
	r := c.replica
	r.Name = fmt.Sprint("r", c.started)
	text, err := json.Marshal(r)
	if err != nil {
		c.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), replicaVariable+"="+string(text)), os.Stderr
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
			c.acknowledged = append(c.acknowledged, lines.Text())
			c.mu.Unlock()
		}
	})
	return r.Name
}

// kill ends a replica. What it had begun is ended by nobody.
func (c *crew) kill(name string) {
	c.Helper()
	c.note(name, "killed")
	if err := c.members[name].Process.Kill(); err != nil {
		c.Fatal(err)
	}
	delete(c.members, name)
}

func (c *crew) signal(name string, s syscall.Signal) {
	c.Helper()
	if err := c.members[name].Process.Signal(s); err != nil {
		c.Fatal(err)
	}
}

func (c *crew) note(name, what string) {
	c.Helper()
	if err := note(c.Diary, name, what, "-"); err != nil {
		c.Fatal(err)
	}
}

// entry is a line of the diary.
type entry struct{ name, what, key string }

func (c *crew) entries() (entries []entry) {
	c.Helper()
	data, err := os.ReadFile(c.Diary)
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e entry
		if _, err := fmt.Sscan(line, &e.name, &e.what, &e.key); err != nil {
			c.Fatalf("%q: %v", line, err)
		}
		entries = append(entries, e)
	}
	return entries
}

// awaitTaken waits until nothing is left of what the named one had scheduled, in hand or not.
func (c *crew) awaitTaken(db *database.DB, name string) {
	c.Helper()
	c.await("others handle what was "+name+"'s", func() bool {
		var n int
		if err := db.QueryRow(c.Context(), `SELECT count(*) FROM work WHERE key LIKE ?`, name+"-%").Scan(&n); err != nil {
			c.Fatal(err)
		}
		return n == 0
	})
}

func (c *crew) await(what string, ok func() bool) {
	c.Helper()
	(&bench{T: c.T}).await(what, ok)
}

func TestReplicasShareTheWorkAndTakeOverWhatOthersLeave(t *testing.T) {
	c := &crew{T: t, members: map[string]*exec.Cmd{}}
	c.replica = replica{Name: "last", Schema: databasetest.Postgres(t, t.TempDir(), "orders"), Diary: t.TempDir() + "/diary"}
	db, queue, err := c.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	names := []string{c.start(), c.start()}
	c.await("both handle items", func() bool { return len(c.entries()) > 500 })
	for range 4 {
		began := time.Now()
		c.kill(names[0])
		c.awaitTaken(db, names[0])
		t.Logf("what %s left is handled after %v", names[0], time.Since(began).Round(time.Millisecond))
		names = []string{names[1], c.start()}
	}
	began := time.Now()
	c.signal(names[0], syscall.SIGSTOP)
	c.note(names[0], "stopped")
	c.awaitTaken(db, names[0])
	t.Logf("what %s had when it was stopped is handled after %v", names[0], time.Since(began).Round(time.Millisecond))
	c.signal(names[0], syscall.SIGCONT)
	n := len(c.entries())
	c.await(names[0]+" works again", func() bool {
		return slices.ContainsFunc(c.entries()[n:], func(e entry) bool { return e.name == names[0] && e.what == "begins" })
	})
	for _, name := range names {
		c.kill(name)
	}
	c.reading.Wait()

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(ctx) }()
	c.await("nothing is left", func() bool {
		depth, err := queue.Depth(t.Context())
		return err == nil && depth == work.Depth{}
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.check(db)
}

// A process that was stopped for a while may have been taken for dead, and what it had claimed and not begun may be in other hands.
func TestAClaimThatWaitedIsCheckedBeforeItBegins(t *testing.T) {
	db, _ := databasetest.OpenTwo(t, "orders")
	b := &bench{T: t, db: db, clock: clock.NewManual(noon)}
	b.queue = b.newQueue(work.Config{Workers: 1, Poll: 24 * time.Hour})
	begun, goOn := make(chan string, 4), make(chan struct{})
	b.queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		begun <- c.Key
		<-goOn
		return nil
	})
	b.start()
	b.schedule("place", "o1", noon, "")
	receive(t, "the first", begun)
	b.schedule("place", "o2", noon, "") // claimed, and waits for the only worker

	b.write(func(tx *database.Tx) error { // as another process does that takes this one for dead, and has the item handled
		_, err := tx.Exec(`DELETE FROM work WHERE key = 'o2'`)
		return err
	})
	b.clock.Advance(10 * time.Second)
	close(goOn)

	b.awaitEmpty()
	silent(t, "what others have handled", begun)
}

// check looks for items that had no effect, or more than one, and for items of a key that were in hand at the same time.
func (c *crew) check(db *database.DB) {
	c.Helper()
	rows, err := db.Query(c.Context(), `SELECT key, n FROM effect`)
	if err != nil {
		c.Fatal(err)
	}
	defer rows.Close()
	effects := map[string]int{}
	for rows.Next() {
		var key string
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			c.Fatal(err)
		}
		if effects[key] = n; n != 1 {
			c.Errorf("%s had its effect %d times", key, n)
		}
	}
	if err := rows.Err(); err != nil {
		c.Fatal(err)
	}
	for _, key := range c.acknowledged {
		for _, kind := range kinds {
			if effects[kind+" "+key] == 0 {
				c.Errorf("%s of %s was scheduled, and not handled", kind, key)
			}
		}
	}
	inHand, gone, lost := map[string]string{}, map[string]bool{}, 0
	for _, e := range c.entries() {
		switch e.what {
		case "begins":
			if other := inHand[e.key]; other != "" && other != e.name {
				c.Errorf("%s began with %s while %s had it in hand", e.name, e.key, other)
			}
			if !gone[e.name] {
				inHand[e.key] = e.name
			}
		case "ends":
			if inHand[e.key] == e.name {
				delete(inHand, e.key)
			}
		case "killed", "stopped": // others may take what it has in hand
			gone[e.name] = e.what == "killed"
			maps.DeleteFunc(inHand, func(_, name string) bool { return name == e.name })
		case "lost":
			lost++
		}
	}
	c.Logf("%d effects; %d records of those who had lost the item were refused", len(effects), lost)
}
