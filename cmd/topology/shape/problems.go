package shape

import (
	"fmt"
	"slices"
	"strings"
)

// Problems are what is wrong with a topology file. It is the user's to mend.
type Problems struct {
	Path string
	all  []problem
}

type problem struct {
	line int
	text string
}

// Add adds a problem at a line of the file, 0 if it has none, unless it is known.
func (p *Problems) Add(line int, format string, args ...any) {
	one := problem{line, fmt.Sprintf(format, args...)}
	if !slices.Contains(p.all, one) {
		p.all = append(p.all, one)
	}
}

// Err is nil if there are none, else one error with all, in the order of the file.
func (p *Problems) Err() error {
	if len(p.all) == 0 {
		return nil
	}
	return p
}

func (p *Problems) Error() string {
	slices.SortStableFunc(p.all, func(a, b problem) int { return a.line - b.line })
	lines := make([]string, len(p.all))
	for i, one := range p.all {
		lines[i] = p.Path + ": " + one.text
		if one.line > 0 {
			lines[i] = fmt.Sprintf("%s:%d: %s", p.Path, one.line, one.text)
		}
	}
	if len(lines) == 1 {
		return "topology: " + lines[0]
	}
	return fmt.Sprintf("topology: %d problems\n  %s", len(lines), strings.Join(lines, "\n  "))
}

// Usage marks an error that is the user's to mend: see process.ExitStatus.
func (p *Problems) Usage() bool { return true }
