// Package console writes the lines of several processes to one terminal or log: each line after its process's name, in columns; and on a terminal, below
// them, a table of what the processes are doing.
package console

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
)

// Console is safe for concurrent use.
type Console struct {
	out    io.Writer
	width  int                        // of the names
	screen func() (columns, rows int) // of the terminal; nil if it is none
	colour bool

	mu    sync.Mutex
	table []string // as it is shown
	shown int      // lines of it that are on the screen
}

// New makes a console for processes with these names. It shows the table only if out is a terminal, and colours only if that and NO_COLOR do
// not forbid it.
func New(out io.Writer, names []string) *Console {
	c := &Console{out: out}
	if file, ok := out.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		c.screen = func() (columns, rows int) { return size(file) }
		c.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if os.Getenv("TERM") == "dumb" {
			c.screen = nil
		}
	}
	for _, name := range names {
		c.width = max(c.width, utf8.RuneCountInString(name))
	}
	return c
}

// Terminal tells whether there is one that can show a table.
func (c *Console) Terminal() bool { return c.screen != nil }

// Line writes a line of a process.
func (c *Console) Line(name, line string) {
	prefix := fmt.Sprintf("%-*s │ ", c.width, name)
	if c.colour {
		prefix = fmt.Sprintf("\x1b[%dm%s\x1b[0m", colourOf(name), prefix)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	c.erase(&b)
	b.WriteString(prefix)
	b.WriteString(line)
	b.WriteByte('\n')
	c.draw(&b)
	_, _ = io.WriteString(c.out, b.String()) // who does not listen misses it
}

// Writer gives what writes lines as a process's.
func (c *Console) Writer(name string) io.Writer { return &lineWriter{console: c, name: name} }

// lineWriter takes whole lines, as a logger writes them.
type lineWriter struct {
	console *Console
	name    string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w.console.Line(w.name, strings.TrimSuffix(line, "\n"))
	}
	return len(p), nil
}

// Table shows a table below the lines instead of the last one. Without a terminal it does nothing.
func (c *Console) Table(lines []string) {
	if c.screen == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table = lines
	var b strings.Builder
	c.erase(&b)
	c.draw(&b)
	_, _ = io.WriteString(c.out, b.String())
}

// Aside runs f, which writes to the same terminal by another way, while the table is off the screen.
func (c *Console) Aside(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var before, after strings.Builder
	c.erase(&before)
	_, _ = io.WriteString(c.out, before.String())
	f()
	c.draw(&after)
	_, _ = io.WriteString(c.out, after.String())
}

// erase takes the table off the screen, with the cursor where it began.
func (c *Console) erase(b *strings.Builder) {
	if c.shown > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", c.shown)
		c.shown = 0
	}
}

// draw writes the table. Lines are cut, because one that breaks would take more of the screen than erase knows; and of a table that is higher than
// the screen, what erase could not reach is left out.
func (c *Console) draw(b *strings.Builder) {
	if c.screen == nil || len(c.table) == 0 {
		return
	}
	columns, rows := c.screen()
	lines := c.table
	if most := max(2, rows-1); len(lines) > most {
		left := len(lines) - (most - 1)
		lines = append(lines[:most-1:most-1], fmt.Sprintf("… and %d more", left))
	}
	for _, line := range lines {
		b.WriteString(cut(line, columns))
		b.WriteByte('\n')
	}
	c.shown = len(lines)
}

func cut(line string, width int) string {
	letters := []rune(line)
	if len(letters) <= width {
		return line
	}
	return string(letters[:max(0, width-1)]) + "…"
}

// colourOf is one of six, the same for a name every time.
func colourOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.TrimRight(name, "-0123456789")))
	return 31 + int(h.Sum32()%6)
}

func size(file *os.File) (columns, rows int) {
	const usualColumns, usualRows = 80, 24
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return usualColumns, usualRows
	}
	return int(size.Col), int(size.Row)
}

// Row is a line of the table.
type Row struct {
	Name     string
	PID      int
	State    string
	Uptime   time.Duration
	Restarts int
	CPU      float64 // percent of a core; below 0 if it is not known
	PSS      uint64  // bytes; 0 if it is not known
	What     string  // modules, or an address
}

// Format makes the table.
func Format(head string, rows []Row) []string {
	name := 7
	for _, r := range rows {
		name = max(name, utf8.RuneCountInString(r.Name))
	}
	lines := []string{head, fmt.Sprintf("%-*s  %7s  %-8s  %8s  %8s  %6s  %8s  %s", name, "process", "pid", "state", "up", "restarts", "cpu %", "pss", "")}
	for _, r := range rows {
		pid, cpu, pss := "–", "–", "–"
		if r.PID > 0 {
			pid = fmt.Sprint(r.PID)
			if r.CPU >= 0 {
				cpu = fmt.Sprintf("%.1f", r.CPU)
			}
			if r.PSS > 0 {
				pss = fmt.Sprintf("%.1f MB", float64(r.PSS)/1e6)
			}
		}
		lines = append(lines, fmt.Sprintf("%-*s  %7s  %-8s  %8s  %8d  %6s  %8s  %s", name, r.Name, pid, r.State, r.Uptime.Round(time.Second), r.Restarts, cpu, pss, r.What))
	}
	return lines
}
