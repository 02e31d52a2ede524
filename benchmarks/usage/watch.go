package usage

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Group is a process, with its children if it has some, that plays a part.
type Group struct {
	Name string
	Role Role
	PID  int
	// Children says that what the process starts is counted with it, whether it still runs or has ended.
	Children bool
	// Next is asked for the PID of the process that took the place of one that has ended; 0 if there is none yet. It may be nil. It is called from
	// another goroutine, and often while there is none.
	Next func() int
}

// Self is this process, which generates the load.
func Self() Group { return Group{Name: "generator", Role: Generator, PID: os.Getpid()} }

const (
	// sampleEvery is how often processes are looked at within a window, so that what one that dies has used is known until then.
	sampleEvery = 250 * time.Millisecond
	// discoverEvery is after how many looks new children are looked for. One that comes and goes in between is counted where it was waited for.
	discoverEvery = 4
)

// Watcher tells what groups of processes use between two moments. It is safe for concurrent use.
type Watcher struct {
	mu      sync.Mutex
	groups  []*tree
	began   time.Time
	machine machine
	// stop ends the sampling and waits for it; nil outside of a window.
	stop func()
}

// Watch makes a Watcher, which does nothing before Begin.
func Watch(groups ...Group) *Watcher {
	w := &Watcher{}
	for _, g := range groups {
		w.groups = append(w.groups, newTree(g))
	}
	return w
}

// Begin begins a window. There may be many, one after the other. It fails if a process is not there, or where there is no /proc.
func (w *Watcher) Begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		return errors.New("usage: a window has begun already")
	}
	if err := supported(); err != nil {
		return err
	}
	for _, t := range w.groups {
		if err := t.begin(); err != nil {
			return fmt.Errorf("usage: %s: %w", t.Name, err)
		}
	}
	var err error
	if w.machine, err = readMachine(); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	w.began = time.Now()
	w.sampling()
	return nil
}

// sampling looks at the processes now and then. The caller has the lock.
func (w *Watcher) sampling() {
	quit, ended := make(chan struct{}), make(chan struct{})
	w.stop = func() {
		close(quit)
		<-ended
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for n := 1; ; n++ {
			select {
			case <-ticker.C:
				w.sample(n%discoverEvery == 0)
			case <-quit:
				return
			}
		}
	}()
}

func (w *Watcher) sample(discover bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.groups {
		t.sample(discover)
	}
}

// CPU is the CPU time, in seconds, that the groups of a role have used since the window began. It is cheap.
func (w *Watcher) CPU(role Role) (seconds float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.groups {
		if t.Role == role {
			t.sample(false)
			seconds += t.used().Seconds()
		}
	}
	return seconds
}

// End ends the window and tells what was used in it. A process that ended meanwhile is in it with what it had used at the last look, at most a quarter of
// a second before; with its successor, if it has one, as one process.
func (w *Watcher) End() (Window, error) {
	if !w.halt() {
		return Window{}, errors.New("usage: no window has begun")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.groups {
		t.sample(true)
	}
	seconds := time.Since(w.began).Seconds()
	now, err := readMachine()
	if err != nil {
		return Window{}, fmt.Errorf("usage: %w", err)
	}
	window := Window{
		Seconds: seconds, CPU: map[Role]float64{}, Cores: now.cores, Stolen: (now.stolen - w.machine.stolen).Seconds(),
		Processes: make([]Process, 0, len(w.groups)),
	}
	rest := seconds*float64(now.cores) - (now.idle - w.machine.idle).Seconds() - window.Stolen
	for _, t := range w.groups {
		p := t.end()
		window.Processes = append(window.Processes, p)
		window.CPU[t.Role] += p.CPU
		rest -= p.CPU
	}
	window.CPU[Rest] = rest
	return window, nil
}

// Close ends a window that was not ended.
func (w *Watcher) Close() { w.halt() }

// halt ends the sampling, and tells whether there was a window.
func (w *Watcher) halt() bool {
	w.mu.Lock()
	stop := w.stop
	w.stop = nil
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
	return stop != nil
}
