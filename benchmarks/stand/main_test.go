package stand_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kerf/benchmarks/stand"
	"kerf/benchmarks/usage"
)

// As the command does, the test's binary is its own burner; and, for tests, a process that can be burned beside, and one that puts a topology on the stand.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != stand.BurnCommand && os.Args[1] != victim && os.Args[1] != owner {
		status := m.Run()
		_ = os.RemoveAll(workshop())
		os.Exit(status)
	}
	if err := child(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	victim = "victim"
	owner  = "owner"
)

// child is what the test's binary does as a child. It ends with its standard input.
func child(command string, args []string) error {
	switch command {
	case stand.BurnCommand:
		return stand.Burn(context.Background(), args, os.Stdout, os.Stderr)
	case victim: // each line is a duration of CPU time to use
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			amount, err := time.ParseDuration(lines.Text())
			if err != nil {
				return err
			}
			began, _ := usage.CPUTime(os.Getpid())
			for now := began; now < began+amount; now, _ = usage.CPUTime(os.Getpid()) {
			}
			fmt.Println("done")
		}
		return nil
	default: // launcher, topology, folder
		s, err := stand.Start(context.Background(), stand.Config{Launcher: args[0], Topology: args[1], Dir: args[2]})
		if err != nil {
			return err
		}
		if err := s.Plant(context.Background(), os.Args[0], 0.5); err != nil {
			return err
		}
		fmt.Println("started")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
}

// workshop is the folder of the launcher, which is made once for all tests.
var workshop = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "kerf-stand")
	if err != nil {
		panic(err)
	}
	return dir
})

// launcher is the program that starts topologies, built once for all tests.
var launcher = sync.OnceValues(func() (string, error) { return stand.Build(context.Background(), workshop()) })

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
