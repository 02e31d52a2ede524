package stand

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"kerf/benchmarks/usage"
	"kerf/cmd/topology/status"
	"kerf/cmd/topology/supervise"
)

// Config says what is started.
type Config struct {
	// Launcher is the program cmd/topology: see Build.
	Launcher string
	// Topology is the topology file.
	Topology string
	// Kfake has kfake stand in where the file asks for Apache Kafka.
	Kfake bool
	// Overrides are laid over the configuration of all processes, by dotted key.
	Overrides map[string]any
	// Env are variables more (KEY=value) for the topology and all that it starts: GOMAXPROCS=1.
	Env []string
	// Speed is how many times as fast as the wall's domain time runs; 1 if 0.
	Speed float64
	// Dir is an empty folder for data, log and the topology file as it was started.
	Dir string
	// Startup bounds the time until it is ready: 90 s if 0.
	Startup time.Duration
	// Log may be nil.
	Log *slog.Logger
}

const (
	// startup is enough for Apache Kafka and PostgreSQL beside nine processes on two busy cores.
	startup = 90 * time.Second
	// ending is how long a topology may take to end by itself: its processes drain for 10 s, its servers have 20 s.
	ending = 45 * time.Second
	// vanishing is how long what was killed may take to be gone.
	vanishing = 10 * time.Second
)

// Stand is a topology that runs. Its methods are safe for concurrent use.
type Stand struct {
	config  Config
	data    string // the topology's folder
	file    string // the topology file as it was started
	logFile string
	cmd     *exec.Cmd
	starter *supervise.Starter
	out     *announcement
	ended   chan struct{}
	exit    error // of the topology; to be read when it has ended
	facts   map[string]string

	mu      sync.Mutex
	killed  map[string]int // by name: the PID that was killed
	paused  map[string][]usage.ID
	burners []*burner
	stopped bool
	stop    error
}

// Start starts a topology on fresh data and waits until it is ready. It dies with this process, however that ends. The error is one line, with the topology's
// own last words if it had some; nothing is left then.
func Start(ctx context.Context, c Config) (*Stand, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Startup == 0 {
		c.Startup = startup
	}
	s := &Stand{
		config: c, out: &announcement{word: "ready ", made: make(chan struct{})}, ended: make(chan struct{}),
		killed: map[string]int{}, paused: map[string][]usage.ID{},
	}
	if err := s.launch(); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", filepath.Base(c.Topology), err)
	}
	err := s.await(ctx)
	if err == nil {
		err = s.gather(ctx)
	}
	if err != nil {
		// There is nothing in it that should end gently, and the reason is what is told.
		now, cancel := context.WithCancel(ctx)
		cancel()
		_ = s.Stop(now)
		return nil, fmt.Errorf("%s does not start: %w", filepath.Base(c.Topology), err)
	}
	c.Log.Info("topology is ready", "topology", c.Topology, "url", s.URL(), "pid", s.cmd.Process.Pid)
	return s, nil
}

