package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/usage"
)

// Children are the names of the subcommands that component experiments start this program with: hidden, since nobody else has use for them.
var Children = []string{"bus", "serve", "call", "codec"}

// Child runs one of Children; args begin with its name. A child writes its result as JSON on stdout, and ends with ctx; one that was started with tied
// as its second argument ends when its standard input does too, and so does not outlive whoever holds the other end.
func Child(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("which child?")
	}
	name, args := args[0], args[1:]
	if len(args) > 0 && args[0] == tied {
		args = args[1:]
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			defer cancel()
			_, _ = io.Copy(io.Discard, os.Stdin) // however that ends
		}()
	}
	switch name {
	case "bus":
		return busChild(ctx, args, stdout, stderr)
	case "serve":
		return serveChild(ctx, args, stdout, stderr)
	case "call":
		return callChild(ctx, args, stdout, stderr)
	case "codec":
		return codecChild(ctx, args, stdout, stderr)
	}
	return fmt.Errorf("there is no child %q", name)
}

const tied = "tied"

// report is the part of a lab.Record that a child fills in; it has the same names.
type report struct {
	Values     map[string]float64      `json:"values,omitempty"`
	Samples    map[string]int64        `json:"samples,omitempty"`
	Spectra    map[string]lab.Spectrum `json:"spectra,omitempty"`
	Usage      *usage.Window           `json:"usage,omitempty"`
	Others     map[string]lab.Others   `json:"others,omitempty"`
	Errors     map[string]int64        `json:"errors,omitempty"`
	Violations map[string]int          `json:"violations,omitempty"`
	Told       []string                `json:"told,omitempty"`
}

// child is this program, started for one task. Its standard input is held open for as long as it may live.
type child struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	holds  io.WriteCloser
	errors bytes.Buffer
}

// childGrace is how long a child may take to end when it is told to.
const childGrace = 5 * time.Second

// startChild starts a child; it has to be ended.
func startChild(ctx context.Context, t *lab.Trial, name string, args ...string) (*child, error) {
	c := &child{cmd: exec.CommandContext(ctx, t.Self, append([]string{name, tied}, args...)...)}
	c.cmd.Stderr = &c.errors
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = childGrace
	var err error
	if c.holds, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the child %s: %w", name, err)
	}
	return c, nil
}

// hear reads the next JSON that the child writes.
func (c *child) hear(into any) error { return json.NewDecoder(c.out).Decode(into) }

// end lets go of the child and waits for it. The error is its last words, unless it was told to end.
func (c *child) end() error {
	_ = c.holds.Close()
	err := c.cmd.Wait()
	if err == nil {
		return nil
	}
	words := strings.TrimSpace(c.errors.String())
	if i := strings.LastIndexByte(words, '\n'); i >= 0 {
		words = words[i+1:]
	}
	return fmt.Errorf("%s: %w: %s", c.cmd.Args[1], err, words)
}

// ask runs a child to its end, and fills what it reports into the trial's record.
func ask(ctx context.Context, t *lab.Trial, name string, args ...string) error {
	c, err := startChild(ctx, t, name, args...)
	if err != nil {
		return err
	}
	heard := c.hear(t.Record)
	if err := c.end(); err != nil {
		return err
	}
	if heard != nil {
		return fmt.Errorf("%s reported nothing: %w", name, heard)
	}
	return nil
}

// tell writes a child's result.
func tell(stdout io.Writer, result any) error { return json.NewEncoder(stdout).Encode(result) }

// overWindow runs an open loop to its end; what is due in the window after the warm-up is recorded, and what the watched processes use in it is told.
func overWindow(
	ctx context.Context, loop load.Open, warmup, window time.Duration, watch *usage.Watcher,
) (outcome load.Outcome, used usage.Window, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		var err error
		outcome, err = loop.Run(ctx)
		ended <- err
	}()
	err = func() error {
		if err := wait(ctx, warmup); err != nil {
			return err
		}
		loop.Recorder.Begin()
		if err := watch.Begin(); err != nil {
			return err
		}
		if err := wait(ctx, window); err != nil {
			return err
		}
		loop.Recorder.End()
		used, err = watch.End()
		return err
	}()
	if err != nil {
		cancel(err)
	}
	if loopErr := <-ended; err == nil {
		err = loopErr
	}
	return outcome, used, err
}

const (
	// lateTries is how often a part at a fixed rate is tried.
	lateTries    = 3
	judgedByPart = "judged for the part at the fixed rate alone: one in which the generator was late, or others had over a fifth of the machine, is repeated, up to twice, and then left out; parts without arrivals are judged by what others had"
)

// beside notes what others had of the machine in a window of the run.
func (r *report) beside(window string, w usage.Window) {
	if r.Others == nil {
		r.Others = map[string]lab.Others{}
	}
	r.Others[window] = lab.OthersIn(w)
}

// punctual makes a part at a fixed rate, and makes it again if the generator was too late for what it sent to count, or others had too much of the machine. It
// returns what was measured last, and how many tries do not count: all of them if what was measured does not.
func punctual(op string, try func() (load.Snapshot, usage.Window, error)) (s load.Snapshot, w usage.Window, late int, err error) {
	for ; late < lateTries; late++ {
		if s, w, err = try(); err != nil {
			return s, w, late, err
		}
		part := &lab.Record{Sends: s.Arrivals, Missed: s.Missed, Others: map[string]lab.Others{"": lab.OthersIn(w)}}
		of, ok := s.Ops[op]
		if !ok {
			return s, w, late, errors.New("nothing was sent at the fixed rate")
		}
		keep(part, "all/response", of.Response)
		keep(part, "scheduled/lateness", of.Scheduled)
		if lab.Void(part) == "" {
			return s, w, late, nil
		}
	}
	return s, w, late, nil
}
