package acceptance

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the monolith as users run it, built once for all tests that need it.
var binary = sync.OnceValues(func() (string, error) { return build("kerf", "kerf") })

func build(name, command string) (string, error) {
	path := filepath.Join(scratch, name)
	out, err := exec.Command("go", "build", "-o", path, command).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

// process is a running monolith.
type process struct {
	server
	cmd    *exec.Cmd
	lines  chan string   // what it prints on stdout
	exited chan struct{} // closed when it is gone, and status is set
	status int
}

// launch starts one, and does not wait until it is ready. It is killed when the test ends, if it still runs.
func launch(t *testing.T, data, listen string, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"-listen", listen, "-data", data, "-demo=false"}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KERF_") }) // those are for the tests
	cmd.Env = append(cmd.Env, "KERF_LOG_LEVEL=warn", "KERF_LOG_FORMAT=text")
	return execute(t, cmd)
}

// execute starts a server's command, and does not wait until it is ready. It is killed when the test ends, if it still runs.
func execute(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{server: server{log: &journal{}}, cmd: cmd, lines: make(chan string, 16), exited: make(chan struct{})}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
		err := p.cmd.Wait()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			p.status = failed.ExitCode() // -1 if it was killed
		} else if err != nil {
			p.status = -2
		}
		close(p.exited)
	}()
	t.Cleanup(p.kill)
	return p
}

// start launches one and waits until it is ready.
func start(t *testing.T, data, listen string, args ...string) *process {
	t.Helper()
	p := launch(t, data, listen, args...)
	if err := p.ready(patience); err != nil {
		t.Fatal(err)
	}
	return p
}

// ready waits for the line that says where the server answers.
func (p *process) ready(limit time.Duration) error {
	select {
	case line := <-p.lines:
		url, ok := strings.CutPrefix(line, "ready ")
		if !ok {
			return fmt.Errorf("the server prints %q", line)
		}
		p.url = url
		return nil
	case <-p.exited:
		return fmt.Errorf("the server ended with %d:\n%s", p.status, p.log)
	case <-time.After(limit):
		return fmt.Errorf("the server is not ready:\n%s", p.log)
	}
}

// address is where it listens, for the next process on the same data.
func (p *process) address() string { return strings.TrimPrefix(p.url, "http://") }

// kill ends the process as a power cut would: kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // gone already is as good
	<-p.exited
}

// terminate asks the process to end, and returns its exit status.
func (p *process) terminate(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("the server does not drain:\n%s", p.log)
	}
	return p.status
}
