package usage

import (
	"maps"
	"slices"
	"time"
)

// tree is a group that is watched: a process, and what it started.
type tree struct {
	Group
	members map[int]*member
	// lost is what members used that have ended, and whom no member has waited for.
	lost time.Duration
	// atBegin is what had been used when the window began.
	atBegin  time.Duration
	settings map[string]string
	// inherited are the bytes, until the window began, of members that have ended since: they are in the account of whoever waited for them.
	inherited bytesMoved
}

// member is a process of a tree.
type member struct {
	cpu time.Duration
	// parent says that it has, or had, children; reaped is what those used that it has waited for.
	parent bool
	reaped time.Duration
	// bytes, and switches by thread, are those until the window began.
	bytes    bytesMoved
	switches map[int]switches
}

// switches are changes of context.
type switches struct{ voluntary, involuntary int64 }

// bytesMoved are bytes through read and write calls, and to and from the disk.
type bytesMoved struct{ read, written, diskRead, diskWritten int64 }

func (b bytesMoved) plus(o bytesMoved, sign int64) bytesMoved {
	return bytesMoved{b.read + sign*o.read, b.written + sign*o.written, b.diskRead + sign*o.diskRead, b.diskWritten + sign*o.diskWritten}
}

func newTree(g Group) *tree { return &tree{Group: g, members: map[int]*member{}} }

// begin finds the processes, and remembers what they have used until now.
func (t *tree) begin() error {
	*t = *newTree(t.Group)
	if _, err := cpuTime(t.PID); err != nil {
		t.follow()
	}
	cpu, err := cpuTime(t.PID)
	if err != nil {
		return err
	}
	t.settings = readSettings(t.PID)
	t.members[t.PID] = &member{cpu: cpu, parent: t.Children}
	t.discover()
	for pid, m := range t.members {
		m.bytes, m.switches = readBytes(pid), readSwitches(pid)
	}
	t.look()
	t.atBegin = t.total()
	return nil
}

// follow takes the process that is in the place of one that ended for the group's, if there is one.
func (t *tree) follow() bool {
	if t.Next == nil {
		return false
	}
	pid := t.Next()
	if pid == 0 || pid == t.PID {
		return false
	}
	t.PID = pid
	t.members[pid] = &member{parent: t.Children}
	return true
}

// sample looks at all processes again.
func (t *tree) sample(discover bool) {
	if discover {
		t.discover()
	}
	t.look()
	if t.members[t.PID] == nil && t.follow() {
		t.look()
	}
}

// discover finds children that came.
func (t *tree) discover() {
	if !t.Children {
		return
	}
	for open := slices.Collect(maps.Keys(t.members)); len(open) > 0; open = open[1:] {
		for _, child := range children(open[0]) {
			t.members[open[0]].parent = true
			if t.members[child] == nil {
				t.members[child] = &member{}
				open = append(open, child)
			}
		}
	}
}

const (
	// tick is the unit of /proc's times on Linux, whatever the machine.
	tick = time.Second / 100
	// looks bounds how often a look is repeated because a child was waited for while it was taken.
	looks = 5
)

// look reads what the members have used. When a child ends, what it used goes over from its own clock to the account of its parent. If an account changes
// while the clocks are read, they are read again, or the child would be counted twice.
func (t *tree) look() {
	accounts := t.readAccounts()
	var clocks map[int]time.Duration
	for range looks {
		clocks = map[int]time.Duration{}
		for pid := range t.members {
			if cpu, err := cpuTime(pid); err == nil {
				clocks[pid] = cpu
			}
		}
		again := t.readAccounts()
		if maps.Equal(accounts, again) {
			break
		}
		accounts = again
	}
	t.take(clocks, accounts)
}

// readAccounts reads what parents know of children that have ended.
func (t *tree) readAccounts() map[int]time.Duration {
	accounts := map[int]time.Duration{}
	for pid, m := range t.members {
		if m.parent && t.Children {
			if stat, err := readStat(pid); err == nil {
				accounts[pid] = stat.reaped
			}
		}
	}
	return accounts
}

// take takes a look over. What ended members had used must have come up in an account; what has not is lost to whoever adds up the living, and is kept
// here.
func (t *tree) take(clocks, accounts map[int]time.Duration) {
	var ended, grown time.Duration
	for pid, m := range t.members {
		cpu, alive := clocks[pid]
		if !alive {
			ended += m.cpu + m.reaped
			if len(accounts) > 0 {
				t.inherited = t.inherited.plus(m.bytes, 1)
			}
			delete(t.members, pid)
			continue
		}
		m.cpu = cpu
		if account, ok := accounts[pid]; ok {
			grown += account - m.reaped
			m.reaped = account
		}
	}
	missing := ended - grown
	if len(accounts) > 0 && missing <= 2*tick {
		return // user and system time of the account are cut off to ticks
	}
	t.lost += max(0, missing)
}

// total is all that the tree's processes have ever used.
func (t *tree) total() time.Duration {
	sum := t.lost
	for _, m := range t.members {
		sum += m.cpu + m.reaped
	}
	return sum
}

// used is what they have used since the window began.
func (t *tree) used() time.Duration { return max(0, t.total()-t.atBegin) }

// end tells what was used since begin. The last look has been taken.
func (t *tree) end() Process {
	p := Process{Name: t.Name, Role: t.Role, PID: t.PID, CPU: t.used().Seconds(), Settings: t.settings}
	moved := bytesMoved{}.plus(t.inherited, -1)
	for pid, m := range t.members {
		moved = moved.plus(readBytes(pid), 1).plus(m.bytes, -1)
		now := readSwitches(pid)
		for thread, s := range now {
			p.VoluntarySwitches += s.voluntary - m.switches[thread].voluntary
			p.InvoluntarySwitches += s.involuntary - m.switches[thread].involuntary
		}
		p.Threads += len(now)
		p.PSS += readPSS(pid)
	}
	p.BytesRead, p.BytesWritten, p.DiskRead, p.DiskWritten = max(0, moved.read), max(0, moved.written), max(0, moved.diskRead), max(0, moved.diskWritten)
	return p
}
