package lab

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Progress tells on a terminal, or in a log, how far the runs have come: a line for each run that ended and, on a terminal, what happens now.
type Progress struct {
	w        io.Writer
	terminal bool

	mu sync.Mutex
	// standing says that a line stands on the terminal that the next one takes the place of.
	standing bool
}

// NewProgress writes to w; terminal says that lines may be replaced.
func NewProgress(w io.Writer, terminal bool) *Progress { return &Progress{w: w, terminal: terminal} }

// Say writes a line.
func (p *Progress) Say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.w, line)
}

// Writer is for others who write lines, a log for instance.
func (p *Progress) Writer() io.Writer { return lines{p} }

type lines struct{ p *Progress }

func (l lines) Write(text []byte) (int, error) {
	l.p.Say(strings.TrimSuffix(string(text), "\n"))
	return len(text), nil
}

// Now tells what happens, until something else does; on a terminal only.
func (p *Progress) Now(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		return
	}
	p.clear()
	const width = 79 // a longer line would wrap, and could not be replaced
	if runes := []rune(line); len(runes) > width {
		line = string(runes[:width-1]) + "…"
	}
	fmt.Fprint(p.w, line)
	p.standing = true
}

// Clear takes away what Now wrote.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *Progress) clear() {
	if p.standing {
		fmt.Fprint(p.w, "\r\x1b[2K")
		p.standing = false
	}
}

// begun tells what is to be done.
func (p *Progress) begun(all []*course) {
	planned, done := 0, 0
	for _, c := range all {
		runs, _ := c.done()
		planned, done = planned+len(c.slots), done+runs
	}
	line := fmt.Sprintf("%d runs to make", planned-done)
	if planned-done == 1 {
		line = "1 run to make"
	}
	if done > 0 {
		line += fmt.Sprintf(", %d are there", done)
	}
	if left := remaining(all); left > 0 {
		line += "; about " + minutes(left)
	}
	p.Say(line)
}

func (p *Progress) stage(e Experiment, c *course, r *Record, what string) {
	p.Now(head(e, c, r) + what)
}

func (p *Progress) ended(e Experiment, c *course, r *Record, left time.Duration) {
	runs, _ := c.done()
	line := head(e, c, r) + yielded(e, r)
	if r.counts() && r.Disturbed != "" {
		line += ", but " + r.Disturbed
	}
	line += fmt.Sprintf("; %d of %d", runs, len(c.slots))
	if left > 0 {
		line += ", about " + minutes(left) + " left"
	}
	p.Say(line)
}

func (p *Progress) leftOut(e Experiment, c *course, arm, why string) {
	line := fmt.Sprintf("%s goes on without %s: it %s", e.ID, arm, why)
	if arm == c.planned.Arms[0].Name {
		line = fmt.Sprintf("%s is given up, for %s is what the others are compared with: it %s", e.ID, arm, why)
	}
	p.Say(line)
}

func head(e Experiment, c *course, r *Record) string {
	again := ""
	if r.Attempt > 1 {
		again = fmt.Sprintf(" (attempt %d)", r.Attempt)
	}
	return fmt.Sprintf("%s block %d/%d %s%s: ", e.ID, r.Block, c.planned.blocks(), r.Arm, again)
}

// yielded is the run's headline: its first metric, or why it does not count.
func yielded(e Experiment, r *Record) string {
	switch {
	case r.Failed != "":
		return "failed: " + r.Failed
	case r.Void != "":
		return "void: " + r.Void
	}
	for _, m := range e.Metrics {
		if value, known := r.Values[m.Name]; known {
			return m.Label + " " + strings.TrimSpace(figure(value)+" "+m.Unit)
		}
	}
	return "done"
}

// figure is a number with three digits that mean something.
func figure(v float64) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// minutes is a duration as people say it.
func minutes(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
