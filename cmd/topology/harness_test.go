package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kerf/cmd/topology/status"
)

// asTopology has the test's binary be this command; children are it by their first argument.
const asTopology = "TOPOLOGY_TEST_COMMAND"

func TestMain(m *testing.M) {
	child := len(os.Args) > 1 && (os.Args[1] == "module" || os.Args[1] == "kfake")
	if child || os.Getenv(asTopology) != "" {
		main()
	}
	os.Exit(m.Run())
}

// limit is how long a test waits for what must come.
const limit = time.Minute

// running is a topology in a process of its own.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	url  string
	// exited gets the end of the process, once.
	exited chan error
	stdout *bufio.Reader

	mu     sync.Mutex
	stderr bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.Write(p)
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

// launch starts a topology, and does not wait for it.
func launch(t *testing.T, data string, args ...string) *running {
	t.Helper()
	r := &running{t: t, data: data, exited: make(chan error, 1)}
	r.cmd = exec.Command(os.Args[0], append([]string{"-data", data}, args...)...)
	r.cmd.Env = append(os.Environ(), asTopology+"=1")
	r.cmd.Stderr = r
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout = bufio.NewReader(stdout)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.exited <- r.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s", r.log())
		}
	})
	return r
}

// start starts a topology on a free public port, and waits until it is ready.
func start(t *testing.T, data string, args ...string) *running {
	t.Helper()
	r := launch(t, data, append(args, "-listen", "127.0.0.1:0")...)
	line, err := r.stdout.ReadString('\n')
	url, ok := strings.CutPrefix(line, "ready ")
	if err != nil || !ok {
		t.Fatalf("stdout: %q, %v", line, err)
	}
	r.url = strings.TrimSpace(url)
	return r
}

// end waits until the topology has ended, and returns its exit status.
func (r *running) end() int {
	r.t.Helper()
	select {
	case err := <-r.exited:
		r.exited <- err
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		r.t.Fatal("it does not end")
		return 0
	}
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) status() status.Topology {
	r.t.Helper()
	s, err := status.Read(r.data)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// await tries until ok succeeds.
func await(t *testing.T, what string, ok func() error) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(limit)
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// pids are all processes that a topology started.
func pids(s status.Topology) (all []int) {
	for _, p := range s.Processes {
		all = append(all, p.PID)
	}
	for _, server := range s.Servers {
		all = append(all, server.PID)
	}
	return all
}

// awaitGone waits until none of the processes is left.
func awaitGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		await(t, "a child outlives its topology", func() error {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil || strings.Contains(string(stat), ") Z ") {
				return nil
			}
			return fmt.Errorf("%s", stat)
		})
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readyMade(name string) string {
	return filepath.Join("..", "..", "deploy", "topologies", name+".yaml")
}

// call asks the public API and decodes its answer.
func call(t *testing.T, method, url, token string, body string, answer any) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()))
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, url, response.Status, content)
	}
	return json.Unmarshal(content, answer)
}

// diner registers one, and returns how to ask for it.
func (r *running) diner() (token, id string) {
	r.t.Helper()
	var made struct{ Token, ID string }
	if err := call(r.t, http.MethodPost, r.url+"/v1/tokens", "", `{"roles":["consumer"]}`, &made); err != nil {
		r.t.Fatal(err)
	}
	token = made.Token
	if err := call(r.t, http.MethodPost, r.url+"/v1/consumers", token, `{"name":"Ada","email":"ada@example.org"}`, &made); err != nil {
		r.t.Fatal(err)
	}
	return token, made.ID
}

func (r *running) find(token, id string) error {
	var found struct{ ID string }
	err := call(r.t, http.MethodGet, r.url+"/v1/consumers/"+id, token, "", &found)
	if err == nil && found.ID != id {
		err = fmt.Errorf("found %q", found.ID)
	}
	return err
}

func childOf(t *testing.T, s status.Topology, name string) status.Child {
	t.Helper()
	if p, ok := s.Find(name); ok {
		return p.Child
	}
	at := slices.IndexFunc(s.Servers, func(s status.Server) bool { return s.Name == name })
	if at < 0 {
		t.Fatalf("no %s in %+v", name, s)
	}
	return s.Servers[at].Child
}
