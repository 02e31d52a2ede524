package installation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"kerf/platform/database"
)

// leftBehind looks where a file was opened last, if that is another place on this machine, for what should be there no more: a process that
// has it open still; the file itself, which was copied then; or the log of what was committed last, which a process leaves that could not end
// in order. It tells what to do about that; empty if there is nothing, or nothing that this process may see.
func leftBehind(ctx context.Context, module string, f found) (string, error) {
	if held, err := database.Held(module, filepath.Dir(f.last)); err != nil || held {
		return fmt.Sprintf("the process that has opened it as %s is running: stop that first", f.last), err
	}
	there, err := os.Stat(f.last)
	if err != nil {
		if logged, err := os.Stat(f.last + "-wal"); err == nil && logged.Size() > 0 {
			return fmt.Sprintf("move %s-wal too, which holds what was committed last", f.last), nil
		}
		return "", nil
	}
	here, err := os.Stat(f.place)
	if err != nil || os.SameFile(here, there) {
		return "", err
	}
	first, err := look(ctx, module, database.Config{Dir: filepath.Dir(f.last)})
	if err != nil || !first.bound || first.id != f.id || first.epoch != f.epoch {
		return "", err // something else has taken its place
	}
	return fmt.Sprintf("it is a copy of %s, which is still there: move that over it, or take it away", f.last), nil
}
