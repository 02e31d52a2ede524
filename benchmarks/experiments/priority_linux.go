package experiments

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// preferred is the niceness of the generator while it drives: before all others, where the machine permits it.
const preferred = -10

// prefer has this process run before others that want the processor, or as all others again. Its share of the CPU is small, but where it has to wait for
// its turn, requests are late, and answers seem to be: what is measured then is the generator. A process that it starts meanwhile would be preferred
// too, so nothing is to be started until it is as all others again. The error says that it may not; usually only root may.
func prefer(yes bool) error {
	niceness := 0
	if yes {
		niceness = preferred
	}
	for range 2 { // a thread may be born while the others are told; it inherits from one of them
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, niceness); err != nil && err != syscall.ESRCH {
				return fmt.Errorf("set the priority of the generator: %w", err)
			}
		}
	}
	return nil
}
