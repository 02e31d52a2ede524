package acceptance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// kind is what goes wrong.
type kind string

// The kinds of faults. Each heals by itself: what was killed is started again by its topology.
const (
	killProcess  kind = "kill -9 of process"
	killServer   kind = "kill -9 of server"
	pauseProcess kind = "pause of process"
	pauseServer  kind = "pause of server"
	cut_         kind = "cut of the way to"
	delay        kind = "delay on the way to"
	stall        kind = "stall on the way to"
	sessions     kind = "end of database sessions of"
)

// mishap is one fault: when, what, to whom, for how long.
type mishap struct {
	at     time.Duration // since the day began
	what   kind
	target string
	lasts  time.Duration
	late   time.Duration // for a delay
}

func (e mishap) String() string {
	text := fmt.Sprintf("%6.1f s  %s %s", e.at.Seconds(), e.what, e.target)
	if e.lasts > 0 {
		text += fmt.Sprintf(" for %.1f s", e.lasts.Seconds())
	}
	if e.late > 0 {
		text += fmt.Sprintf(" of %d ms", e.late.Milliseconds())
	}
	return text
}

// between draws a duration.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// schedule draws so many faults over a span of time. The kinds come in rounds, each once in a round, in any order; the targets of a kind
// come in rounds too, so that a long schedule has all of them. Faults may overlap.
func (w *town) schedule(random *rand.Rand, n int, span time.Duration) (events []mishap) {
	processes := w.processNames()
	var ways []string
	for _, l := range w.links {
		ways = append(ways, l.name)
	}
	targets := map[kind][]string{
		killProcess: processes, pauseProcess: processes, killServer: w.servers, pauseServer: w.servers, cut_: ways, delay: ways, stall: ways,
	}
	kinds := []kind{killProcess, pauseProcess, killServer, pauseServer, cut_, delay, stall}
	if w.admin != "" {
		targets[sessions] = w.withSchema()
		kinds = append(kinds, sessions)
	}
	left := map[kind][]string{}
	var round []kind
	part := span / time.Duration(n)
	for i := range n {
		if len(round) == 0 {
			round = slices.Clone(kinds)
			random.Shuffle(len(round), func(a, b int) { round[a], round[b] = round[b], round[a] })
		}
		e := mishap{at: part*time.Duration(i) + between(random, 0, part), what: round[0]}
		round = round[1:]
		if len(left[e.what]) == 0 {
			left[e.what] = slices.Clone(targets[e.what])
			random.Shuffle(len(left[e.what]), func(a, b int) { left[e.what][a], left[e.what][b] = left[e.what][b], left[e.what][a] })
		}
		e.target, left[e.what] = left[e.what][0], left[e.what][1:]
		e.last(random)
		events = append(events, e)
	}
	return events
}

// last draws how long a fault takes. A process or broker that is paused is silent for longer than any session lasts: 6 s with Kafka, 10 s
// with PostgreSQL.
func (e *mishap) last(random *rand.Rand) {
	switch e.what {
	case pauseProcess, pauseServer:
		e.lasts = between(random, 12*time.Second, 15*time.Second)
	case cut_:
		e.lasts = between(random, 0, 4*time.Second)
	case delay:
		e.lasts, e.late = between(random, 5*time.Second, 10*time.Second), between(random, 100*time.Millisecond, 500*time.Millisecond)
	case stall:
		e.lasts = between(random, 2*time.Second, 14*time.Second)
	}
}

// withSchema are the modules that have sessions.
func (w *town) withSchema() []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "gateway" })
}

// chronicle is what was done, and when.
type chronicle struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	done  map[kind]int
}

func (c *chronicle) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, fmt.Sprintf("%s %6.1f s  ", time.Now().UTC().Format("15:04:05.000"), time.Since(c.began).Seconds())+fmt.Sprintf(format, args...))
}

func (c *chronicle) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n")
}

// count notes a fault that was inflicted.
func (c *chronicle) count(e mishap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[e.what]++
}

