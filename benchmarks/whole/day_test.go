package whole

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// daySpeed is how much faster than a real one the day is played.
const daySpeed = "600"

// BenchmarkDay plays the largest of the days in the folder that KERF_INSTANCES names, each time against a fresh server. All that the actors
// ask, positions included, is in the server's CPU.
func BenchmarkDay(b *testing.B) {
	instance := largestInstance(b)
	if instance == "" {
		b.Log("KERF_INSTANCES names no folder with days: none is played")
		return
	}
	simulate := filepath.Join(b.TempDir(), "simulate")
	if out, err := exec.Command("go", "build", "-o", simulate, "kerf/cmd/simulate").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	var cpu, resident float64
	orders := 0
	for b.Loop() {
		server := startKerf(b, b.TempDir(), "-speed", daySpeed)
		report := filepath.Join(b.TempDir(), "report.json")
		play := exec.Command(simulate, "-instance", instance, "-speed", daySpeed, "-target", "http://"+server.addr, "-report", report)
		if out, err := play.CombinedOutput(); err != nil {
			b.Fatalf("the day went wrong: %v\n%s", err, out)
		}
		orders += placedOf(b, report)
		cpu += milliseconds(server.cpu(b))
		resident = max(resident, server.resident(b))
		server.kill()
	}
	b.ReportMetric(float64(orders)/float64(b.N), "orders/day")
	b.ReportMetric(cpu/float64(orders), "server-cpu-ms/order")
	b.ReportMetric(resident, "RSS-MiB")
}

func placedOf(b *testing.B, report string) int {
	b.Helper()
	data, err := os.ReadFile(report)
	if err != nil {
		b.Fatal(err)
	}
	var r struct{ Orders struct{ Placed int } }
	if err := json.Unmarshal(data, &r); err != nil {
		b.Fatal(err)
	}
	return r.Orders.Placed
}

// largestInstance is the folder of the day with the most orders.
func largestInstance(b *testing.B) string {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("KERF_INSTANCES"), "*", "orders.txt"))
	if err != nil || os.Getenv("KERF_INSTANCES") == "" {
		return ""
	}
	largest, most := "", 0
	for _, file := range files {
		if n := lines(b, file); n > most {
			largest, most = filepath.Dir(file), n
		}
	}
	return largest
}

func lines(b *testing.B, path string) int {
	b.Helper()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	n := 0
	for in := bufio.NewScanner(file); in.Scan(); {
		n++
	}
	return n
}
