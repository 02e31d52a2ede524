package stand_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kerf/benchmarks/stand"
)

// As the command does, the test's binary is its own burner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == stand.BurnCommand {
		if err := stand.Burn(context.Background(), os.Args[2:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// launcher is the program that starts topologies, built once for all tests.
var launcher = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kerf-stand")
	if err != nil {
		return "", err
	}
	return stand.Build(context.Background(), dir)
})

// start starts a topology, and has it stopped at the end of the test.
func start(t *testing.T, c stand.Config) *stand.Stand {
	t.Helper()
	s, err := tryStart(t, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if log, err := os.ReadFile(s.LogFile()); t.Failed() && err == nil {
			t.Logf("%s", log)
		}
	})
	return s
}

func tryStart(t *testing.T, c stand.Config) (*stand.Stand, error) {
	t.Helper()
	path, err := launcher()
	if err != nil {
		t.Fatal(err)
	}
	c.Launcher, c.Dir = path, t.TempDir()
	return stand.Start(t.Context(), c)
}

func readyMade(name string) string {
	return filepath.Join("..", "..", "deploy", "topologies", name+".yaml")
}

// topology is a file with that content.
func topology(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// limit is how long a test waits for what must come.
const limit = time.Minute
