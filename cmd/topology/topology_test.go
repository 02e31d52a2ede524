package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/status"
	"kerf/platform/process"
)

func TestATopologyLivesThroughDeathsAndDrainsInOrder(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, "-config", readyMade("halves"))
	s := r.status()
	if s.State != "ready" || s.URL != r.url || s.PID != r.cmd.Process.Pid || !s.TLS || len(s.Processes) != 2 || len(s.Servers) != 1 {
		t.Fatalf("status: %+v", s)
	}
	token, id := r.diner()

	t.Run("what dies is started again, where it was", func(t *testing.T) {
		for _, name := range []string{"back", "front", "kfake"} {
			before, now := childOf(t, r.status(), name), status.Child{}
			if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			await(t, name+" is back", func() error {
				now = childOf(t, r.status(), name)
				if now.State != "ready" || now.PID == before.PID {
					return fmt.Errorf("%+v", now)
				}
				return nil
			})
			if now.Restarts != 1 || now.Ended != "signal: killed" {
				t.Errorf("%+v", now)
			}
		}
		await(t, "the API answers again", func() error { return r.find(token, id) })
		for i, p := range r.status().Processes {
			if p.Internal != s.Processes[i].Internal || p.Listen != s.Processes[i].Listen {
				t.Errorf("%s moved from %s to %s", p.Name, s.Processes[i].Internal, p.Internal)
			}
		}
	})

	t.Run("it drains from the public inwards", func(t *testing.T) {
		r.signal(syscall.SIGTERM)
		if got := r.end(); got != process.OK {
			t.Errorf("exit status %d", got)
		}
		if rest, _ := io.ReadAll(r.stdout); len(rest) > 0 {
			t.Errorf("more on stdout: %q", rest)
		}
		s := r.status()
		if s.State != "ended" || s.Alive() {
			t.Errorf("status: %+v", s)
		}
		order := []status.Child{s.Processes[0].Child, s.Processes[1].Child, s.Servers[0].Child}
		for i, c := range order {
			if c.State != "ended" || c.PID != 0 || c.Ended != "exit status 0" {
				t.Errorf("%+v", c)
			}
			if i > 0 && c.Since.Before(order[i-1].Since) {
				t.Errorf("%s ended before %s", c.Name, order[i-1].Name)
			}
		}
	})
}

// The same folder serves one topology after the other: what the monolith wrote, the split reads, and back.
func TestAnotherTopologyGoesOnWithTheSameData(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, "-config", readyMade("monolith"), "-speed", "60")
	token, id := r.diner()
	for _, name := range []string{"halves", "monolith"} {
		r.signal(syscall.SIGTERM)
		if got := r.end(); got != process.OK {
			t.Fatalf("exit status %d", got)
		}
		r = start(t, data, "-config", readyMade(name))
		if err := r.find(token, id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var clock struct{ Speed float64 }
		if err := call(t, http.MethodGet, r.url+"/v1/clock", "", "", &clock); err != nil || clock.Speed != 60 {
			t.Errorf("%s: speed %v, %v", name, clock.Speed, err)
		}
	}
}

func TestNothingOutlivesATopologyThatIsKilled(t *testing.T) {
	data := t.TempDir()
	shape := "servers: [kfake]\nprocesses: {kerf: {modules: all}}"
	if servers.Check(servers.Postgres) == nil {
		shape = "servers: [kfake, postgres]\nprocesses: {kerf: {modules: all}}"
	}
	r := start(t, data, "-config", file(t, shape))
	s := r.status()

	r.signal(syscall.SIGKILL)

	r.end()
	awaitGone(t, pids(s))
	if r.status().Alive() {
		t.Error("it is taken for alive")
	}
	start(t, data, "-config", file(t, shape)) // and nothing is in the way of the next one
}

func TestASecondSignalEndsAllAtOnce(t *testing.T) {
	r := start(t, t.TempDir(), "-config", readyMade("monolith-kafka"))
	children := pids(r.status())
	// A process that is paused each time it goes on does not end when it is told to.
	paused, resume := context.WithCancel(t.Context())
	defer resume()
	pausing := make(chan struct{})
	go func() {
		defer close(pausing)
		for paused.Err() == nil {
			if syscall.Kill(children[0], syscall.SIGSTOP) != nil {
				return
			}
		}
	}()
	r.signal(syscall.SIGTERM)
	first := time.Now()
	await(t, "the drain has begun", func() error {
		if !strings.Contains(r.log(), "draining") {
			return errors.New("not yet")
		}
		return nil
	})
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for ended := false; !ended; {
		select {
		case <-r.exited:
			ended = true
		case <-again.C:
			_ = r.cmd.Process.Signal(syscall.SIGTERM)
		case <-time.After(limit):
			t.Fatal("it does not end")
		}
	}
	r.exited <- nil

	if took := time.Since(first); took > 10*time.Second {
		t.Errorf("ended after %v", took)
	}
	resume()
	<-pausing
	awaitGone(t, children)
}

