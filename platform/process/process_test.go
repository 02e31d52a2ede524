package process_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/process"
)

var quiet = slog.New(slog.DiscardHandler)

// diary records what components do, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(entry string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry)
}

func (d *diary) component(name string) process.Component {
	return process.Component{
		Name: name,
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			d.note(name + " ended")
			return ctx.Err()
		},
		Stop: func(context.Context) error {
			d.note(name + " stop")
			return nil
		},
	}
}

func TestComponentsStopOneAfterTheOtherInReverse(t *testing.T) {
	var d diary
	group := process.NewGroup(quiet, process.NewHealth(), time.Minute)
	database, bus, worker := d.component("database"), d.component("bus"), d.component("worker")
	database.Run, worker.Stop = nil, nil
	group.Add(database, bus)
	group.Add(worker)
	ctx, cancel := context.WithCancel(t.Context())

	err := group.Run(ctx, func() { d.note("ready"); cancel() })

	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains([]string{"bus ended,bus stop", "bus stop,bus ended"}, strings.Join(d.entries[2:4], ",")) {
		t.Errorf("diary: %v", d.entries)
	}
	d.entries = slices.Delete(d.entries, 2, 4)
	if diff := cmp.Diff([]string{"ready", "worker ended", "database stop"}, d.entries); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFirstFailureEndsTheProcess(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, run := range map[string]func(context.Context) error{
		"relay: disk on fire":    func(context.Context) error { return broken },
		"relay: ended by itself": func(context.Context) error { return nil },
	} {
		var d diary
		group := process.NewGroup(quiet, process.NewHealth(), time.Minute)
		group.Add(d.component("database"), process.Component{Name: "relay", Run: run}, d.component("web"))

		err := group.Run(t.Context(), func() {})

		if err == nil || err.Error() != name || process.ExitStatus(err) != process.Failed {
			t.Errorf("Run = %v", err)
		}
		if len(d.entries) != 4 {
			t.Errorf("%s: diary: %v", name, d.entries)
		}
	}
}

func TestOneThatHangsIsNamedAndLeavesTimeToTheOthers(t *testing.T) {
	var d diary
	release := make(chan struct{})
	defer close(release)
	hang := func(context.Context) error { <-release; return nil }
	group := process.NewGroup(quiet, process.NewHealth(), 200*time.Millisecond)
	group.Add(d.component("database"), process.Component{Name: "stuck run", Run: hang},
		process.Component{Name: "stuck stop", Stop: hang})
	ctx, cancel := context.WithCancel(t.Context())

	err := group.Run(ctx, cancel)

	if err == nil || !strings.Contains(err.Error(), "stuck run") || !strings.Contains(err.Error(), "stuck stop") {
		t.Errorf("Run = %v", err)
	}
	if !slices.Contains(d.entries, "database stop") {
		t.Errorf("diary: %v", d.entries)
	}
}

func TestCloseStopsWhatWasNeverRun(t *testing.T) {
	var d diary
	group := process.NewGroup(quiet, process.NewHealth(), time.Minute)
	group.Add(d.component("database"), d.component("bus"))

	if err := group.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bus stop", "database stop"}, d.entries); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// get asks a handler and gives status and body.
func get(t *testing.T, h http.Handler) (int, map[string]any) {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	body := map[string]any{}
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return answer.Code, body
}

func TestReadinessFollowsTheLifeAndTheChecks(t *testing.T) {
	health := process.NewHealth()
	var broken error
	health.Check("database orders", func(context.Context) error { return broken })
	health.Check("bus", func(context.Context) error { return nil })
	expect := func(when string, status int, want string) {
		t.Helper()
		if code, body := get(t, health.Readyz(false)); code != status || body["status"] != want {
			t.Errorf("%s: %d %v", when, code, body)
		}
		if code, _ := get(t, health.Livez()); code != http.StatusOK {
			t.Errorf("%s: livez %d", when, code)
		}
	}
	expect("before", 503, "starting")
	group := process.NewGroup(quiet, health, time.Minute)
	group.Add(process.Component{Name: "last", Stop: func(context.Context) error {
		expect("at the end", 503, "draining")
		return nil
	}})
	ctx, cancel := context.WithCancel(t.Context())

	err := group.Run(ctx, func() {
		expect("ready", 200, "ok")
		broken = errors.New("locked by pid 1")
		expect("with a failed check", 503, "failed")
		_, public := get(t, health.Readyz(false))
		_, internal := get(t, health.Readyz(true))
		if got := fmt.Sprint(public["checks"]); got != "map[bus:ok database orders:failed]" {
			t.Errorf("public: %s", got)
		}
		if got := fmt.Sprint(internal["checks"]); !strings.Contains(got, "locked by pid 1") {
			t.Errorf("internal: %s", got)
		}
		cancel()
	})

	if err != nil {
		t.Fatal(err)
	}
}

func TestACheckThatHangsFails(t *testing.T) {
	health := process.NewHealth()
	health.Check("hangs", func(ctx context.Context) error { <-ctx.Done(); <-t.Context().Done(); return nil })
	group := process.NewGroup(quiet, health, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())

	group.Run(ctx, func() {
		if code, body := get(t, health.Readyz(true)); code != 503 {
			t.Errorf("%d %v", code, body)
		}
		cancel()
	})
}

func TestRequestsInHandAreAnsweredAndStreamsEndFirst(t *testing.T) {
	begun, streamsEnd := make(chan struct{}), make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-streamsEnd
		io.WriteString(w, "answered")
	})}
	listener, err := process.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	group := process.NewGroup(quiet, process.NewHealth(), time.Minute)
	group.Add(process.HTTP("web", server, listener, func(context.Context) error { close(streamsEnd); return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan string, 1)

	err = group.Run(ctx, func() {
		go func() {
			response, err := http.Get("http://" + listener.Addr().String())
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			answers <- string(body)
		}()
		<-begun
		cancel()
	})

	if err != nil {
		t.Error(err)
	}
	if got := <-answers; got != "answered" {
		t.Errorf("answer: %s", got)
	}
}

func TestRequestsThatTakeTooLongAreCutOff(t *testing.T) {
	begun := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})}
	listener, err := process.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	group := process.NewGroup(quiet, process.NewHealth(), 200*time.Millisecond)
	group.Add(process.HTTP("web", server, listener, func(context.Context) error { return nil }))
	ctx, cancel := context.WithCancel(t.Context())

	err = group.Run(ctx, func() {
		go func() {
			if response, err := http.Get("http://" + listener.Addr().String()); err == nil {
				response.Body.Close()
			}
		}()
		<-begun
		cancel()
	})

	if err == nil || !strings.Contains(err.Error(), "web: requests in hand were cut off") {
		t.Errorf("Run = %v", err)
	}
}