// trouble inflicts the faults at their times, and returns when all of them have healed, or when ctx has ended and they have.
func (w *town) trouble(ctx context.Context, events []mishap, c *chronicle) {
	var going sync.WaitGroup
	for _, e := range events {
		going.Go(func() {
			if sleep(ctx, time.Until(c.began.Add(e.at))) != nil {
				return
			}
			if err := w.inflict(ctx, e, c); err != nil {
				c.tell("%s %s: in vain: %v", e.what, e.target, err)
				return
			}
			c.count(e)
		})
	}
	going.Wait()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inflict does one fault, and returns when it has healed. Its error says why it could not be done.
func (w *town) inflict(ctx context.Context, e mishap, c *chronicle) error {
	switch e.what {
	case killProcess, killServer:
		return w.kill(ctx, e, c)
	case pauseProcess, pauseServer:
		return w.pause(ctx, e, c)
	case sessions:
		return w.endSessions(ctx, e, c)
	}
	l := w.links[slices.IndexFunc(w.links, func(l *link) bool { return l.name == e.target })]
	c.tell("%s %s for %v, %v", e.what, e.target, e.lasts, e.late)
	// Two faults of one link may overlap: what one does the other does not undo.
	change := func(on bool) {
		l.set(func(how *condition) {
			switch e.what {
			case cut_:
				how.cut = on
			case stall:
				how.stalled = on
			case delay:
				how.late = 0
				if on {
					how.late = e.late
				}
			}
		})
	}
	change(true)
	_ = sleep(ctx, e.lasts)
	change(false)
	c.tell("%s %s: over", e.what, e.target)
	return nil
}

// running waits until a child runs, and returns its process.
func (w *town) running(ctx context.Context, name string) (pid int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		child, err := w.child(name)
		if err != nil || child.PID > 0 {
			return child.PID, err
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			return 0, fmt.Errorf("%s does not run: it is %s", name, child.State)
		}
	}
}

func (w *town) kill(ctx context.Context, e mishap, c *chronicle) error {
	pid, err := w.running(ctx, e.target)
	if err != nil {
		return err
	}
	c.tell("%s %s (%d)", e.what, e.target, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	// Until its topology has noticed, it tells of the child as if it lived.
	for sleep(ctx, 20*time.Millisecond) == nil {
		if child, err := w.child(e.target); err != nil || child.PID != pid {
			return err
		}
	}
	return nil
}

// pause stops a program, with what it started, and has it go on after a time.
func (w *town) pause(ctx context.Context, e mishap, c *chronicle) error {
	pid, err := w.running(ctx, e.target)
	if err != nil {
		return err
	}
	tree := descendants(pid)
	c.tell("%s %s (%v) for %v", e.what, e.target, tree, e.lasts)
	defer func() {
		for _, pid := range tree {
			_ = syscall.Kill(pid, syscall.SIGCONT) // it may be gone
		}
		c.tell("%s %s: over", e.what, e.target)
	}()
	for _, pid := range tree {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	_ = sleep(ctx, e.lasts)
	return nil
}

// descendants are a process and those that it started, and they started.
func descendants(pid int) []int {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone
		}
		// "pid (name) state parent …", and a name may hold anything.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || len(fields) < 2 {
			continue
		}
		if parents[child], err = strconv.Atoi(fields[1]); err != nil {
			continue
		}
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		for child, parent := range parents {
			if parent == tree[i] {
				tree = append(tree, child)
			}
		}
	}
	return tree
}

// endSessions has the database end all sessions of a module, whatever they are doing.
func (w *town) endSessions(ctx context.Context, e mishap, c *chronicle) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	admin, err := url.Parse(w.admin)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, w.admin)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var ended int
	role := strings.TrimPrefix(admin.Path, "/") + "_" + e.target
	if err := conn.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1", role).Scan(&ended); err != nil {
		return err
	}
	c.tell("%s %s: %d", e.what, e.target, ended)
	return nil
}
