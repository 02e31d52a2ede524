package lab

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Observe tells what machine this is. It measures the disk under the folder, which takes a second or two.
func Observe(ctx context.Context, folder string) (Environment, error) {
	latency, err := fsync(ctx, folder)
	if err != nil {
		return Environment{}, err
	}
	return Environment{
		Schema:       Schema,
		Go:           runtime.Version(),
		CPU:          processor(),
		Cores:        runtime.NumCPU(),
		Memory:       memory(),
		OS:           runtime.GOOS + "/" + runtime.GOARCH,
		Kernel:       line("/proc/sys/kernel/osrelease"),
		Distribution: distribution(),
		Filesystem:   filesystem(folder),
		Fsync:        latency,
		Limits:       limits(),
		Settings:     settings(),
	}, nil
}

// Machine is the processor and the number of its cores, in one line.
func Machine() string { return processor() + " × " + strconv.Itoa(runtime.NumCPU()) }

func processor() string {
	model := field("/proc/cpuinfo", "model name")
	return cmp.Or(model, field("/proc/cpuinfo", "Model"), "unknown processor")
}

func memory() int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	return kib / 1024
}

func distribution() string {
	file, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for l := range strings.Lines(string(file)) {
		if name, ok := strings.CutPrefix(l, "PRETTY_NAME="); ok {
			return strings.Trim(strings.TrimSpace(name), `"`)
		}
	}
	return ""
}

// field is the value of the first line "name : value" of a file of /proc.
func field(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func line(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// limits are those of this process's control group, version 2, that are set.
func limits() map[string]string {
	_, group, found := strings.Cut(line("/proc/self/cgroup"), "0::")
	if !found {
		return nil
	}
	group, _, _ = strings.Cut(group, "\n")
	set := map[string]string{}
	for _, name := range []string{"cpu.max", "memory.max", "memory.high", "cpuset.cpus", "io.max"} {
		value := line(filepath.Join("/sys/fs/cgroup", group, name))
		if value != "" && !strings.HasPrefix(value, "max") {
			set[name] = value
		}
	}
	return set
}

// filesystem is the type of that on which a folder lies: the mount whose point is the longest prefix of its path.
func filesystem(folder string) string {
	path, err := filepath.Abs(folder)
	if err != nil {
		return ""
	}
	kind, longest := "", -1
	for l := range strings.Lines(line("/proc/self/mountinfo")) {
		mount, source, found := strings.Cut(l, " - ")
		fields := strings.Fields(mount)
		if !found || len(fields) < 5 {
			continue
		}
		point := fields[4]
		within, err := filepath.Rel(point, path)
		if err == nil && filepath.IsLocal(within) && len(point) >= longest {
			kind, longest = strings.Fields(source)[0], len(point)
		}
	}
	return kind
}

// settings are those in force in this process.
func settings() map[string]string {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	gc := "off"
	if percent >= 0 {
		gc = strconv.Itoa(percent)
	}
	limit := "none"
	if bytes := debug.SetMemoryLimit(-1); bytes != math.MaxInt64 {
		limit = strconv.FormatInt(bytes>>20, 10) + " MiB"
	}
	return map[string]string{"GOMAXPROCS": strconv.Itoa(runtime.GOMAXPROCS(0)), "GOGC": gc, "GOMEMLIMIT": limit}
}

// fsync measures how long it takes until a block that was appended to a file is on the disk.
func fsync(ctx context.Context, folder string) (Latency, error) {
	const times, block = 200, 4096
	file, err := os.CreateTemp(folder, "fsync.*")
	if err != nil {
		return Latency{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	content := make([]byte, block)
	_, _ = rand.Read(content) // never fails
	took := make([]float64, 0, times)
	for range times {
		if ctx.Err() != nil {
			return Latency{}, context.Cause(ctx)
		}
		began := time.Now()
		if _, err := file.Write(content); err != nil {
			return Latency{}, err
		}
		if err := file.Sync(); err != nil {
			return Latency{}, err
		}
		took = append(took, float64(time.Since(began))/float64(time.Millisecond))
	}
	slices.Sort(took)
	return Latency{N: times, Median: took[times/2], P99: took[times*99/100]}, nil
}

// BeginSession notes when the runner began, and with what load.
func BeginSession(command []string) Session {
	s := Session{Command: command, Started: time.Now()}
	for i, f := range strings.Fields(line("/proc/loadavg")) {
		if i < len(s.Load) {
			s.Load[i], _ = strconv.ParseFloat(f, 64)
		}
	}
	s.stolen, s.total = stolen()
	return s
}

// Finish notes how the session ended: "complete", "incomplete", "cut short" or "failed".
func (s *Session) Finish(how string) {
	s.Ended, s.End = time.Now(), how
	if after, total := stolen(); total > s.total {
		s.Stolen = (after - s.stolen) / (total - s.total)
	}
}

// stolen is the CPU time that the hypervisor gave to others since the machine began, and all CPU time, in the kernel's ticks.
func stolen() (steal, total float64) {
	first, _, _ := strings.Cut(line("/proc/stat"), "\n")
	for i, f := range strings.Fields(first) {
		ticks, err := strconv.ParseFloat(f, 64)
		if err != nil || i > 8 { // guests' time is in user's
			continue
		}
		total += ticks
		if i == 8 {
			steal = ticks
		}
	}
	return steal, total
}
