package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kerf/cmd/topology/supervise"
)

// roleVariable makes the test's binary play a program: see TestMain.
const roleVariable = "SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	role, argument, _ := strings.Cut(os.Getenv(roleVariable), " ")
	if role == "" {
		os.Exit(m.Run())
	}
	play(role, argument)
}

// play is what a child does; most serve until they are told to end.
func play(role, argument string) {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	switch role {
	case "serve":
		fmt.Fprintln(os.Stderr, "serving")
		<-terminate
		fmt.Fprintln(os.Stderr, "ended well")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Fprintln(os.Stderr, "ignoring")
		select {}
	case "exit":
		status, _ := strconv.Atoi(argument)
		fmt.Fprintf(os.Stderr, "starting\nkerf: configuration: 2 problems\n  listen: no\n  data: no\n")
		os.Exit(status)
	case "once": // dies unless it has been here before
		if _, err := os.Stat(argument); err == nil {
			fmt.Fprintln(os.Stderr, "serving")
			<-terminate
			return
		}
		_ = os.WriteFile(argument, nil, 0o600)
		os.Exit(1)
	case "family": // a grandchild that would go on for ever
		grandchild := exec.Command(os.Args[0])
		grandchild.Env = append(os.Environ(), roleVariable+"=stubborn")
		grandchild.Stderr = os.Stderr
		if err := grandchild.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "grandchild", grandchild.Process.Pid)
		<-terminate
	case "parent": // supervises a child, to be killed itself
		starter := supervise.NewStarter()
		child := supervise.New(supervise.Spec{
			Name:    "child",
			Command: command("stubborn"),
			Output:  func(string) {},
		}, starter, slog.New(slog.DiscardHandler), func(s supervise.Status) {
			if s.State == supervise.Ready {
				fmt.Println(s.PID)
			}
		})
		_ = child.Run(context.Background())
	}
}

func command(role string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleVariable+"="+role)
		return cmd
	}
}

// nursery runs one child and records what it says and does.
type nursery struct {
	t      *testing.T
	child  *supervise.Child
	stop   context.CancelFunc
	result chan error

	mu     sync.Mutex
	said   []string
	states []supervise.Status
	news   chan struct{}
}

func start(t *testing.T, spec supervise.Spec) *nursery {
	t.Helper()
	starter := supervise.NewStarter()
	n := &nursery{t: t, result: make(chan error, 1), news: make(chan struct{}, 1)}
	spec.Name = "child"
	spec.Output = func(line string) { n.note(func() { n.said = append(n.said, line) }) }
	if spec.Backoff.First == 0 {
		spec.Backoff.First = time.Millisecond
	}
	n.child = supervise.New(spec, starter, slog.New(slog.DiscardHandler), func(s supervise.Status) {
		n.note(func() { n.states = append(n.states, s) })
	})
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.result <- n.child.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		starter.Close()
	})
	return n
}

func (n *nursery) note(change func()) {
	n.mu.Lock()
	change()
	n.mu.Unlock()
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// await waits until what was said and done satisfies ok.
func (n *nursery) await(what string, ok func(said []string, states []supervise.Status) bool) {
	n.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		n.mu.Lock()
		done := ok(n.said, n.states)
		n.mu.Unlock()
		if done {
			return
		}
		select {
		case <-n.news:
		case <-deadline:
			n.t.Fatalf("%s: not within the time; said %.500q, did %v", what, n.said, n.states)
		}
	}
}

func (n *nursery) awaitLine(line string) {
	n.t.Helper()
	n.await(line, func(said []string, _ []supervise.Status) bool { return slices.Contains(said, line) })
}

// awaitState waits until the child has been in a state so many times, and returns its last status then.
func (n *nursery) awaitState(state supervise.State, times int) supervise.Status {
	n.t.Helper()
	var last supervise.Status
	n.await(fmt.Sprintf("%s, %d times", state, times), func(_ []string, states []supervise.Status) bool {
		left := times
		for _, s := range states {
			if s.State == state {
				left, last = left-1, s
			}
			if left == 0 {
				return true
			}
		}
		return false
	})
	return last
}

