package stand

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BurnCommand is the first argument by which a program shall call Burn with the others: see Plant.
const BurnCommand = "burn"

const (
	// burnEvery is how often a burner looks at what the processes have used. To wake, to look, and to be interrupted is no work that it counts, but its clock of
	// CPU time runs on: 4 to 14 % more than its count were measured, the more the busier the machine.
	burnEvery = 500 * time.Millisecond
	// timings is how many units of work are timed to know what one costs: together they take a tenth of a second.
	timings = 1001
)

// Burn is the command "burn -share S -pids A,B,…": beside the processes it does work that takes the share S of the CPU that they use, as if they needed
// so much more. It says what it has burned so far, as a duration on a line of its own: "0s" when it begins, and again after each piece of
// work. It returns when the processes, its parent or ctx have ended.
//
// It is there to have package usage checked, so nothing of that goes into it: it sizes its work by the ticks in /proc/PID/stat, and says how much that was
// by counting units of work, whose cost it has timed by the wall's clock.
func Burn(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(BurnCommand, flag.ContinueOnError)
	flags.SetOutput(stderr)
	share := flags.Float64("share", 0, "burn this `share` of the CPU that the processes use: 0.15")
	list := flags.String("pids", "", "of these `processes`: 12,13")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !(*share > 0) || math.IsInf(*share, 0) {
		return errors.New("burn: -share: want more than 0")
	}
	victims := map[int]time.Duration{}
	for text := range strings.SplitSeq(*list, ",") {
		pid, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("burn: -pids: %q is no process", text)
		}
		if victims[pid], err = ticked(pid); err != nil {
			return fmt.Errorf("burn: -pids: process %d is not there: %w", pid, err)
		}
	}
	// One thread: a burner is to take CPU, not to run beside itself.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return burn(ctx, *share, victims, stdout)
}

// burn burns until ctx, the parent or the last of the processes has ended. Victims are by PID what they had used before.
func burn(ctx context.Context, share float64, victims map[int]time.Duration, stdout io.Writer) error {
	parent := os.Getppid()
	cost := unitCost()
	var used, burned time.Duration
	said := time.Duration(-1)
	ticker := time.NewTicker(burnEvery)
	defer ticker.Stop()
	for len(victims) > 0 && os.Getppid() == parent {
		if burned != said {
			if _, err := fmt.Fprintln(stdout, burned); err != nil {
				return err
			}
			said = burned
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		for pid, before := range victims {
			now, err := ticked(pid)
			if err != nil {
				delete(victims, pid) // it has ended
				continue
			}
			used += now - before
			victims[pid] = now
		}
		for due := time.Duration(share * float64(used)); burned < due; burned += cost {
			unit()
		}
	}
	return nil
}

// unit is a piece of work of a tenth of a millisecond or so: a chain of steps each of which waits for the one before, so that it takes the same
// cycles whatever a second thread of the same core does.
func unit() {
	x := uint64(1)
	for range 100_000 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	runtime.KeepAlive(x)
}

// unitCost is what a unit takes where nothing interrupts it: the median leaves out those that were.
func unitCost() time.Duration {
	took := make([]time.Duration, timings)
	for i := range took {
		began := time.Now()
		unit()
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// ticked is the user and system time of a process by /proc/PID/stat, in ticks of 10 ms.
func ticked(pid int) (time.Duration, error) {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; behind it come the state, ten other fields, and these two.
	const user, system, tick = 11, 12, 10 * time.Millisecond
	fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc has %d fields", len(fields))
	}
	var ticks int64
	for _, field := range []int{user, system} {
		n, err := strconv.ParseInt(string(fields[field]), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
