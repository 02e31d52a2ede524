package experiments

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestThePreferredGeneratorLeavesNoTrace(t *testing.T) {
	if err := prefer(true); err != nil {
		if os.Geteuid() == 0 {
			t.Logf("root may not here: %v", err)
		}
		return // as it is for most users: the generator is as all others
	}
	for _, n := range nicenesses(t) {
		if n != preferred {
			t.Errorf("a thread has the niceness %d", n)
		}
	}
	if err := prefer(false); err != nil {
		t.Fatal(err)
	}
	for _, n := range nicenesses(t) {
		if n != 0 {
			t.Errorf("a thread keeps the niceness %d", n)
		}
	}
	out, err := exec.Command("nice").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != "0" {
		t.Errorf("a child has the niceness %s, %v", got, err)
	}
}

func nicenesses(t *testing.T) (all []int) {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, id) // the kernel tells 20 less niceness
		if err == nil {
			all = append(all, 20-raw)
		}
	}
	return all
}
