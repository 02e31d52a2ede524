package installation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"kerf/platform/atomicfile"
)

// The files of a data folder.
const (
	fileName = "installation.json"
	lockName = "installation.lock"
)

// record is what a data folder knows of the modules that it has had.
type record struct {
	ID      string           `json:"id"`
	Modules map[string]int64 `json:"modules"`        // the epoch of each when it was opened last
	Left    []string         `json:"left,omitempty"` // those of them that answer elsewhere since

	written bool // whether it is in the folder
}

// blank tells whether the folder has had no module, so that its id binds nothing yet.
func (r record) blank() bool { return len(r.Modules) == 0 }

func (r record) clone() record {
	r.Modules, r.Left = maps.Clone(r.Modules), slices.Clone(r.Left)
	return r
}

// opened notes that a module was opened with that epoch.
func (r *record) opened(module string, epoch int64) {
	if r.Modules == nil {
		r.Modules = map[string]int64{}
	}
	r.Modules[module] = epoch
	r.Left = slices.DeleteFunc(r.Left, func(name string) bool { return name == module })
}

// readRecord gives a record without an id if the folder has none.
func readRecord(dir string) (record, error) {
	path := filepath.Join(dir, fileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	r := record{written: true}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return record{}, fmt.Errorf("%s is not the record of an installation: %w", path, err)
	}
	for module, epoch := range r.Modules {
		if epoch < 1 {
			return record{}, fmt.Errorf("%s is not the record of an installation: %s has the epoch %d", path, module, epoch)
		}
	}
	if r.ID == "" {
		return record{}, fmt.Errorf("%s is not the record of an installation: it has no id", path)
	}
	return r, nil
}

func (r record) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, fileName), append(data, '\n'), 0o600)
}

// lockRetry is how often the lock is asked for that another process has.
const lockRetry = 10 * time.Millisecond

// locked runs f while no other process changes the folder's record.
func locked(ctx context.Context, dir string, f func() error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, lockName))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	return errors.Join(f(), lock.Unlock())
}