func (n *nursery) awaitEnd() error {
	n.t.Helper()
	select {
	case err := <-n.result:
		return err
	case <-time.After(20 * time.Second):
		n.t.Fatal("it does not end")
		return nil
	}
}

func (n *nursery) seen() (states []supervise.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.states {
		states = append(states, s.State)
	}
	return states
}

func TestAChildIsStartedAndStoppedGently(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("serve")})
	n.awaitState(supervise.Ready, 1)
	n.awaitLine("serving")

	n.stop()

	if err := n.awaitEnd(); err != nil {
		t.Error(err)
	}
	n.awaitLine("ended well")
	want := []supervise.State{supervise.Starting, supervise.Ready, supervise.Stopping, supervise.Ended}
	if got := n.seen(); !slices.Equal(got, want) {
		t.Errorf("states: %v", got)
	}
	if s := n.child.Status(); s.PID != 0 || s.Ended != "exit status 0" || s.Restarts != 0 {
		t.Errorf("status: %+v", s)
	}
}

func TestOneThatDiesIsStartedAgain(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("serve")})
	first := n.awaitState(supervise.Ready, 1)

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	second := n.awaitState(supervise.Ready, 2)
	if second.PID == first.PID || second.Restarts != 1 || second.Ended != "signal: killed" {
		t.Errorf("status: %+v", second)
	}
}

func TestThePauseGrowsWhileItKeepsDying(t *testing.T) {
	var mu sync.Mutex
	var starts []time.Time
	n := start(t, supervise.Spec{
		Command: func() *exec.Cmd {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Now())
			return command("exit 3")()
		},
		Ready:   never,
		Backoff: supervise.Backoff{First: 40 * time.Millisecond, Most: 160 * time.Millisecond, Tries: 5},
	})

	var broken *supervise.BrokenError
	if err := n.awaitEnd(); !errors.As(err, &broken) {
		t.Fatalf("error = %v", err)
	}
	if len(starts) != 5 {
		t.Fatalf("%d starts", len(starts))
	}
	for i, least := range []time.Duration{40, 80, 160, 160} {
		if gap := starts[i+1].Sub(starts[i]); gap < least*time.Millisecond {
			t.Errorf("pause %d: %v", i+1, gap)
		}
	}
}

func TestOneThatWasNeverReadyIsGivenUpWithWhatItSaid(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("exit 1"), Ready: never, Backoff: supervise.Backoff{First: 1, Tries: 3}})

	err := n.awaitEnd()

	want := "child cannot run: exit status 1: configuration: 2 problems; listen: no; data: no"
	if err == nil || err.Error() != want {
		t.Errorf("error = %v", err)
	}
	if s := n.child.Status(); s.Restarts != 2 || s.State != supervise.Ended {
		t.Errorf("status: %+v", s)
	}
}

func TestAWrongConfigurationIsGivenUpAtOnce(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("exit 2"), Ready: never, Misused: 2})

	if err := n.awaitEnd(); err == nil || n.child.Status().Restarts != 0 {
		t.Errorf("error = %v after %d restarts", err, n.child.Status().Restarts)
	}
}

// Its configuration was right once; a file that it reads may just be being replaced.
func TestOneThatWasReadyIsStartedAgainAlthoughItsConfigurationIsWrong(t *testing.T) {
	var starts atomic.Int32
	n := start(t, supervise.Spec{Misused: 2, Backoff: supervise.Backoff{First: time.Millisecond, Tries: 1},
		Command: func() *exec.Cmd {
			if n := starts.Add(1); n == 2 || n == 3 {
				return command("exit 2")()
			}
			return command("serve")()
		},
		Ready: func(context.Context) error {
			if n := starts.Load(); n == 2 || n == 3 {
				return errors.New("not yet")
			}
			return nil
		}})
	first := n.awaitState(supervise.Ready, 1)

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	if last := n.awaitState(supervise.Ready, 2); last.Restarts != 3 || last.Ended != "exit status 2" {
		t.Errorf("status: %+v", last)
	}
}

