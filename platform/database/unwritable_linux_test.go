package database_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kerf/migrations"
	"kerf/platform/database"
)

// asNobody has this goroutine meet files as a user without rights, which root would not do.
func asNobody(t *testing.T) (back func()) {
	t.Helper()
	runtime.LockOSThread()
	user, err := unix.SetfsuidRetUid(65534)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		_, _ = unix.SetfsuidRetUid(user)
		runtime.UnlockOSThread()
	}
}

func TestAFolderThatCannotBeWrittenToIsNamed(t *testing.T) {
	for _, name := range []string{"", "orders.lock"} { // empty, and with what an earlier process left
		dir := t.TempDir()
		if name != "" {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Chmod(dir, 0o555), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
		back := asNobody(t)
		_, err := database.Open(t.Context(), "orders", database.Config{Dir: dir}, migrations.FS, slog.New(slog.DiscardHandler), nil)
		back()
		if want := "database orders: the folder " + dir + " is not writable"; err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
