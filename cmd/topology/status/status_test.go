package status_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/cmd/topology/status"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	want := status.Topology{
		PID: os.Getpid(), State: "ready", URL: "http://127.0.0.1:8080", Config: "split.yaml", Started: time.Unix(1, 0).UTC(), TLS: true, CA: "ca.pem",
		Processes: []status.Process{{
			Child:   status.Child{Name: "orders-2", State: "waiting", Restarts: 3, Since: time.Unix(2, 0).UTC(), Ended: "signal: killed"},
			Process: "orders", Replica: 2, Modules: []string{"orders"}, Internal: "127.0.0.1:1", Config: "kerf.yaml",
		}},
		Servers: []status.Server{{Child: status.Child{Name: "kfake", State: "ready", PID: 7, Since: time.Unix(3, 0).UTC()}, Address: "127.0.0.1:2"}},
	}
	if err := status.Write(dir, want); err != nil {
		t.Fatal(err)
	}

	got, err := status.Read(dir)

	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Alive() {
		t.Error("this process is taken for dead")
	}
	if p, ok := got.Find("orders-2"); !ok || p.Process != "orders" {
		t.Errorf("found %+v", p)
	}
	info, err := os.Stat(filepath.Join(dir, status.File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAReaderNeverSeesHalfAFile(t *testing.T) {
	dir := t.TempDir()
	write := func(n int) {
		if err := status.Write(dir, status.Topology{State: "ready", Processes: make([]status.Process, n)}); err != nil {
			t.Error(err)
		}
	}
	write(1)
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := range 200 {
			write(n % 30)
		}
	})
	for range 200 {
		if got, err := status.Read(dir); err != nil || got.State != "ready" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	writer.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
