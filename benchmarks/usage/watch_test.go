//go:build linux

package usage_test

import (
	"math"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"kerf/benchmarks/usage"
)

// near fails if a figure is further from the truth than a margin, in seconds.
func near(t *testing.T, what string, got float64, want time.Duration, margin time.Duration) {
	t.Helper()
	if math.Abs(got-want.Seconds()) > margin.Seconds() {
		t.Errorf("%s: %.4f s, want %.4f ± %.3f", what, got, want.Seconds(), margin.Seconds())
	}
}

func begin(t *testing.T, groups ...usage.Group) *usage.Watcher {
	t.Helper()
	w := usage.Watch(groups...)
	if err := w.Begin(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func end(t *testing.T, w *usage.Watcher) usage.Window {
	t.Helper()
	got, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAProcessHasUsedWhatItSaysItself(t *testing.T) {
	c := startChild(t, "GOGC=50", "GOMAXPROCS=1")
	before := c.do("burn 20ms") // is not in the window
	w := begin(t, usage.Group{Name: "orders", Role: usage.Modules, PID: c.pid()}, usage.Self())

	after := c.do("burn 150ms")

	got := end(t, w)
	p := got.Processes[0]
	near(t, "CPU", p.CPU, after-before, 3*time.Millisecond)
	near(t, "by role", got.CPU[usage.Modules], after-before, 3*time.Millisecond)
	if p.Name != "orders" || p.Role != usage.Modules || p.PID != c.pid() {
		t.Errorf("process: %+v", p)
	}
	if p.PSS < 1 || p.PSS > 200 || p.Threads < 2 || p.VoluntarySwitches < 1 || p.BytesRead < 11 || p.BytesWritten < 5 {
		t.Errorf("process: %+v", p)
	}
	if p.Settings["GOGC"] != "50" || p.Settings["GOMAXPROCS"] != "1" || len(p.Settings) != 2 {
		t.Errorf("settings: %v", p.Settings)
	}
	if got.Seconds < 0.15 || got.Cores < 1 || len(got.Processes) != 2 {
		t.Errorf("window: %+v", got)
	}
}

func TestChildrenThatComeAndGoAreCounted(t *testing.T) {
	c := startChild(t)
	before := c.do("spawn 30ms")
	w := begin(t, usage.Group{Name: "postgres", Role: usage.Database, PID: c.pid(), Children: true})

	for range 4 {
		c.do("spawn 30ms")
	}
	after := c.do("burn 30ms")

	// What children that have ended used is known to two ticks of 10 ms.
	near(t, "CPU", end(t, w).CPU[usage.Database], after-before, 22*time.Millisecond)
}

func TestWhatAProcessStartsIsAnothersIfItIsToBeAlone(t *testing.T) {
	c := startChild(t)
	w := begin(t, usage.Group{Name: "topology", Role: usage.Launcher, PID: c.pid()})

	c.do("spawn 200ms")

	if got := end(t, w).CPU[usage.Launcher]; got > 0.1 {
		t.Errorf("%.3f s: its child's are among them", got)
	}
}

func TestAChildThatStillRunsIsCounted(t *testing.T) {
	c := startChild(t)
	w := begin(t, usage.Group{Name: "all", Role: usage.Broker, PID: os.Getpid(), Children: true})
	before := w.CPU(usage.Broker)

	used := c.do("burn 200ms")

	if got := end(t, w).CPU[usage.Broker] - before; got < 0.9*used.Seconds() {
		t.Errorf("%.3f s, though the child alone used %v", got, used)
	}
}

func TestWhatDiesInTheWindowHasUsedWhatItHadAtTheLastLook(t *testing.T) {
	c, other := startChild(t), startChild(t)
	before := c.do("burn 1ms")
	var next atomic.Int64
	w := begin(t,
		usage.Group{Name: "orders", Role: usage.Modules, PID: c.pid(), Next: func() int { return int(next.Load()) }},
		usage.Group{Name: "kitchen", Role: usage.Modules, PID: other.pid()})
	used := c.do("burn 100ms")
	seen := w.CPU(usage.Modules) // looks
	c.end()
	successor := startChild(t)
	next.Store(int64(successor.pid()))
	more := successor.do("burn 100ms")

	got := end(t, w)

	near(t, "before the death", seen, used-before, 10*time.Millisecond)
	near(t, "both lives", got.Processes[0].CPU, used-before+more, 20*time.Millisecond)
	if p := got.Processes[0]; p.PID != successor.pid() || p.PSS == 0 {
		t.Errorf("its successor is %d: %+v", successor.pid(), p)
	}
	if p := got.Processes[1]; p.CPU > 0.05 {
		t.Errorf("the one that did nothing: %+v", p)
	}
}

func TestNothingIsLeftOfWhatHasNoSuccessor(t *testing.T) {
	c := startChild(t)
	w := begin(t, usage.Group{Name: "kafka", Role: usage.Broker, PID: c.pid(), Children: true})
	used := c.do("burn 100ms")
	seen := w.CPU(usage.Broker)
	c.end()

	got := end(t, w).Processes[0]

	if got.CPU < seen || got.CPU > used.Seconds()+0.05 || got.PSS != 0 || got.Threads != 0 {
		t.Errorf("%+v, seen %.3f, used %v", got, seen, used)
	}
}

func TestRestIsWhatIsNotWatched(t *testing.T) {
	watched, other := startChild(t), startChild(t)
	w := begin(t, usage.Group{Name: "orders", Role: usage.Modules, PID: watched.pid()})

	watched.do("burn 300ms")
	other.do("burn 300ms")

	// The machine may be busy with other things, and idle time is known to ticks of each processor.
	got := end(t, w)
	if rest := got.CPU[usage.Rest]; rest < 0.25 || rest > got.Seconds*float64(got.Cores)-0.29 {
		t.Errorf("rest is %.3f s: %+v", rest, got)
	}
}

func TestWindowsFollowOneAnother(t *testing.T) {
	c := startChild(t)
	w := begin(t, usage.Group{Name: "orders", Role: usage.Modules, PID: c.pid()})
	if err := w.Begin(); err == nil {
		t.Error("a window began within another")
	}
	c.do("burn 200ms")
	end(t, w)
	if _, err := w.End(); err == nil {
		t.Error("a window ended twice")
	}
	before := c.do("burn 1ms")
	if err := w.Begin(); err != nil {
		t.Fatal(err)
	}

	after := c.do("burn 50ms")

	near(t, "the second window", end(t, w).CPU[usage.Modules], after-before, 5*time.Millisecond)
}

func TestAProcessThatIsNotThereIsAnError(t *testing.T) {
	c := startChild(t)
	id, ok := usage.Identify(c.pid())
	if !ok || !id.Alive() || len(usage.Tree(c.pid())) != 1 {
		t.Errorf("%+v is not alive", id)
	}
	c.end()
	if id.Alive() {
		t.Error("it is taken for alive")
	}
	w := usage.Watch(usage.Group{Name: "orders", PID: c.pid()})
	if err := w.Begin(); err == nil {
		t.Error("a process that has ended is watched")
	}
}