// launch starts the launcher.
func (s *Stand) launch() (err error) {
	dir, err := filepath.Abs(s.config.Dir)
	if err != nil {
		return err
	}
	s.data, s.logFile = filepath.Join(dir, "data"), filepath.Join(dir, "topology.log")
	if _, err := os.Stat(s.data); err == nil {
		return fmt.Errorf("%s holds data already", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if s.file, err = overlay(s.config.Topology, s.config.Overrides, dir); err != nil {
		return err
	}
	log, err := os.Create(s.logFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }() // the topology has its own
	args := []string{"-config", s.file, "-data", s.data, "-listen", "127.0.0.1:0"}
	if s.config.Kfake {
		args = append(args, "-kfake")
	}
	if s.config.Speed != 0 {
		args = append(args, "-speed", strconv.FormatFloat(s.config.Speed, 'g', -1, 64))
	}
	s.cmd = exec.Command(s.config.Launcher, args...)
	// A variable of Kerf's would say something else than the topology file.
	s.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KERF_") }), s.config.Env...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.WaitDelay = s.out, log, time.Second
	s.starter = supervise.NewStarter()
	if err := s.starter.Start(s.cmd, syscall.SIGKILL); err != nil {
		s.starter.Close()
		return err
	}
	go func() {
		defer close(s.ended)
		s.exit = s.cmd.Wait()
	}()
	return nil
}

// await waits until the topology is ready.
func (s *Stand) await(ctx context.Context) error {
	limit := time.NewTimer(s.config.Startup)
	defer limit.Stop()
	select {
	case <-s.out.made:
		return nil
	case <-s.ended:
		return s.lastWords()
	case <-limit.C:
		return fmt.Errorf("it is not ready after %s: %s", s.config.Startup, s.waitingFor())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waitingFor tells which processes and servers are not ready.
func (s *Stand) waitingFor() string {
	now, err := s.Status()
	if err != nil {
		return "it tells nothing of itself"
	}
	var late []string
	for _, c := range childrenOf(now) {
		if c.State != "ready" {
			late = append(late, c.Name+" is "+c.State)
		}
	}
	if len(late) == 0 {
		return "it is " + now.State
	}
	return strings.Join(late, ", ")
}

// childrenOf are a topology's processes and servers.
func childrenOf(t status.Topology) (all []status.Child) {
	for _, server := range t.Servers {
		all = append(all, server.Child)
	}
	for _, p := range t.Processes {
		all = append(all, p.Child)
	}
	return all
}

// announcement waits for a program's line that begins with a word, which must be its first.
type announcement struct {
	word string
	made chan struct{} // closed when the line has come

	mu   sync.Mutex
	text []byte
	rest string // of the line
	done bool
}

func (a *announcement) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return len(p), nil
	}
	a.text = append(a.text, p...)
	if line, _, whole := strings.Cut(string(a.text), "\n"); whole {
		if rest, ok := strings.CutPrefix(line, a.word); ok {
			a.rest, a.done = strings.TrimSpace(rest), true
			close(a.made)
		}
	}
	return len(p), nil
}

// said is what followed the word.
func (a *announcement) said() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rest
}

// URL is that of the public API, "" if no process serves it.
func (s *Stand) URL() string {
	if url := s.out.said(); !strings.HasPrefix(url, "file:") {
		return url
	}
	return ""
}

// Status is what the topology tells of itself.
func (s *Stand) Status() (status.Topology, error) { return status.Read(s.data) }

// LogFile is where the topology, its processes and its servers log.
func (s *Stand) LogFile() string { return s.logFile }

// Ended is closed when the topology has ended, be it by Stop or by itself.
func (s *Stand) Ended() <-chan struct{} { return s.ended }

// Stop ends everything and returns when nothing is left: gently, but if that takes longer than ctx or 45 s, the hard way. The error says that it did not end
// well. A second Stop does nothing and returns the same.
func (s *Stand) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return s.stop
	}
	s.stopped = true
	for _, b := range s.burners {
		b.end()
	}
	everything := usage.Tree(s.cmd.Process.Pid)
	for name := range s.paused {
		s.resume(name) // what is paused cannot drain
	}
	s.stop = errors.Join(s.end(ctx), remove(everything))
	s.starter.Close()
	return s.stop
}

// end has the topology end.
func (s *Stand) end(ctx context.Context) error {
	select {
	case <-s.ended: // by itself, which it should not
		return fmt.Errorf("the topology has ended by itself: %w", s.lastWords())
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	limit := time.NewTimer(ending)
	defer limit.Stop()
	select {
	case <-s.ended:
		if s.exit != nil && !errors.Is(s.exit, exec.ErrWaitDelay) {
			return fmt.Errorf("the topology did not end well: %w", s.lastWords())
		}
		return nil
	case <-limit.C:
	case <-ctx.Done():
	}
	unfinished := s.waitingFor()
	_ = s.cmd.Process.Kill() // and the kernel kills its children
	<-s.ended
	return fmt.Errorf("the topology did not end in time and was killed: %s", unfinished)
}

// remove waits until processes are gone, and kills what stays.
func remove(everything []usage.ID) error {
	alive := func() []usage.ID {
		return slices.DeleteFunc(slices.Clone(everything), func(id usage.ID) bool { return !id.Alive() })
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for _, limit := range []time.Duration{vanishing / 2, vanishing / 2} {
		for deadline := time.Now().Add(limit); ; <-ticker.C {
			left := alive()
			if len(left) == 0 {
				return nil
			}
			if time.Now().After(deadline) {
				for _, id := range left {
					_ = syscall.Kill(id.PID, syscall.SIGKILL)
				}
				break
			}
		}
	}
	left := alive()
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("%d of its processes outlive the topology, the first is %d", len(left), left[0].PID)
}
