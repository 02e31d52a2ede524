package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Spec is a program that shall run.
type Spec struct {
	Name string
	// Command makes the command anew for each start: its path, arguments, environment, folder, user.
	Command func() *exec.Cmd
	// Output gets each line that the program writes to standard error, and to standard output unless Quiet drops those.
	Output func(line string)
	Quiet  bool
	// Ready asks the program whether it serves; nil is yes. It is asked again and again while the program starts. Without it, a program is ready
	// when it runs.
	Ready func(ctx context.Context) error
	// Startup is how long the program may take until it is ready; then it is killed, and started again. 1 min if 0.
	Startup time.Duration
	// Stop is the signal that asks it to end, SIGTERM if 0; Grace is how long that may take before it is killed, 10 s if 0.
	Stop  syscall.Signal
	Grace time.Duration
	// Orphan is the signal that it gets if this process dies: SIGKILL if 0.
	Orphan syscall.Signal
	// Misused is the exit status by which the program says that its configuration is wrong, so that to start it again is useless; 0 if there is none.
	// Once the program has been ready, its configuration was right, and the status is a death like any other: a file that it reads may just be
	// being replaced.
	Misused int
	// Backoff is the pause before the program is started again.
	Backoff Backoff
}

// Backoff is a pause that doubles. Zero values take the defaults.
type Backoff struct {
	First time.Duration // 100 ms
	Most  time.Duration // 10 s
	Well  time.Duration // how long a program must have been ready for its end to be news again: 10 s
	Tries int           // how often a program may end without ever having been ready: 5
}

func (s Spec) withDefaults() Spec {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&s.Startup, time.Minute}, {&s.Grace, 10 * time.Second},
		{&s.Backoff.First, 100 * time.Millisecond}, {&s.Backoff.Most, 10 * time.Second}, {&s.Backoff.Well, 10 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	for _, d := range []struct {
		value *syscall.Signal
		or    syscall.Signal
	}{{&s.Stop, syscall.SIGTERM}, {&s.Orphan, syscall.SIGKILL}} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	if s.Backoff.Tries == 0 {
		s.Backoff.Tries = 5
	}
	return s
}

// State is what a child is doing.
type State string

// The states of a child, in the order of an uneventful life. Waiting is the pause after it died.
const (
	Pending  State = "pending"
	Starting State = "starting"
	Ready    State = "ready"
	Waiting  State = "waiting"
	Stopping State = "stopping"
	Ended    State = "ended"
)

// Status is what is known of a child at one moment.
type Status struct {
	State    State
	PID      int       // 0 while it does not run
	Since    time.Time // when it was started, or ended
	Restarts int
	Ended    string // how it ended last, "" if it has not
}

// BrokenError is the end of a child that cannot run.
type BrokenError struct {
	Name   string
	Reason string
	Last   string // the last thing that it said
}

func (e *BrokenError) Error() string {
	if e.Last == "" {
		return e.Name + " cannot run: " + e.Reason
	}
	return fmt.Sprintf("%s cannot run: %s: %s", e.Name, e.Reason, e.Last)
}

// Child is a program that is kept running.
type Child struct {
	spec    Spec
	starter *Starter
	log     *slog.Logger
	changed func(Status)

	first     chan struct{} // closed when it is ready for the first time
	firstOnce sync.Once

	mu     sync.Mutex
	status Status
}

// New makes a child, which does not run yet. changed is told of every change of its state, one at a time; it may be nil.
func New(spec Spec, starter *Starter, log *slog.Logger, changed func(Status)) *Child {
	if changed == nil {
		changed = func(Status) {}
	}
	return &Child{
		spec: spec.withDefaults(), starter: starter, log: log.With("child", spec.Name), changed: changed,
		first: make(chan struct{}), status: Status{State: Pending, Since: time.Now()},
	}
}

// Name is that of the program.
func (c *Child) Name() string { return c.spec.Name }

// FirstReady is closed when the child is ready for the first time.
func (c *Child) FirstReady() <-chan struct{} { return c.first }

// Status tells what the child is doing.
func (c *Child) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// set changes the status and tells of it. Only Run's goroutine calls it.
func (c *Child) set(change func(*Status)) {
	c.mu.Lock()
	change(&c.status)
	now := c.status
	c.mu.Unlock()
	c.changed(now)
}

