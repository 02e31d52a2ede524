package whole

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary is the program: the one that BENCH_BINARY names, else it is built once for all benchmarks.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("BENCH_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "kerf-bench")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kerf")
	if out, err := exec.Command("go", "build", "-o", path, "kerf").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// process is a server that runs beside the benchmark.
type process struct {
	cmd      *exec.Cmd
	addr     string // of the public edge
	readyIn  time.Duration
	log      string
	internal string // of the operators' listener
}

// startKerf starts the program on a data folder and waits until it is ready.
func startKerf(b *testing.B, data string, args ...string) *process {
	b.Helper()
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	args = append([]string{"-listen", "127.0.0.1:0", "-data", data, "-demo=false"}, args...)
	cmd := exec.Command(path, append(args, strings.Fields(os.Getenv("BENCH_ARGS"))...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KERF_") }) // would configure it
	p := start(b, cmd)
	p.internal = internalOf(b, p.log)
	return p
}

// start runs a server that prints "ready URL", with its log in a file.
func start(b *testing.B, cmd *exec.Cmd) *process {
	b.Helper()
	log, err := os.CreateTemp(b.TempDir(), "log")
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: cmd, log: log.Name()}
	b.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		b.Fatalf("the server did not start: %v\n%s", err, text)
	}
	p.readyIn = time.Since(began)
	p.addr = strings.TrimSpace(strings.TrimPrefix(line, "ready http://"))
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p
}

// kill is kill -9; a second one does nothing.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func internalOf(b *testing.B, log string) string {
	b.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var entry struct{ Msg, Internal string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Internal != "" {
			return entry.Internal
		}
	}
	return ""
}

// ticksPerSecond is USER_HZ, which Linux fixes for what it tells in /proc.
const ticksPerSecond = 100

// cpu is the user and system time that a process has used.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var ticks int64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

func (p *process) cpu(b *testing.B) time.Duration { return cpu(b, p.cmd.Process.Pid) }

// resident is the memory of a process that is in RAM, in MiB.
func (p *process) resident(b *testing.B) float64 {
	b.Helper()
	return memory(b, fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), "VmRSS:")
}

// memory reads a line of a file of /proc that tells of memory, in MiB.
func memory(b *testing.B, file, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatalf("%s says nothing of %s", file, name)
	return 0
}

// profile has the process profile itself until the returned function is called, if a folder is set for that.
func (p *process) profile(b *testing.B, name string, seconds int) (done func()) {
	dir := os.Getenv("BENCH_PROFILES")
	if dir == "" || p.internal == "" {
		return func() {}
	}
	var fetching sync.WaitGroup
	fetching.Go(func() {
		p.fetch(b, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds), filepath.Join(dir, name+".cpu"))
	})
	return func() {
		p.fetch(b, "/debug/pprof/allocs", filepath.Join(dir, name+".allocs"))
		p.fetch(b, "/metrics", filepath.Join(dir, name+".metrics"))
		fetching.Wait()
	}
}

func (p *process) fetch(b *testing.B, path, file string) {
	res, err := http.Get("http://" + p.internal + path)
	if err != nil {
		b.Error(err)
		return
	}
	defer res.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		b.Error(err)
		return
	}
	defer out.Close()
	if _, err := io.Copy(out, res.Body); err != nil {
		b.Error(err)
	}
}
