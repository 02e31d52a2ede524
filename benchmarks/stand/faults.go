package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kerf/benchmarks/usage"
	"kerf/cmd/topology/status"
)

// find gives a process or server by its name in the topology.
func (s *Stand) find(name string) (status.Child, error) {
	now, err := s.Status()
	if err != nil {
		return status.Child{}, err
	}
	for _, c := range childrenOf(now) {
		if c.Name == name {
			return c, nil
		}
	}
	return status.Child{}, fmt.Errorf("the topology has no process and no server %q", name)
}

// running gives the PID of a process or server that runs.
func (s *Stand) running(name string) (pid int, err error) {
	child, err := s.find(name)
	if err == nil && child.PID == 0 {
		err = fmt.Errorf("%s does not run: it is %s", name, child.State)
	}
	return child.PID, err
}

// Kill kills a process or server with SIGKILL, by its name in the topology, which starts it again. It returns when that was; see Ready for when it is
// back.
func (s *Stand) Kill(name string) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid, err := s.running(name)
	if err != nil {
		return time.Time{}, err
	}
	s.killed[name] = pid
	at := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return time.Time{}, fmt.Errorf("killing %s: %w", name, err)
	}
	return at, nil
}

// Pause stops a process or server with all its children in their tracks, until Resume or Stop. The topology does not notice.
func (s *Stand) Pause(name string) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid, err := s.running(name)
	if err != nil {
		return time.Time{}, err
	}
	at := time.Now()
	// The parent first: what is stopped starts no more children.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return time.Time{}, fmt.Errorf("pausing %s: %w", name, err)
	}
	s.paused[name] = usage.Tree(pid)
	for _, id := range s.paused[name] {
		_ = syscall.Kill(id.PID, syscall.SIGSTOP) // a child may just have ended
	}
	return at, nil
}

// Resume has what Pause stopped go on.
func (s *Stand) Resume(name string) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused[name] == nil {
		return time.Time{}, fmt.Errorf("%s is not paused", name)
	}
	s.resume(name)
	return time.Now(), nil
}

// resume has processes go on. The caller has the lock.
func (s *Stand) resume(name string) {
	for _, id := range s.paused[name] {
		if id.Alive() {
			_ = syscall.Kill(id.PID, syscall.SIGCONT)
		}
	}
	delete(s.paused, name)
}

// looking is how often the topology's status is looked at while somebody waits; it is read only when it is a new one.
const looking = 2 * time.Millisecond

// Ready waits until a process or server is ready: one that was killed, until its successor is. It returns when that was seen, which is some milliseconds
// after the topology has seen it. It fails if the topology or ctx ends.
func (s *Stand) Ready(ctx context.Context, name string) (time.Time, error) {
	s.mu.Lock()
	former := s.killed[name]
	s.mu.Unlock()
	ticker := time.NewTicker(looking)
	defer ticker.Stop()
	var seen os.FileInfo
	for {
		if info, err := os.Stat(filepath.Join(s.data, status.File)); err == nil && (seen == nil || !os.SameFile(seen, info)) {
			seen = info
			child, err := s.find(name)
			if err != nil {
				return time.Time{}, err
			}
			if child.State == "ready" && child.PID != former {
				return time.Now(), nil
			}
		}
		select {
		case <-ticker.C:
		case <-s.ended:
			return time.Time{}, errors.New("the topology has ended: " + s.lastWords().Error())
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s is not ready: %w", name, context.Cause(ctx))
		}
	}
}
