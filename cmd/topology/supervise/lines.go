package supervise

import (
	"bytes"
	"strings"
	"sync"
)

// lines is a writer that hands on whole lines.
type lines struct {
	mu   sync.Mutex
	emit func(line string)
	part []byte
}

func newLines(emit func(string)) *lines { return &lines{emit: emit} }

// longest is where a line that does not end is cut.
const longest = 64 << 10

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole && len(l.part) < longest {
			break
		}
		l.emit(strings.TrimRight(string(line), "\r"))
		l.part = append(l.part[:0], rest...)
	}
	return len(p), nil
}

// flush hands on what was written after the last line break.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.emit(string(l.part))
		l.part = nil
	}
}

// tail keeps the last lines that a program wrote. A nil tail is empty.
type tail struct {
	mu   sync.Mutex
	kept []string
}

func (t *tail) add(line string) {
	const most = 32
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, line)
	if len(t.kept) > most {
		t.kept = t.kept[1:]
	}
}

// complaint is what the program said last, on one line: if it is one of ours, its error, which begins with "kerf: " and may go on in lines that are indented.
func (t *tail) complaint() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(t.kept) - 1
	for i := last; i >= 0; i-- {
		if !strings.HasPrefix(t.kept[i], "kerf: ") {
			continue
		}
		all := []string{strings.TrimPrefix(t.kept[i], "kerf: ")}
		for _, more := range t.kept[i+1:] {
			if strings.HasPrefix(more, "  ") {
				all = append(all, strings.TrimSpace(more))
			}
		}
		return strings.Join(all, "; ")
	}
	for ; last >= 0; last-- {
		if line := strings.TrimSpace(t.kept[last]); line != "" {
			return line
		}
	}
	return ""
}
