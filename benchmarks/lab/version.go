package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Version names the code in a folder of source: its commit and, if files differ from it, "+" and a digest of what differs, so that two states of a tree
// that is worked on are two versions. Markdown, tests, results and the folder out do not count: they change nothing that is measured. Where there is no git,
// the version is a digest of this program.
func Version(ctx context.Context, source, out string) (version string, changed []string, err error) {
	commit, err := git(ctx, source, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		version, err = digest()
		return version, nil, err
	}
	counted := []string{"--", ".", ":(exclude)*.md", ":(exclude)*_test.go", ":(exclude)benchmarks/results", ":(exclude)kerf-lab-*"}
	if within := portable(source, absolute(out)); filepath.IsLocal(within) {
		counted = append(counted, ":(exclude)"+within)
	}
	difference, err := git(ctx, source, append([]string{"diff", "HEAD", "--no-ext-diff", "--binary"}, counted...)...)
	if err != nil {
		return "", nil, err
	}
	status, err := git(ctx, source, append([]string{"status", "--porcelain", "--untracked-files=all"}, counted...)...)
	if err != nil || status == "" {
		return strings.TrimSpace(commit), nil, err
	}
	sum := sha256.New()
	sum.Write([]byte(difference)) // never fails
	for l := range strings.Lines(status) {
		state, name := l[:2], strings.TrimSpace(l[3:])
		changed = append(changed, name)
		if state != "??" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			continue // a name that git quotes, or a file that has just gone
		}
		fmt.Fprintf(sum, "\n%s %d\n", name, len(content))
		sum.Write(content)
	}
	return strings.TrimSpace(commit) + "+" + hex.EncodeToString(sum.Sum(nil)[:4]), changed, nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func git(ctx context.Context, source string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", source}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}

// digest of the program that runs.
func digest() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(self)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return "program-" + hex.EncodeToString(sum.Sum(nil)[:6]), nil
}
