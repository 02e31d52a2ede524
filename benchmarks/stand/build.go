package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the path of Kerf's own module.
const module = "kerf"

// Source is the folder of Kerf's source that the working directory is in.
func Source(ctx context.Context) (string, error) {
	out, err := run(ctx, "", "list", "-m", "-f", "{{.Path}}\t{{.Dir}}")
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("the go command is not on PATH: what is measured is built from source")
	}
	here, _ := os.Getwd()
	for line := range strings.Lines(out) {
		if path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t"); err == nil && path == module {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s is not in Kerf's source, from which what is measured is built", here)
}

// Build builds cmd/topology into a folder and returns the program's path. It is built as README says that users do, so that its version is the commit, and
// out of the same cache.
func Build(ctx context.Context, dir string) (launcher string, err error) {
	source, err := Source(ctx)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	launcher = filepath.Join(dir, "topology")
	if _, err := run(ctx, source, "build", "-o", launcher, module+"/cmd/topology"); err != nil {
		return "", err
	}
	return launcher, nil
}

// run runs the go command. Its error is one line.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	said := strings.Split(strings.TrimSpace(complaints.String()), "\n")
	const most = 3
	if len(said) > most {
		said = append(said[:most], "…")
	}
	return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.Join(said, "; "))
}
