package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Error is everything that is wrong with a configuration. It is the user's to mend:
// commands exit with status 2.
type Error struct {
	Problems []string // one line each, beginning with the key, variable or flag
}

func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0]
	}
	return fmt.Sprintf("configuration: %d problems\n  %s", len(e.Problems), strings.Join(e.Problems, "\n  "))
}

// Usage marks an error that is the user's to mend: see process.ExitCode.
func (e *Error) Usage() bool { return true }

// suggest names the known word that was probably meant, as a clause to append;
// nothing if none is near.
func suggest(word string, known []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", best)
}

// distance is Levenshtein's: how many letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// reason gives why a file could not be opened, without its name.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// oneOf lists what a closed set offers.
func oneOf(allowed []string) string {
	if len(allowed) == 1 {
		return "only " + allowed[0] + " is possible"
	}
	last := len(allowed) - 1
	return "want " + strings.Join(allowed[:last], ", ") + " or " + allowed[last]
}

func outside(value string, allowed []string) bool { return !slices.Contains(allowed, value) }
