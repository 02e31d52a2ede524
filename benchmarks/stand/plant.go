package stand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// burner is a burner that runs.
type burner struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// planting is how long a burner may take to begin.
const planting = 20 * time.Second

// Plant starts a burner beside the modules: the program self, called with BurnCommand, uses share of the CPU that the modules' processes use from now on.
// It ends with the topology and with this process.
func (s *Stand) Plant(ctx context.Context, self string, share float64) error {
	now, err := s.Status()
	if err != nil {
		return err
	}
	var pids []string
	for _, p := range now.Processes {
		pids = append(pids, strconv.Itoa(p.PID))
	}
	said := &announcement{word: "burning", made: make(chan struct{})}
	var complaint bytes.Buffer
	cmd := exec.Command(self, BurnCommand, "-share", strconv.FormatFloat(share, 'g', -1, 64), "-pids", strings.Join(pids, ","))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = said, &complaint, time.Second
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("a burner is planted beside what has ended")
	}
	if err := s.starter.Start(cmd, syscall.SIGKILL); err != nil {
		return fmt.Errorf("the burner does not start: %w", err)
	}
	b := &burner{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		_ = cmd.Wait() // it is killed, or has nothing left to do
	}()
	bounded, cancel := context.WithTimeout(ctx, planting)
	defer cancel()
	select {
	case <-said.made:
		s.burners = append(s.burners, b)
		return nil
	case <-b.ended:
		return fmt.Errorf("the burner does not start: %s", bytes.TrimSpace(complaint.Bytes()))
	case <-bounded.Done():
		b.end()
		return fmt.Errorf("the burner does not start: %w", bounded.Err())
	}
}

// end kills the burner and waits for that.
func (b *burner) end() {
	_ = b.cmd.Process.Kill()
	<-b.ended
}