func TestABusyOrImpossibleAddressIsOneClearLine(t *testing.T) {
	busy, err := process.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	address := busy.Addr().String()

	_, err = process.Listen(t.Context(), address)
	if want := "cannot listen on " + address + ": another process does"; err == nil || err.Error() != want {
		t.Errorf("error = %v", err)
	}
	if process.ExitStatus(err) != process.Failed {
		t.Errorf("exit status %d", process.ExitStatus(err))
	}
	_, err = process.Listen(t.Context(), "192.0.2.1:80") // documentation's network: not of this machine
	if err == nil || !strings.HasPrefix(err.Error(), "cannot listen on 192.0.2.1:80: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error = %v", err)
	}
}

func TestReadyIsOneLine(t *testing.T) {
	var out bytes.Buffer
	if err := process.Ready(&out, "http://127.0.0.1:8080"); err != nil || out.String() != "ready http://127.0.0.1:8080\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

type misuse struct{ error }

func (misuse) Usage() bool { return true }

func TestExitStatus(t *testing.T) {
	for err, want := range map[error]int{
		nil:                        process.OK,
		flag.ErrHelp:               process.OK,
		errors.New("failed"):       process.Failed,
		misuse{errors.New("-lst")}: process.Misuse,
	} {
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if got := process.ExitStatus(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

// commandVariable makes the test's binary play a command: see TestMain.
const commandVariable = "PROCESS_TEST_COMMAND"

func TestMain(m *testing.M) {
	command := os.Getenv(commandVariable)
	if command == "" {
		os.Exit(m.Run())
	}
	os.Exit(process.Main(os.Stderr, func(ctx context.Context) error {
		process.Ready(os.Stdout, "http://nowhere")
		<-ctx.Done()
		fmt.Fprintln(os.Stdout, context.Cause(ctx))
		if command == "hangs" {
			select {}
		}
		return nil
	}))
}

// startCommand starts this binary as a command and returns when it is ready.
func startCommand(t *testing.T, command string) (cmd *exec.Cmd, stdout *bufio.Reader, stderr *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	cmd, stderr = exec.CommandContext(ctx, os.Args[0]), &bytes.Buffer{}
	cmd.Env, cmd.Stderr = append(os.Environ(), commandVariable+"="+command), stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout = bufio.NewReader(pipe)
	if line, err := stdout.ReadString('\n'); line != "ready http://nowhere\n" {
		t.Fatalf("stdout: %q, %v", line, err)
	}
	return cmd, stdout, stderr
}

func TestFirstSignalEndsTheContext(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd, stdout, stderr := startCommand(t, "ends")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		line, _ := stdout.ReadString('\n')
		if err := cmd.Wait(); err != nil || line != fmt.Sprintf("signal: %v\n", sig) || stderr.Len() > 0 {
			t.Errorf("%v: %v, stdout %q, stderr %q", sig, err, line, stderr)
		}
	}
}

func TestSecondSignalEndsAtOnceButNotAnEchoOfTheFirst(t *testing.T) {
	cmd, stdout, stderr := startCommand(t, "hangs")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	first := time.Now()
	stdout.ReadString('\n') // the first has been taken
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	var err error
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-again.C:
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		}
	}

	if took := time.Since(first); took < 250*time.Millisecond {
		t.Errorf("ended after %v: an echo was taken for a second signal", took)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != process.Failed {
		t.Errorf("Wait = %v, stderr %q", err, stderr)
	}
	if got := strings.TrimSpace(stderr.String()); got != "kerf: second signal, ending at once" {
		t.Errorf("stderr: %q", got)
	}
}
