package stand

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// burner is a burner that runs.
type burner struct {
	cmd    *exec.Cmd
	burned atomic.Int64 // in nanoseconds, as it said last
	begun  chan struct{}
	ended  chan struct{}
}

// planting is how long a burner may take to begin.
const planting = 20 * time.Second

// Plant starts a burner beside the modules: the program self, called with BurnCommand, does work that takes share of the CPU that the modules' processes use
// from now on. It ends with the topology and with this process. Burned tells how much work it has done.
func (s *Stand) Plant(ctx context.Context, self string, share float64) error {
	now, err := s.Status()
	if err != nil {
		return err
	}
	var pids []string
	for _, p := range now.Processes {
		pids = append(pids, strconv.Itoa(p.PID))
	}
	var complaint bytes.Buffer
	cmd := exec.Command(self, BurnCommand, "-share", strconv.FormatFloat(share, 'g', -1, 64), "-pids", strings.Join(pids, ","))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr, cmd.WaitDelay = &complaint, time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("the burner does not start: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("a burner is planted beside what has ended")
	}
	if err := s.starter.Start(cmd, syscall.SIGKILL); err != nil {
		return fmt.Errorf("the burner does not start: %w", err)
	}
	b := &burner{cmd: cmd, begun: make(chan struct{}), ended: make(chan struct{})}
	go b.follow(out)
	bounded, cancel := context.WithTimeout(ctx, planting)
	defer cancel()
	select {
	case <-b.begun:
		s.burners = append(s.burners, b)
		return nil
	case <-b.ended:
		return fmt.Errorf("the burner does not start: %s", bytes.TrimSpace(complaint.Bytes()))
	case <-bounded.Done():
		b.end()
		return fmt.Errorf("the burner does not start: %w", bounded.Err())
	}
}

// Burned is how much CPU time the burners have burned since they were planted, by their own count.
func (s *Stand) Burned() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all time.Duration
	for _, b := range s.burners {
		all += time.Duration(b.burned.Load())
	}
	return all
}

// follow keeps what the burner says, until it has ended.
func (b *burner) follow(out io.Reader) {
	defer close(b.ended)
	begun := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		burned, err := time.ParseDuration(lines.Text())
		if err != nil {
			continue // it is another program; Plant waits for what a burner says
		}
		b.burned.Store(int64(burned))
		if !begun {
			begun = true
			close(b.begun)
		}
	}
	_ = b.cmd.Wait() // it is killed, or has nothing left to do
}

// end kills the burner and waits for that.
func (b *burner) end() {
	_ = b.cmd.Process.Kill()
	<-b.ended
}
