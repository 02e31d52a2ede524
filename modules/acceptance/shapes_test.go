package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/modules"
	"kerf/platform/config"
)

// shape is a way to deploy Kerf. Start runs it on a new data folder until the test ends, with its domain clock at a speed, and returns
// where its public API answers.
type shape struct {
	name  string
	start func(t *testing.T, speed float64) *server
}

// shapes are those that every scenario has to pass in.
var shapes = append([]shape{
	{"local", monolith("local")},
	{"checked", monolith("checked")},
	{"wire", monolith("wire")},
}, cuts()...)

// The speeds of the domain clock that scenarios choose from.
const (
	// brisk leaves people seconds to do what they have minutes for: an offer lapses after 10 s, a ticket after 20 s.
	brisk = 30
	// hasty has what people leave undone lapse while the test waits: a ticket after one and a half, a quote after nine.
	hasty = 400
)

// server is a running shape.
type server struct {
	url string
	log *journal
}

// monolith runs all modules in this process, with their seams placed as said.
func monolith(placement string) func(*testing.T, float64) *server {
	return func(t *testing.T, speed float64) *server {
		t.Helper()
		cfg, err := config.Load(
			[]string{"-listen", "127.0.0.1:0", "-data", t.TempDir(), "-demo=false", "-speed", fmt.Sprint(speed)},
			[]string{"KERF_PLACEMENT=" + placement, "KERF_LOG_LEVEL=warn", "KERF_LOG_FORMAT=text"},
			config.Command{Name: "kerf", Defaults: config.Default()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		out, stdout := io.Pipe()
		s := &server{log: &journal{}}
		ended := make(chan error, 1)
		go func() {
			err := modules.Serve(ctx, cfg, modules.Options{Version: "acceptance", Stdout: stdout, Stderr: s.log})
			ended <- err
			_ = stdout.CloseWithError(fmt.Errorf("the server ended: %w", err)) // never fails
		}()
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("no server: %v\n%s", err, s.log)
		}
		s.url = strings.TrimSpace(strings.TrimPrefix(line, "ready "))
		t.Cleanup(func() {
			stop()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the server did not drain cleanly: %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("the server does not end")
			}
			for _, line := range s.log.errors() { // a seam that was violated is told of at the end
				t.Errorf("the server logged: %s", line)
			}
			if t.Failed() {
				t.Logf("the server logged:\n%s", s.log)
			}
		})
		return s
	}
}

// journal keeps what a server logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// errors returns the lines that tell of an error.
func (j *journal) errors() []string {
	var found []string
	for line := range strings.Lines(j.String()) {
		if strings.Contains(line, "level=ERROR") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