// Run keeps the program running until ctx ends, then stops it and returns nil once it has ended. The error is a *BrokenError if it cannot run.
func (c *Child) Run(ctx context.Context) error {
	pause, tries := c.spec.Backoff.First, 0
	for {
		end, err := c.once(ctx)
		if err != nil {
			c.set(func(s *Status) { s.State, s.PID, s.Since = Ended, 0, time.Now() })
			return c.broken(err.Error(), nil)
		}
		if ctx.Err() != nil {
			c.set(func(s *Status) { s.State, s.PID, s.Since, s.Ended = Ended, 0, time.Now(), end.how })
			return nil
		}
		tries++
		misused := end.status == c.spec.Misused && c.spec.Misused != 0
		if !c.everReady() && (misused || tries >= c.spec.Backoff.Tries) {
			c.set(func(s *Status) { s.State, s.PID, s.Since, s.Ended = Ended, 0, time.Now(), end.how })
			return c.broken(end.how, end.said)
		}
		if end.served >= c.spec.Backoff.Well {
			pause = c.spec.Backoff.First
		}
		c.log.Warn("ended, to be started again", "how", end.how, "seconds", end.lived.Seconds(), "pause_seconds", pause.Seconds())
		c.set(func(s *Status) { s.State, s.PID, s.Since, s.Ended = Waiting, 0, time.Now(), end.how })
		select {
		case <-ctx.Done():
			c.set(func(s *Status) { s.State = Ended })
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, c.spec.Backoff.Most)
		c.set(func(s *Status) { s.Restarts++ })
	}
}

func (c *Child) everReady() bool {
	select {
	case <-c.first:
		return true
	default:
		return false
	}
}

func (c *Child) broken(reason string, said *tail) error {
	return &BrokenError{Name: c.spec.Name, Reason: reason, Last: said.complaint()}
}

// end is how one run of the program went.
type end struct {
	status int // -1 if a signal ended it
	how    string
	lived  time.Duration
	served time.Duration // since it was ready
	said   *tail
}

// once runs the program once, until it ends or ctx does. The error is that it could not be started at all.
func (c *Child) once(ctx context.Context) (end, error) {
	said := &tail{}
	cmd := c.spec.Command()
	out := newLines(func(line string) {
		said.add(line)
		if c.spec.Output != nil {
			c.spec.Output(line)
		}
	})
	defer out.flush()
	cmd.Stderr = out
	if !c.spec.Quiet {
		cmd.Stdout = out // the same writer: one pipe, and lines stay in order
	}
	cmd.WaitDelay = time.Second // a grandchild that holds the pipe does not hold us
	began := time.Now()
	if err := c.starter.Start(cmd, c.spec.Orphan); err != nil {
		return end{}, err
	}
	c.set(func(s *Status) { s.State, s.PID, s.Since = Starting, cmd.Process.Pid, began })
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	ready, stopAsking := c.ask(ctx)
	defer stopAsking()

	e := end{said: said}
	var served time.Time
	var err error
	startup := time.NewTimer(c.spec.Startup)
	defer startup.Stop()
	for running := true; running; {
		select {
		case err = <-gone:
			running = false
		case <-ready:
			ready, served = nil, time.Now()
			startup.Stop()
			c.log.Info("ready", "pid", cmd.Process.Pid, "seconds", time.Since(began).Seconds())
			c.set(func(s *Status) { s.State = Ready })
			c.firstOnce.Do(func() { close(c.first) })
		case <-startup.C:
			c.log.Error("not ready in time, killed", "limit_seconds", c.spec.Startup.Seconds())
			killGroup(cmd)
		case <-ctx.Done():
			c.set(func(s *Status) { s.State = Stopping })
			err = c.stop(cmd, gone)
			running = false
		}
	}
	killGroup(cmd) // what it left behind
	e.lived, e.how, e.status = time.Since(began), describe(cmd, err), cmd.ProcessState.ExitCode()
	if !served.IsZero() {
		e.served = time.Since(served)
	}
	return e, nil
}

// ask polls until the program is ready, and then closes the channel.
func (c *Child) ask(ctx context.Context) (<-chan struct{}, context.CancelFunc) {
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for wait := 10 * time.Millisecond; ; wait = min(wait*3/2, 250*time.Millisecond) {
			if c.spec.Ready == nil || c.askOnce(ctx) == nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		if ctx.Err() == nil {
			close(ready)
		}
	}()
	return ready, cancel
}

// askLimit is how long a program may take to say that it is ready.
const askLimit = 3 * time.Second

func (c *Child) askOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return c.spec.Ready(ctx)
}

// stop asks the program to end, and kills it if that takes too long.
func (c *Child) stop(cmd *exec.Cmd, gone <-chan error) error {
	_ = cmd.Process.Signal(c.spec.Stop) // it may be gone
	_ = cmd.Process.Signal(syscall.SIGCONT)
	select {
	case err := <-gone:
		return err
	case <-time.After(c.spec.Grace):
		c.log.Warn("did not end in time, killed", "limit_seconds", c.spec.Grace.Seconds())
		killGroup(cmd)
		return <-gone
	}
}

// killGroup kills the program and all that it started and did not move to a group of its own.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// describe says how a program ended, as "exit status 1" or "signal: killed".
func describe(cmd *exec.Cmd, err error) string {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return cmd.ProcessState.String()
	}
	return err.Error()
}
