package stand

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"kerf/benchmarks/usage"
)

// BurnCommand is the first argument by which a program shall call Burn with the others: see Plant.
const BurnCommand = "burn"

// burnEvery is how often a burner looks at what the processes have used, and burns its share of that.
const burnEvery = 20 * time.Millisecond

// Burn is the command "burn -share S -pids A,B,…": beside the processes it uses the share S of the CPU that they use, its own looking included, as if they
// needed so much more. It says "burning" when it begins, and returns when the processes, its parent or ctx have ended.
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
		if victims[pid], err = usage.CPUTime(pid); err != nil {
			return fmt.Errorf("burn: -pids: %w", err)
		}
	}
	// One thread: a burner is to take CPU, not to run beside itself.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := fmt.Fprintln(stdout, "burning"); err != nil {
		return err
	}
	return burn(ctx, *share, victims)
}

// burn burns until ctx, the parent or the last of the processes has ended. Victims are by PID what they had used before.
func burn(ctx context.Context, share float64, victims map[int]time.Duration) error {
	parent, self := os.Getppid(), os.Getpid()
	began, err := usage.CPUTime(self)
	if err != nil {
		return err
	}
	var used time.Duration
	ticker := time.NewTicker(burnEvery)
	defer ticker.Stop()
	for len(victims) > 0 && os.Getppid() == parent {
		for pid, before := range victims {
			now, err := usage.CPUTime(pid)
			if err != nil {
				delete(victims, pid) // it has ended
				continue
			}
			used += now - before
			victims[pid] = now
		}
		for due := began + time.Duration(share*float64(used)); ; {
			own, err := usage.CPUTime(self)
			if err != nil {
				return err
			}
			if own >= due {
				break
			}
			spin()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// spin computes for some microseconds.
func spin() {
	x := uint64(1)
	for range 10_000 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	runtime.KeepAlive(x)
}
