package load

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fineTimer sleeps by a timer of the kernel that is a file (timerfd): the poller of the Go runtime, which rounds its own timers to milliseconds, is woken by
// a file at once. That is about 0.05 ms late, and takes no more CPU than a timer of Go.
type fineTimer struct {
	file *os.File // nil if there can be none
	raw  syscall.RawConn
	read [8]byte
}

func newFineTimer() *fineTimer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &fineTimer{} // coarser, which the lateness then shows
	}
	t := &fineTimer{file: os.NewFile(uintptr(fd), "timer")}
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.close()
	}
	return t
}

func (t *fineTimer) close() {
	if t.file != nil {
		_ = t.file.Close()
		t.file = nil
	}
}

func (t *fineTimer) sleep(d time.Duration) {
	if !t.ask(d) {
		time.Sleep(d)
	}
}

// ask sleeps by the file; it is false if that did not work.
func (t *fineTimer) ask(d time.Duration) bool {
	if t.file == nil {
		return false
	}
	after := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	var failed error
	if err := t.raw.Control(func(fd uintptr) { failed = unix.TimerfdSettime(int(fd), 0, &after, nil) }); err != nil || failed != nil {
		return false
	}
	_, err := t.file.Read(t.read[:])
	return err == nil
}
