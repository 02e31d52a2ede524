package installation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kerf/platform/database"
)

// leftBehind looks where a file was opened last, if that is another place on this machine, for what should have come with it: the file
// itself, which was copied then, or the log of what was committed last, which a process leaves that could not end in order. It tells what to
// do about that; empty if there is nothing.
func leftBehind(ctx context.Context, module string, f found) (string, error) {
	logged, err := os.Stat(f.last + "-wal")
	switch {
	case err == nil && logged.Size() > 0:
	case err == nil || errors.Is(err, fs.ErrNotExist):
		logged = nil
	default:
		return "", err
	}
	there, err := os.Stat(f.last)
	if errors.Is(err, fs.ErrNotExist) {
		if logged != nil {
			return fmt.Sprintf("move %s-wal, too, which holds what was committed last", f.last), nil
		}
		return "", nil
	}
	if err != nil {
		return "", err
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
