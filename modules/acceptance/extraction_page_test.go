package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/cmd/topology/ports"
	"kerf/platform/ids"
)

// The page that says how a module leaves the monolith and comes back, and the configurations that it names.
const (
	extractionPage = "../../docs/extraction.md"
	extractionDir  = "../../deploy/extraction"
)

// part is cmd/module as users run it.
var part = sync.OnceValues(func() (string, error) { return build("module", "kerf/cmd/module") })

// extraction is a shell in which somebody does what the page says. Ports are free ones, and the broker is the test's.
type extraction struct {
	t     *testing.T
	dir   string
	shell io.Writer
	lines chan string // what the shell and the processes print
	env   []string
	// signal is what processes are ended with: that of the page if it is empty.
	signal string
	said   []string // by those that did not start, in DIR
	// fileless says that the kitchen's schema is on a server.
	fileless bool
	server   // where the public API answers
}

// newExtraction makes the folder that the page's commands run in, with a broker beside it.
func newExtraction(t *testing.T, env ...string) *extraction {
	t.Helper()
	e := &extraction{t: t, dir: t.TempDir(), server: server{log: &journal{}}}
	e.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KERF_") }),
		append(env, "KERF_LOG_LEVEL=warn", "KERF_LOG_FORMAT=text", "KERF_DEMO=false")...)
	broker := os.Getenv("KERF_TEST_KAFKA")
	if broker == "" {
		i := &running{t: t, dir: e.dir}
		broker = i.openKfake()
		t.Cleanup(i.stops[0])
	}
	edge := freeAddress(t)
	e.url = "http://" + edge
	e.link("bin/kerf", binary)
	e.link("bin/module", part)
	namespace := "driver: kafka, namespace: t" + strings.ReplaceAll(ids.New(), "-", "")[:20]
	own := strings.NewReplacer("127.0.0.1:8080", edge, "127.0.0.1:9090", freeAddress(t), "127.0.0.1:9092", broker, "driver: kafka", namespace)
	files, err := filepath.Glob(filepath.Join(extractionDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no configurations", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e.write("deploy/extraction/"+filepath.Base(file), own.Replace(string(text)))
	}
	return e
}

func (e *extraction) path(name string) string { return filepath.Join(e.dir, name) }

func (e *extraction) write(name, text string) {
	e.t.Helper()
	if err := os.MkdirAll(filepath.Dir(e.path(name)), 0o750); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.path(name), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

func (e *extraction) link(name string, program func() (string, error)) {
	e.t.Helper()
	built, err := program()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(e.path(name)), 0o750)
	}
	if err == nil {
		err = os.Symlink(built, e.path(name))
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// book has the ports of all extractions.
var book = sync.OnceValue(ports.New)

// freeAddress finds a port that nobody listens on, nor has a connection from while its process is away.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := book().Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	book().Release(port)
	return ports.Address(port)
}

// open starts the shell. When the test ends, it ends with all that it started.
func (e *extraction) open() {
	e.t.Helper()
	bash := exec.Command("bash")
	bash.Dir, bash.Env, bash.Stderr = e.dir, e.env, e.log
	stdin, err := bash.StdinPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	stdout, err := bash.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := bash.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.shell, e.lines = stdin, make(chan string, 64)
	go func() {
		defer close(e.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			e.lines <- lines.Text()
		}
	}()
	e.t.Cleanup(func() {
		_ = stdin.Close() // the shell reads its end, unless it has gone
		for range e.lines {
		}
		_ = bash.Wait() // ends as its last command did
		if e.t.Failed() {
			e.t.Logf("logged:\n%s", e.log)
		}
	})
	e.do("trap 'kill -9 $(jobs -p) 2>/dev/null; wait' EXIT")
}

// block is what the page shows under a heading, in the first block of a language.
func (e *extraction) block(heading, language string) string {
	e.t.Helper()
	text, err := os.ReadFile(extractionPage)
	if err != nil {
		e.t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, _ := strings.Cut(section, "\n```"+language+"\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		e.t.Fatalf("the page has no %s under %q", language, heading)
	}
	return block
}

// commands are those under a heading of the page, as far as they are for this test: programs are built already, and what moves is the file,
// if there is one.
func (e *extraction) commands(heading string) []string {
	e.t.Helper()
	commands := strings.Split(strings.TrimSpace(e.block(heading, "sh")), "\n")
	commands = slices.DeleteFunc(commands, func(command string) bool {
		return strings.HasPrefix(command, "go build ") || e.fileless && strings.Contains(command, "mv ")
	})
	for i := range commands {
		if e.signal != "" {
			commands[i] = strings.Replace(commands[i], "kill ", "kill -"+e.signal+" ", 1)
		}
	}
	return commands
}

// starts is a command of the page that goes on in the background.
var starts = regexp.MustCompile(`^[^#]* & \w+=\$!`)

// do runs commands one after another, and returns how long it took until the last has ended, and all processes that they start are ready. A
// command that waits for a process ends as that did.
func (e *extraction) do(commands ...string) time.Duration {
	e.t.Helper()
	began, pending, ready := time.Now(), len(commands), 0
	for _, command := range commands {
		if starts.MatchString(command) {
			ready++
		}
		if _, err := fmt.Fprintf(e.shell, "%s\necho ended $?\n", command); err != nil {
			e.t.Fatalf("the shell: %v\n%s", err, e.log)
		}
	}
	late := time.NewTimer(2 * patience)
	defer late.Stop()
	for pending > 0 || ready > 0 {
		select {
		case line, ok := <-e.lines:
			switch {
			case !ok:
				e.t.Fatalf("the shell has ended:\n%s", e.log)
			case strings.HasPrefix(line, "ready "):
				ready--
			case line == "ended 0" || e.signal != "" && line == "ended 137":
				pending--
			case strings.HasPrefix(line, "ended "):
				e.t.Fatalf("%q %s:\n%s", commands[len(commands)-pending], line, e.log)
			default:
				e.t.Errorf("printed: %s", line)
			}
		case <-late.C:
			e.t.Fatalf("%d commands do not end, and %d processes are not ready, of %q\n%s", pending, ready, commands, e.log)
		}
	}
	return time.Since(began)
}

// The headings of the page.
const (
	before    = "Before"
	leaves    = "The kitchen leaves"
	comesBack = "The kitchen comes back"
)

// TestThePageShowsTheFiles holds the page to the configurations beside it.
func TestThePageShowsTheFiles(t *testing.T) {
	e := &extraction{t: t}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(extractionDir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var before, after strings.Builder
	for line := range strings.Lines(e.block("The diff", "diff")) {
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
		case strings.HasPrefix(line, "-"):
			before.WriteString(line[1:])
		case strings.HasPrefix(line, "+"):
			after.WriteString(line[1:])
		default:
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		}
	}
	for name, shown := range map[string]string{
		"kerf.yaml": before.String(), "kerf-without-kitchen.yaml": after.String(), "kitchen.yaml": e.block("The diff", "yaml"),
	} {
		if diff := cmp.Diff(read(name), shown); diff != "" {
			t.Errorf("%s, and what the page shows:\n%s", name, diff)
		}
	}
}
