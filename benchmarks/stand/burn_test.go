//go:build linux

package stand_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/stand"
	"kerf/benchmarks/usage"
)

// process is a child that is the test's binary.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	orders io.WriteCloser
	says   *bufio.Scanner
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.says = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// hear waits for a line.
func (p *process) hear(want string) {
	p.t.Helper()
	if !p.says.Scan() || p.says.Text() != want {
		p.t.Fatalf("it says %q, want %q: %v", p.says.Text(), want, p.says.Err())
	}
}

// await tries until ok is true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(limit); !ok(); {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal(what)
		}
	}
}

func used(t *testing.T, pid int) time.Duration {
	t.Helper()
	cpu, err := usage.CPUTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}

// What a burner burns is known by its count, so that neither the test nor the laboratory needs a clock of CPU time for it.
func TestABurnerCountsItsShareAndEndsWithItsVictim(t *testing.T) {
	v := startProcess(t, victim)
	b := startProcess(t, stand.BurnCommand, "-share", "0.5", "-pids", fmt.Sprint(v.cmd.Process.Pid))
	b.hear("0s")
	before, accounted := used(t, v.cmd.Process.Pid), used(t, b.cmd.Process.Pid)

	for range 10 { // with pauses, as a server has
		fmt.Fprintln(v.orders, "60ms")
		v.hear("done")
	}

	// Its victim's CPU is known to it to two ticks of 10 ms, and its work to a unit of a tenth of a millisecond or so.
	want := (used(t, v.cmd.Process.Pid) - before) / 2
	var counted time.Duration
	defer time.AfterFunc(limit, b.kill).Stop()
	for counted < want-11*time.Millisecond && b.says.Scan() {
		var err error
		if counted, err = time.ParseDuration(b.says.Text()); err != nil {
			t.Fatal(err)
		}
	}
	if counted < want-11*time.Millisecond || counted > want+12*time.Millisecond {
		t.Errorf("it counts %v, want %v", counted, want)
	}
	// Its clock, which runs on for interruptions and for its looking, agrees with its count.
	accounted = used(t, b.cmd.Process.Pid) - accounted
	if ratio := float64(accounted) / float64(counted); ratio < 0.9 || ratio > 1.4 {
		t.Errorf("it has used %v by its clock, and counts %v", accounted, counted)
	}
	v.kill()
	if err := b.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestABurnerIsCalledRightly(t *testing.T) {
	for args, want := range map[string]string{
		"-pids 1":                    "-share",
		"-share x -pids 1":           "share",
		"-share 0.1":                 "-pids",
		"-share 0.1 -pids one":       `"one" is no process`,
		"-share 0.1 -pids 999999999": "not there",
	} {
		err := stand.Burn(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestLabABurnerIsPlantedBesideTheModules(t *testing.T) {
	s := start(t, stand.Config{Topology: readyMade("monolith")})
	if err := s.Plant(t.Context(), "nowhere/burner", 0.2); err == nil || !strings.Contains(err.Error(), "the burner does not start") {
		t.Errorf("error = %v", err)
	}
	if err := s.Plant(t.Context(), os.Args[0], -1); err == nil || !strings.Contains(err.Error(), "-share") {
		t.Errorf("error = %v", err)
	}
	if err := s.Plant(t.Context(), os.Args[0], 1); err != nil {
		t.Fatal(err)
	}
	w, err := s.Watch()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(); err != nil {
		t.Fatal(err)
	}
	before := s.Burned()
	await(t, "the modules use nothing", func() bool {
		for range 20 {
			_ = answers(t, s.URL())
		}
		return w.CPU(usage.Modules) > 0.2
	})
	// Then they rest, and it comes up with them.
	await(t, "not enough is burned", func() bool { return (s.Burned() - before).Seconds() > 0.9*w.CPU(usage.Modules) })

	window, err := w.End()

	if err != nil {
		t.Fatal(err)
	}
	// Ticks may be off by two of 10 ms.
	counted := (s.Burned() - before).Seconds()
	if used := window.CPU[usage.Modules]; counted > 1.1*used+0.02 {
		t.Errorf("%.3f s burned beside %.3f s of the modules, want as much", counted, used)
	}
	if planted := window.CPU[usage.Planted]; planted < 0.9*counted || planted > 1.4*counted {
		t.Errorf("%.3f s planted by their clock, and %.3f s by the burner's count", planted, counted)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for _, p := range window.Processes {
		if _, there := usage.Identify(p.PID); there && p.Role != usage.Generator {
			t.Errorf("%s is left", p.Name)
		}
	}
}

func TestLabNothingOutlivesWhoPutItOnTheStandEvenKilled(t *testing.T) {
	path, err := launcher()
	if err != nil {
		t.Fatal(err)
	}
	o := startProcess(t, owner, path, readyMade("monolith-kafka"), t.TempDir())
	o.hear("started")
	tree := usage.Tree(o.cmd.Process.Pid)
	if len(tree) < 5 { // itself, topology, kfake, module, burner
		t.Fatalf("%d processes", len(tree))
	}

	o.kill()

	for _, id := range tree {
		await(t, fmt.Sprintf("process %d is left", id.PID), func() bool { return !id.Alive() })
	}
}
