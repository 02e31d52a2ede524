package console

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestLinesStandInColumnsAfterTheirNames(t *testing.T) {
	var out strings.Builder
	c := New(&out, []string{"kfake", "notifications"})

	c.Line("kfake", "a line")
	fmt.Fprint(c.Writer("notifications"), "one\ntwo\n")
	c.Table([]string{"is not shown without a terminal"})

	want := "kfake         │ a line\nnotifications │ one\nnotifications │ two\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// screen plays a terminal: it understands what the console sends.
type screen struct{ lines []string }

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		if up := 0; strings.HasPrefix(text, "\x1b[") {
			if n, err := fmt.Sscanf(text, "\x1b[%dA\r\x1b[J", &up); n == 1 && err == nil {
				s.lines = s.lines[:len(s.lines)-up]
				text = text[strings.Index(text, "J")+1:]
				continue
			}
		}
		line, rest, _ := strings.Cut(text, "\n")
		s.lines, text = append(s.lines, line), rest
	}
	return len(p), nil
}

func TestTheTableStaysBelowTheLines(t *testing.T) {
	s := &screen{}
	c := New(s, []string{"a"})
	c.screen = func() (int, int) { return 20, 4 }

	c.Table([]string{"table 1", "a line that is too long for the screen"})
	c.Line("a", "first")
	c.Table([]string{"table 2"})
	c.Line("a", "second")

	if got, want := strings.Join(s.lines, "\n"), "a │ first\na │ second\ntable 2"; got != want {
		t.Errorf("screen:\n%s", got)
	}
	c.Table([]string{"a line that is too long for the screen"})
	if got := s.lines[len(s.lines)-1]; got != "a line that is too …" {
		t.Errorf("cut: %q", got)
	}
	c.Table([]string{"1", "2", "3", "4", "5"})
	c.Aside(func() { s.lines = append(s.lines, "aside") })
	if got, want := strings.Join(s.lines, "\n"), "a │ first\na │ second\naside\n1\n2\n… and 3 more"; got != want {
		t.Errorf("screen:\n%s", got)
	}
	c.Table(nil)
	if got := s.lines[len(s.lines)-1]; got != "aside" {
		t.Errorf("the last line without the table: %s", got)
	}
}

func TestFormat(t *testing.T) {
	lines := Format("head", []Row{
		{Name: "orders-1", PID: 42, State: "ready", Uptime: 90 * time.Second, Restarts: 2, CPU: 12.34, PSS: 39_000_000, What: "orders"},
		{Name: "kfake", State: "waiting", CPU: -1},
	})
	got := strings.Join(lines, "\n")
	for _, want := range []string{"head\n", "orders-1       42  ready        1m30s         2    12.3   39.0 MB  orders", "kfake           –  waiting"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		if _, pss := new(Usage).Take(os.Getpid()); pss != 0 {
			t.Error("memory that nobody told of")
		}
		return
	}
	var u Usage
	if cpu, pss := u.Take(os.Getpid()); cpu >= 0 || pss < 1<<20 {
		t.Errorf("first look: %v %%, %d bytes", cpu, pss)
	}
	used, _ := cpuTime(os.Getpid())
	for now := used; now < used+5*tick; now, _ = cpuTime(os.Getpid()) { // work, until the system has noticed
	}
	if cpu, _ := u.Take(os.Getpid()); cpu <= 0 || cpu > 10_000 {
		t.Errorf("second look: %v %%", cpu)
	}
	if cpu, pss := u.Take(1 << 30); cpu >= 0 || pss != 0 {
		t.Errorf("a process that is not there: %v %%, %d bytes", cpu, pss)
	}
}
