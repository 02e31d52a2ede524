package stand

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// lastWords are why the topology ended, on one line, from its log: the error with which commands of Kerf's end begins with "kerf: " and may go on in lines
// that are indented.
func (s *Stand) lastWords() error {
	const enough = 64 << 10
	content, err := os.ReadFile(s.logFile)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(content[max(0, len(content)-enough):])), "\n")
	last := len(lines) - 1
	for i := last; i >= 0; i-- {
		if first, ok := strings.CutPrefix(lines[i], "kerf: "); ok {
			words := []string{strings.TrimPrefix(first, "topology: ")}
			for _, more := range lines[i+1:] {
				if strings.HasPrefix(more, "  ") {
					words = append(words, strings.TrimSpace(more))
				}
			}
			return errors.New(s.named(strings.Join(words, "; ")))
		}
	}
	if lines[last] != "" {
		return errors.New(s.named(lines[last]))
	}
	return fmt.Errorf("it ended without a word: %w", s.exit)
}

// named speaks of the user's topology file, where the topology spoke of the copy that it was given.
func (s *Stand) named(text string) string { return strings.ReplaceAll(text, s.file, s.config.Topology) }
