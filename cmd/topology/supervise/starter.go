package supervise

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Starter starts programs that die with this process. One is enough for all; Close it when they have ended.
//
// The kernel tells a child of the death of the thread that started it, which need not be that of the process: Go's threads come and go.
// So one thread starts them all, and lives as long as they do.
type Starter struct {
	jobs chan job
	done chan struct{}
}

type job struct {
	cmd     *exec.Cmd
	orphan  syscall.Signal
	started chan error
}

// NewStarter makes a Starter, with its thread.
func NewStarter() *Starter {
	s := &Starter{jobs: make(chan job), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *Starter) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // a goroutine that ends locked takes its thread along, and that would be the death of the children
	for {
		select {
		case j := <-s.jobs:
			bind(j.cmd, j.orphan)
			j.started <- j.cmd.Start()
		case <-s.done:
			return
		}
	}
}

// Start starts cmd in a process group of its own. The program gets the signal orphan if this process dies.
func (s *Starter) Start(cmd *exec.Cmd, orphan syscall.Signal) error {
	started := make(chan error, 1)
	s.jobs <- job{cmd, orphan, started}
	return <-started
}

// Close ends the thread. Nothing may be started afterwards.
func (s *Starter) Close() { close(s.done) }
