package usage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// supported tells whether there is what this package reads.
func supported() error {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return fmt.Errorf("usage: what processes use is read from /proc: %w", err)
	}
	return nil
}

// cpuTime is the user and system time that a process has used with all its threads, also those that have ended. It fails if there is no such process;
// one that has ended and was not waited for is there.
func cpuTime(pid int) (time.Duration, error) {
	// The clock's number, as clock_getcpuclockid(3) makes it: the PID's complement above three bits, of which 2 is the scheduler's own clock.
	const schedulers = 2
	clock := int32(^uint32(pid)<<3 | schedulers)
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("process %d is not there: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// CPUTime is the user and system time that a process has used so far, without its children.
func CPUTime(pid int) (time.Duration, error) { return cpuTime(pid) }

// stat is what /proc/PID/stat tells.
type stat struct {
	state  byte
	parent int
	// reaped is the user and system time of children that the process has waited for, and of theirs.
	reaped  time.Duration
	started uint64 // in ticks since the machine started: with the PID, it names a process for good
}

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return stat{}, err
	}
	// The name, in parentheses, may hold anything; the fields behind it are counted from the state, the third.
	fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
	const state, parent, childrenUser, childrenSystem, started = 0, 1, 13, 14, 19
	if len(fields) <= started {
		return stat{}, fmt.Errorf("process %d: /proc has %d fields", pid, len(fields))
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(string(fields[field]), 10, 64) // the kernel writes numbers
		return n
	}
	return stat{
		state: fields[state][0], parent: int(number(parent)), started: uint64(number(started)),
		reaped: time.Duration(number(childrenUser)+number(childrenSystem)) * tick,
	}, nil
}

func proc(pid int, name ...string) string {
	return filepath.Join(append([]string{"/proc", strconv.Itoa(pid)}, name...)...)
}

// children are the processes that a process has started and that still run, each thread's.
func children(pid int) (all []int) {
	threads, err := os.ReadDir(proc(pid, "task"))
	if err != nil {
		return nil
	}
	for _, thread := range threads {
		content, err := os.ReadFile(proc(pid, "task", thread.Name(), "children"))
		if errors.Is(err, fs.ErrNotExist) {
			if _, gone := os.Stat(proc(pid, "task", thread.Name())); gone == nil {
				return childrenByParent(pid) // a kernel without CONFIG_PROC_CHILDREN
			}
		}
		for _, word := range bytes.Fields(content) {
			if child, err := strconv.Atoi(string(word)); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// childrenByParent asks all processes of the machine for their parent.
func childrenByParent(pid int) (all []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(child); err == nil && s.parent == pid {
			all = append(all, child)
		}
	}
	return all
}

// readBytes are what passed through a process, and through children that it has waited for. Calls of send and recv are not among them.
func readBytes(pid int) (b bytesMoved) {
	content, err := os.ReadFile(proc(pid, "io"))
	if err != nil {
		return b
	}
	return bytesMoved{
		read: named(content, "rchar:"), written: named(content, "wchar:"), diskRead: named(content, "read_bytes:"), diskWritten: named(content, "write_bytes:"),
	}
}

// readSwitches are the changes of context of a process's threads.
func readSwitches(pid int) map[int]switches {
	threads, err := os.ReadDir(proc(pid, "task"))
	if err != nil {
		return nil
	}
	all := make(map[int]switches, len(threads))
	for _, thread := range threads {
		content, err := os.ReadFile(proc(pid, "task", thread.Name(), "status"))
		id, errID := strconv.Atoi(thread.Name())
		if err == nil && errID == nil {
			all[id] = switches{named(content, "voluntary_ctxt_switches:"), named(content, "nonvoluntary_ctxt_switches:")}
		}
	}
	return all
}

// readPSS is a process's own memory and its share of what it has in common with others, in MiB; 0 if the system does not tell.
func readPSS(pid int) float64 {
	content, err := os.ReadFile(proc(pid, "smaps_rollup"))
	if err != nil {
		return 0
	}
	return float64(named(content, "Pss:")) / 1024
}

// named is the number on the line of a file that begins with a name; 0 if there is none.
func named(content []byte, name string) int64 {
	for line := range bytes.Lines(content) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			number, _, _ := bytes.Cut(bytes.TrimSpace(value), []byte(" "))
			n, _ := strconv.ParseInt(string(number), 10, 64)
			return n
		}
	}
	return 0
}

// settingNames are variables that change how a program of Go uses the machine.
var settingNames = []string{"GOMAXPROCS", "GOGC", "GOMEMLIMIT"}

// readSettings are those of a process's environment.
func readSettings(pid int) map[string]string {
	content, err := os.ReadFile(proc(pid, "environ"))
	if err != nil {
		return nil
	}
	var settings map[string]string
	for entry := range strings.SplitSeq(string(content), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		for _, wanted := range settingNames {
			if name == wanted && value != "" {
				if settings == nil {
					settings = map[string]string{}
				}
				settings[name] = value
			}
		}
	}
	return settings
}

// machine is what all processors together have done.
type machine struct {
	cores        int
	idle, stolen time.Duration
}

func readMachine() (m machine, err error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m, err
	}
	for line := range bytes.Lines(content) {
		fields := bytes.Fields(line)
		const idle, waiting, stolen = 4, 5, 8
		switch {
		case len(fields) <= stolen || !bytes.HasPrefix(line, []byte("cpu")):
			return m, nil
		case string(fields[0]) != "cpu":
			m.cores++
			continue
		}
		ticks := func(field int) time.Duration {
			n, _ := strconv.ParseInt(string(fields[field]), 10, 64)
			return time.Duration(n) * tick
		}
		m.idle, m.stolen = ticks(idle)+ticks(waiting), ticks(stolen)
	}
	return m, nil
}
