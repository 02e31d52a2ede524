package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"kerf/platform/atomicfile"
)

func TestAFileIsReplacedWithItsPermissionsAndNothingIsLeftBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "down")
	path := filepath.Join(dir, "file.json")
	for _, content := range []string{"first", "second, which is longer", ""} {
		if err := atomicfile.Write(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("holds %q, %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("info = %v, %v", info, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestAFileThatCannotBeReplacedIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "name")
	if err := os.MkdirAll(filepath.Join(path, "child"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
}
