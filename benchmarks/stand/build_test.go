package stand_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerf/benchmarks/stand"
	"kerf/cmd/topology/servers"
)

func TestTheSourceIsFoundFromWithinIt(t *testing.T) {
	dir, err := stand.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "deploy", "topologies", "monolith.yaml")); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeBuiltSaysWhyInOneLine(t *testing.T) {
	build := func(want string) {
		t.Helper()
		_, err := stand.Build(t.Context(), t.TempDir())
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
	t.Chdir(t.TempDir())
	build("is not in Kerf's source")
	if err := os.WriteFile("go.mod", []byte("module elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build("is not in Kerf's source")
	if err := os.WriteFile("go.mod", []byte("module kerf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build("go build: exit status 1: ")
	t.Setenv("PATH", t.TempDir())
	build("the go command is not on PATH")
}

func TestServersThatAreInstalledHaveVersions(t *testing.T) {
	for _, s := range stand.Servers(t.Context(), "") {
		missing := servers.Check(s.Name)
		if (missing == nil) != (s.Missing == "") || missing != nil && s.Version != "" {
			t.Errorf("%+v, though %v", s, missing)
		}
		if missing == nil && s.Name != servers.Kfake && !strings.ContainsAny(s.Version, "0123456789") {
			t.Errorf("%+v", s)
		}
	}
}
