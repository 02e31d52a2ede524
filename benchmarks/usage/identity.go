package usage

import "slices"

// ID is one process. A PID is given to another one when it is free again; this is not.
type ID struct {
	PID     int
	started uint64
}

// Identify gives the process that has a PID now; ok is false if none has, or it has ended and only was not waited for.
func Identify(pid int) (id ID, ok bool) {
	s, err := readStat(pid)
	return ID{pid, s.started}, err == nil && s.state != zombie
}

const zombie = 'Z'

// Alive tells whether the process still runs.
func (i ID) Alive() bool {
	now, ok := Identify(i.PID)
	return ok && now == i
}

// Tree are a process and all that it, and what it started, have started and that still run.
func Tree(pid int) (all []ID) {
	for open := []int{pid}; len(open) > 0; open = open[1:] {
		id, ok := Identify(open[0])
		if ok && !slices.Contains(all, id) {
			all = append(all, id)
			open = append(open, children(open[0])...)
		}
	}
	return all
}
