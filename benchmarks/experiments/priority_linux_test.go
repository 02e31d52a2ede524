package experiments

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestThePreferredGeneratorLeavesNoTrace(t *testing.T) {
	err := prefer(true)
	defer func() { _ = prefer(false) }()
	if errors.Is(err, unix.EPERM) {
		return // as it is for most users: the generator is as all others
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range policies(t) {
		if policy != unix.SCHED_FIFO {
			t.Errorf("a thread is scheduled by policy %d", policy)
		}
	}
	if err := prefer(false); err != nil {
		t.Fatal(err)
	}
	for _, policy := range policies(t) {
		if policy != unix.SCHED_NORMAL {
			t.Errorf("a thread is still scheduled by policy %d", policy)
		}
	}
	stat, err := exec.Command("cat", "/proc/self/stat").Output()
	if fields := strings.Fields(string(stat)); err != nil || fields[40] != "0" { // its policy: see proc(5)
		t.Errorf("a child is preferred: %s, %v", stat, err)
	}
}

func policies(t *testing.T) (all []int) {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		if attr, err := unix.SchedGetAttr(id, 0); err == nil {
			all = append(all, int(attr.Policy))
		}
	}
	return all
}
