package whole

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/cmd/topology/status"
)

// launcher is the program that starts topologies.
var launcher = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kerf-bench")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "topology")
	if out, err := exec.Command("go", "build", "-o", path, "kerf/cmd/topology").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// quietTime is for how long a topology is left alone to see what it uses then.
const quietTime = 20 * time.Second

// BenchmarkCut measures one diner at a time, as BenchmarkIdle does, on each ready-made topology that can be started here, and what its
// processes use when nothing happens.
func BenchmarkCut(b *testing.B) {
	files, err := filepath.Glob("../../deploy/topologies/*.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".yaml"); name != "servers" {
			b.Run(name, func(b *testing.B) { benchmarkCut(b, file) })
		}
	}
}

func benchmarkCut(b *testing.B, file string) {
	path, err := launcher()
	if err != nil {
		b.Fatal(err)
	}
	data := b.TempDir()
	cmd := exec.Command(path, append([]string{"-config", file, "-data", data, "-listen", "127.0.0.1:0"}, strings.Fields(os.Getenv("BENCH_ARGS"))...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KERF_") })
	server := start(b, cmd)
	b.Cleanup(func() { // gently: servers keep folders that have to go
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	processes, servers := partsOf(b, data)

	c := settle(b, server, 10, 0)
	follower := follow(b, server.addr, c.admin)
	by := dial(b, server.addr)
	defer by.close()
	var placed, approved times
	number := 0
	round := func() bool {
		began := time.Now()
		o, err := c.place(by, number)
		if err != nil {
			b.Fatal(err)
		}
		placed = append(placed, time.Since(began))
		ok := follower.await(o.ID, "APPROVED")
		approved = append(approved, time.Since(began))
		number++
		return ok
	}
	for range 50 { // until caches are warm and statements prepared
		round()
	}
	placed, approved = nil, nil
	used, usedByServers := processes.cpu(b), servers.cpu(b)
	for b.Loop() {
		if !round() {
			break
		}
	}
	n := float64(len(placed))
	b.StopTimer()
	placed.report(b, "place")
	approved.report(b, "approved")
	b.ReportMetric(milliseconds(processes.cpu(b)-used)/n, "cpu-ms/order")
	b.ReportMetric(milliseconds(servers.cpu(b)-usedByServers)/n, "servers-cpu-ms/order")
	c.quiet(by)
	processes.reportIdle(b)
}

// parts are processes by their names.
type parts map[string]int

// partsOf reads which processes of Kerf's a topology runs, and which servers.
func partsOf(b *testing.B, data string) (processes, servers parts) {
	t, err := status.Read(data)
	if err != nil {
		b.Fatal(err)
	}
	processes, servers = parts{}, parts{}
	for _, p := range t.Processes {
		processes[p.Name] = p.PID
	}
	for _, s := range t.Servers {
		servers[s.Name] = s.PID
	}
	return processes, servers
}

func (p parts) cpu(b *testing.B) (sum time.Duration) {
	for _, pid := range p {
		sum += cpu(b, pid)
	}
	return sum
}

// reportIdle tells of the process that uses most memory, and of the one that uses most CPU, when nothing happens.
func (p parts) reportIdle(b *testing.B) {
	before := map[string]time.Duration{}
	for name, pid := range p {
		before[name] = cpu(b, pid)
	}
	began := time.Now()
	<-time.After(quietTime)
	var most, sum, busiest float64
	for name, pid := range p {
		memory := proportional(b, pid)
		most, sum = max(most, memory), sum+memory
		busiest = max(busiest, (cpu(b, pid)-before[name]).Seconds()/time.Since(began).Seconds())
	}
	b.ReportMetric(most, "largest-pss-MiB")
	b.ReportMetric(sum, "sum-pss-MiB")
	b.ReportMetric(100*busiest, "busiest-idle-%core")
}

// proportional is the memory of a process in MiB, what it shares with others counted in part.
func proportional(b *testing.B, pid int) float64 {
	b.Helper()
	return memory(b, fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}
