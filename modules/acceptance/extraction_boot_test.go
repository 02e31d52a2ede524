package acceptance

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// boot starts a command of the page by itself: the whole monolith, the rest, or the kitchen alone.
func (e *extraction) boot(program, config string, flags ...string) *process {
	e.t.Helper()
	cmd := exec.Command(e.path(program), append([]string{"-config", "deploy/extraction/" + config}, flags...)...)
	cmd.Dir, cmd.Env = e.dir, e.env
	return execute(e.t, cmd)
}

func (e *extraction) whole(flags ...string) *process {
	return e.boot("bin/kerf", "kerf.yaml", flags...)
}
func (e *extraction) rest() *process { return e.boot("bin/kerf", "kerf-without-kitchen.yaml") }
func (e *extraction) alone(flags ...string) *process {
	return e.boot("bin/module", "kitchen.yaml", flags...)
}

// runs waits until processes are ready, and ends them.
func (e *extraction) runs(processes ...*process) {
	e.t.Helper()
	for _, p := range processes {
		if err := p.ready(patience); err != nil {
			e.t.Fatal(err)
		}
	}
	for _, p := range processes {
		if status := p.terminate(e.t); status != 0 {
			e.t.Errorf("%s ends with %d:\n%s", p.cmd, status, p.log)
		}
	}
}

// refuses asserts that a process ends at once with 1 and one line, which says all this, in which DIR is the page's folder.
func (e *extraction) refuses(p *process, says ...string) {
	e.t.Helper()
	select {
	case <-p.exited:
	case line := <-p.lines:
		e.t.Fatalf("%s prints %q, want that it does not start: %q", p.cmd, line, says)
	case <-time.After(patience):
		e.t.Fatalf("%s does not end, want that it does not start: %q\n%s", p.cmd, says, p.log)
	}
	said := strings.TrimSpace(p.log.String())
	e.said = append(e.said, strings.ReplaceAll(said, e.dir, "DIR"))
	if p.status != 1 || strings.Contains(said, "\n") {
		e.t.Errorf("%s ends with %d and says:\n%s", p.cmd, p.status, said)
	}
	for _, part := range says {
		if part = strings.ReplaceAll(part, "DIR", e.dir); !strings.Contains(said, part) {
			e.t.Errorf("%s says:\n%s\nwant %s", p.cmd, said, part)
		}
	}
}

// move moves a file with all that SQLite has beside it.
func (e *extraction) move(from, to string) {
	e.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Rename(e.path(from+suffix), e.path(to+suffix))
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			e.t.Fatal(err)
		}
	}
}

func (e *extraction) copy(from, to string) {
	e.t.Helper()
	text, err := os.ReadFile(e.path(from))
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(to, string(text))
}

// TestAForgottenCopyOrAMissingFileFailsTheBoot makes the mistakes that the page warns of, on the way there and on the way back.
func TestAForgottenCopyOrAMissingFileFailsTheBoot(t *testing.T) {
	t.Parallel()
	e := newExtraction(t)
	const in, out = "data/kitchen.db", "data-kitchen/kitchen.db"
	e.runs(e.whole())
	e.copy(in, "backup.db")

	// Nothing was moved; then it was only copied.
	e.refuses(e.alone(), "DIR/"+out+" is missing", "move the schema there and say -adopt kitchen, or -init kitchen")
	e.refuses(e.alone("-adopt", "kitchen"), "DIR/"+out+" is missing", "nothing to adopt")
	if _, err := os.Stat(e.path(out)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused start has made a file: %v", err)
	}
	e.copy(in, out)
	e.refuses(e.alone(), "DIR/"+out+" was not opened in this folder before", "-adopt kitchen")
	e.refuses(e.alone("-adopt", "kitchen"), "DIR/"+out, "is a copy of DIR/"+in+", which is still there")
	hasty := e.whole()
	if err := hasty.ready(patience); err != nil {
		t.Fatal(err)
	}
	e.move(in, out)
	e.refuses(e.alone("-adopt", "kitchen"), "DIR/"+out, "has opened it as DIR/"+in+" is running: stop that first")
	if status := hasty.terminate(t); status != 0 {
		t.Errorf("it ends with %d:\n%s", status, hasty.log)
	}
	e.runs(e.rest(), e.alone("-adopt", "kitchen"))
	e.runs(e.rest(), e.alone()) // and from then on without a word

	// The folder that it has left.
	e.refuses(e.whole(), "DIR/"+in+" is missing", "bring it back, or -init kitchen begins with an empty one")
	e.copy("backup.db", in)
	e.refuses(e.whole(), "DIR/"+in+" is a copy that was left behind", "kitchen has answered elsewhere since")

	// The way back, at first as a copy.
	e.copy(out, in)
	e.refuses(e.whole(), "DIR/"+in+" has moved on", "-adopt kitchen takes it back")
	e.refuses(e.whole("-adopt", "kitchen"), "is a copy of DIR/"+out+", which is still there")
	e.move(out, in)
	e.runs(e.whole("-adopt", "kitchen"))
	e.runs(e.whole())
	e.refuses(e.alone(), "DIR/"+out+" is missing", "bring it back")
	e.copy("backup.db", in)
	e.refuses(e.whole(), "DIR/"+in+" is a copy that was left behind, or an old one")

	// What is gone for good is begun again by the operator's word alone.
	e.move(in, "lost.db")
	e.refuses(e.whole(), "DIR/"+in+" is missing")
	e.runs(e.whole("-init", "kitchen"))
	e.runs(e.whole())

	for _, line := range strings.Split(strings.TrimSpace(e.block("What the boot refuses", "text")), "\n") {
		if !slices.Contains(e.said, strings.ReplaceAll(line, "/srv", "DIR")) {
			t.Errorf("the page shows, and nobody has said:\n%s\namong\n%s", line, strings.Join(e.said, "\n"))
		}
	}
}