func TestAProcessThatCannotStartEndsTheTopologyWithOneLine(t *testing.T) {
	busy, err := process.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	address := busy.Addr().String()
	shape := fmt.Sprintf("servers: [kfake]\nprocesses:\n  kerf: {modules: all, config: {internal: {listen: %q}}}", address)
	r := launch(t, t.TempDir(), "-config", file(t, shape), "-listen", "127.0.0.1:0")

	if got := r.end(); got != process.Failed {
		t.Errorf("exit status %d", got)
	}
	lines := strings.Split(strings.TrimSpace(r.log()), "\n")
	if got, want := lines[len(lines)-1], "kerf: kerf cannot run: exit status 1: cannot listen on "+address+": another process does"; got != want {
		t.Errorf("last line: %s", got)
	}
	if out, _ := io.ReadAll(r.stdout); len(out) > 0 {
		t.Errorf("stdout: %q", out)
	}
	if s := r.status(); s.State != "ended" || s.Servers[0].State != "ended" {
		t.Errorf("status: %+v", s)
	}
}

func TestWhatIsWrongWithACallIsOneErrorAndStartsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":      {nil, "which topology?"},
		"missing file": {[]string{"-config", "none.yaml"}, "topology: none.yaml: no such file or directory"},
		"bad file":     {[]string{"-f", file(t, "servers: [kfak]\nx: 1")}, "topology: 2 problems"},
		"bad flag":     {[]string{"-confg", "x"}, "flag provided but not defined"},
		"argument":     {[]string{"x.yaml"}, `"x.yaml" is no flag`},
		"module":       {[]string{"-f", readyMade("halves"), "-init", "kitchen,kitchn"}, `-init: no process has the module "kitchn"`},
		"not installed": {[]string{"-config", file(t, "servers: [kafka]")},
			"servers: kafka is not here: " + filepath.Join(t.TempDir(), "none") + " holds no"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "not installed" {
				home := filepath.Join(t.TempDir(), "none")
				t.Setenv("KAFKA_HOME", home)
				c.want = "servers: kafka is not here: " + home + " holds no"
			}
			data := filepath.Join(t.TempDir(), "data")
			r := launch(t, data, c.args...)
			if got := r.end(); got != process.Misuse || !strings.Contains(r.log(), c.want) {
				t.Errorf("exit status %d: %s", got, r.log())
			}
			if _, err := os.Stat(data); err == nil {
				t.Error("the data folder was made")
			}
		})
	}
}

func TestAMissingFileIsReplacedOnlyOnRequest(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, "-config", readyMade("halves"))
	r.signal(syscall.SIGTERM)
	r.end()
	for _, name := range []string{"kitchen.db", "kitchen.db-wal", "kitchen.db-shm"} {
		if err := os.Remove(filepath.Join(data, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}

	r = launch(t, data, "-config", readyMade("halves"), "-listen", "127.0.0.1:0")

	if got := r.end(); got != process.Failed || !strings.Contains(r.log(), "kerf: back cannot run: ") || !strings.Contains(r.log(), "-init kitchen") {
		t.Errorf("exit status %d", got)
	}
	start(t, data, "-config", readyMade("halves"), "-init", "kitchen")
}

func TestOneTopologyAtATimeHasAFolder(t *testing.T) {
	data := t.TempDir()
	start(t, data, "-config", readyMade("monolith"))

	second := launch(t, data, "-config", readyMade("monolith"), "-listen", "127.0.0.1:0")

	if got := second.end(); got != process.Failed || !strings.Contains(second.log(), "another topology runs with its data in "+data) {
		t.Errorf("exit status %d: %s", got, second.log())
	}
}

func TestSeveralGatewaysHaveOneAddress(t *testing.T) {
	r := start(t, t.TempDir(), "-config", file(t, `
servers: [kfake]
processes:
  edge: {modules: [gateway], replicas: 2}
  rest: {modules: [consumers, restaurants, kitchen, accounting, delivery, orders, notifications, tracking]}
`))
	token, id := r.diner()
	for _, name := range []string{"edge-1", "edge-2"} {
		p, _ := r.status().Find(name)
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "the address answers without "+name, func() error {
			http.DefaultClient.CloseIdleConnections()
			return r.find(token, id)
		})
		await(t, name+" is back", func() error {
			if now, _ := r.status().Find(name); now.State != "ready" || now.PID == p.PID {
				return fmt.Errorf("%+v", now)
			}
			return nil
		})
	}
	r.signal(syscall.SIGTERM)
	if got := r.end(); got != process.OK {
		t.Errorf("exit status %d", got)
	}
}

func TestReplicasRunOnPostgreSQL(t *testing.T) {
	if err := servers.Check(servers.Postgres); err != nil {
		t.Skip(err)
	}
	data := t.TempDir()
	shape := file(t, "servers: [kfake, postgres]\nprocesses: {kerf: {modules: all, replicas: 2}}")
	r := start(t, data, "-config", shape)
	token, id := r.diner()
	for range 4 {
		http.DefaultClient.CloseIdleConnections() // so that the other replica gets its turn
		if err := r.find(token, id); err != nil {
			t.Error(err)
		}
	}
	before, err := os.ReadFile(r.status().Processes[0].Config)
	if err != nil || !strings.Contains(string(before), "postgres://kerf_orders:") {
		t.Errorf("configuration: %s, %v", before, err)
	}
	r.signal(syscall.SIGTERM)
	if got := r.end(); got != process.OK {
		t.Errorf("exit status %d", got)
	}
	r = start(t, data, "-config", shape)
	if err := r.find(token, id); err != nil {
		t.Error(err)
	}
}
