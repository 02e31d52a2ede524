package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"kerf/platform/atomicfile"
)

// Open continues the clock that the file at path keeps, or starts one at the
// present wall time if there is no file. A speed other than 0 that is not the
// kept one takes effect from the present domain time on, and is written down
// before Open returns; 0 keeps the speed, which is 1 for a new clock.
//
// Where the wall clock was set back to before the kept list's last entry, by whatever
// stretch, domain time goes on from that entry: it has been told already, and never goes
// back.
//
// A file that cannot be read or does not hold a valid list is an error, never
// replaced: what the modules have stored depends on it.
//
// The caller makes sure that one process at a time opens a path.
func Open(path string, speed float64) (*Clock, error) {
	return open(path, speed, Cut(time.Now()))
}

func open(path string, speed float64, wall time.Time) (*Clock, error) {
	if speed != 0 {
		if err := (Entry{Wall: wall, Domain: wall, Speed: speed}).validate(); err != nil {
			return nil, fmt.Errorf("clock: %w", err)
		}
	}
	list, err := readList(path)
	if err != nil {
		return nil, fmt.Errorf("clock: %s: %w", path, err)
	}
	list, changed := list.continued(wall, speed)
	if err := list.Validate(); err != nil {
		return nil, fmt.Errorf("clock: %s: %w", path, err)
	}
	if list[len(list)-1].at(wall.UnixMicro()) == endOfTime {
		return nil, fmt.Errorf("clock: %s: not a clock file: domain time has passed the year %d", path, lastYear)
	}
	if changed {
		if err := writeList(path, list); err != nil {
			return nil, fmt.Errorf("clock: keep the time in %s: %w", path, err)
		}
	}
	return New(list)
}

// readList gives an empty list if there is no file.
func readList(path string) (List, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxListBytes+1))
	if err != nil {
		return nil, err
	}
	list, err := ParseList(data)
	if err != nil {
		return nil, fmt.Errorf("not a clock file: %w", err)
	}
	return list, nil
}

// writeList replaces the file in one step.
func writeList(path string, list List) error {
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(data, '\n'), 0o600)
}
