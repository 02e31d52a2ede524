package console

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage tells what processes take of the machine, as far as the system tells it (Linux does).
type Usage struct {
	last map[int]sample
}

type sample struct {
	cpu time.Duration
	at  time.Time
}

// Take looks at a process: the percentage of a core that it took since the last look, below 0 at the first, and its proportional memory in bytes.
func (u *Usage) Take(pid int) (cpu float64, pss uint64) {
	used, ok := cpuTime(pid)
	if !ok {
		return -1, 0
	}
	now := sample{used, time.Now()}
	cpu = -1
	if before, seen := u.last[pid]; seen && now.at.After(before.at) {
		cpu = 100 * float64(now.cpu-before.cpu) / float64(now.at.Sub(before.at))
	}
	if u.last == nil {
		u.last = map[int]sample{}
	}
	u.last[pid] = now
	return cpu, proportional(pid)
}

// tick is the unit of /proc's times on Linux, whatever the machine.
const tick = time.Second / 100

// cpuTime is the processor's time of a process, in user mode and in the system's.
func cpuTime(pid int) (time.Duration, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The name, in parentheses, may hold anything; the fields behind it are counted from the state, the third.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, false
	}
	user, errUser := strconv.ParseInt(string(fields[11]), 10, 64)
	system, errSystem := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * tick, errUser == nil && errSystem == nil
}

// proportional is a process's own memory and its share of what it has in common with others.
func proportional(pid int) uint64 {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(rollup) {
		if value, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
			kilobytes, _ := strconv.ParseUint(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