func TestAProgramThatIsNotThereIsGivenUpAtOnce(t *testing.T) {
	n := start(t, supervise.Spec{Command: func() *exec.Cmd { return exec.Command(filepath.Join(t.TempDir(), "none")) }})

	if err := n.awaitEnd(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error = %v", err)
	}
}

func TestOneThatFailsAtFirstIsTriedAgain(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("once " + filepath.Join(t.TempDir(), "mark"))})
	n.awaitLine("serving")
	n.awaitState(supervise.Waiting, 1)
}

func TestReadyIsWhatTheProgramSays(t *testing.T) {
	asked := make(chan struct{}, 100)
	open := make(chan struct{})
	n := start(t, supervise.Spec{Command: command("serve"), Ready: func(context.Context) error {
		asked <- struct{}{}
		select {
		case <-open:
			return nil
		default:
			return errors.New("not yet")
		}
	}})
	<-asked
	<-asked
	select {
	case <-n.child.FirstReady():
		t.Error("ready although it says no")
	default:
	}

	close(open)

	<-n.child.FirstReady()
}

func TestOneThatIsNotReadyInTimeIsStartedAgain(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("serve"), Ready: never, Startup: 50 * time.Millisecond,
		Backoff: supervise.Backoff{First: 1, Tries: 2}})

	if err := n.awaitEnd(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("error = %v", err)
	}
}

func never(context.Context) error { return errors.New("never") }

func TestOneThatDoesNotEndIsKilled(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("stubborn"), Grace: 50 * time.Millisecond})
	n.awaitLine("ignoring")

	n.stop()

	if err := n.awaitEnd(); err != nil {
		t.Error(err)
	}
	if s := n.child.Status(); s.Ended != "signal: killed" {
		t.Errorf("status: %+v", s)
	}
}

func TestOneThatIsPausedCanBeStopped(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("serve")})
	n.awaitLine("serving")
	if err := syscall.Kill(n.child.Status().PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}

	n.stop()

	if err := n.awaitEnd(); err != nil || n.child.Status().Ended != "exit status 0" {
		t.Errorf("error = %v, status %+v", err, n.child.Status())
	}
}

func TestGrandchildrenDieWithTheChild(t *testing.T) {
	n := start(t, supervise.Spec{Command: command("family")})
	grandchild := 0
	n.await("grandchild", func(said []string, _ []supervise.Status) bool {
		for _, line := range said {
			if pid, ok := strings.CutPrefix(line, "grandchild "); ok {
				grandchild, _ = strconv.Atoi(pid)
			}
		}
		return grandchild != 0
	})
	n.awaitLine("ignoring")

	n.stop()

	if err := n.awaitEnd(); err != nil {
		t.Error(err)
	}
	awaitGone(t, grandchild)
}

func TestChildrenDieWithAParentThatIsKilled(t *testing.T) {
	parent := command("parent")()
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || syscall.Kill(child, 0) != nil {
		t.Fatalf("no child: %q", line)
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}

	_ = parent.Wait()
	awaitGone(t, child)
}

// awaitGone waits until no process has the id, or only one that is dead and that nobody has buried.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestLongLinesAndTheLastWithoutABreakAreHandedOn(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	n := start(t, supervise.Spec{Command: func() *exec.Cmd {
		return exec.Command("sh", "-c", `cat "$0"; echo; printf 'short\nno break'; exec sleep 60`, file(t, long))
	}})
	n.awaitLine("short")
	n.mu.Lock()
	var got strings.Builder
	for _, line := range n.said {
		if strings.HasPrefix(line, "x") {
			got.WriteString(line)
		}
	}
	n.mu.Unlock()
	if got.String() != long {
		t.Errorf("%d of %d letters", got.Len(), len(long))
	}
	n.stop()
	if err := n.awaitEnd(); err != nil {
		t.Error(err)
	}
	n.awaitLine("no break")
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
