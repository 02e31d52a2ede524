package stand

import (
	"os"
	"path/filepath"
	"testing"

	"kerf/cmd/topology/shape"
)

// laid lays keys over a topology file, and reads the outcome as the topology does.
func laid(t *testing.T, content string, over map[string]any) (file, path string, read shape.Shape, err error) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err = overlay(file, over, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	read, problems := shape.Read(path, []string{"orders", "kitchen"})
	return file, path, read, problems.Err()
}

func TestOverridesWinWhateverTheFileLooksLike(t *testing.T) {
	over := map[string]any{"log.level": "warn", "calls.attempts": 1, "bus.brokers": []string{"127.0.0.1:1"}}
	for name, content := range map[string]string{
		"no configuration":    "processes: {a: {modules: all}}",
		"an empty one":        "processes: {a: {modules: all}}\nconfig:\n",
		"nested":              "processes: {a: {modules: all}}\nconfig: {log: {level: debug, format: text}}\n",
		"dotted":              "config:\n  log.level: debug\nprocesses: {a: {modules: all}}\n",
		"a process's own":     "processes: {a: {modules: all, config: {log: {level: debug}}}}",
		"an alias":            "processes: {a: {modules: all, config: &same {log: {level: debug}}}}\nconfig: *same\n",
		"an alias in process": "config: &same {log: {level: debug}}\nprocesses: {a: {modules: all, config: *same}}\n",
	} {
		_, _, read, err := laid(t, content, over)
		if err != nil || len(read.Processes) != 1 {
			t.Errorf("%s: %+v, %v", name, read, err)
			continue
		}
		config := read.Processes[0].Config.Over(read.Config)
		brokers, _ := config.Values["bus.brokers"].([]any)
		if config.Text("log.level") != "warn" || config.Values["calls.attempts"] != 1 || len(brokers) != 1 {
			t.Errorf("%s: %v", name, config.Values)
		}
	}
}

func TestOverridesLeaveTheRestAsItWas(t *testing.T) {
	_, _, read, err := laid(t, "servers: [kfake]\nprocesses:\n  z: {modules: [orders]}\n  a: {modules: [kitchen], replicas: 2}\nconfig: {log: {format: text}}\n",
		map[string]any{"log.level": "warn"})
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Servers) != 1 || len(read.Processes) != 2 || read.Processes[0].Name != "z" || read.Processes[1].Replicas != 2 || read.Config.Text("log.format") != "text" {
		t.Errorf("%+v", read)
	}
}

func TestWhatIsNoTopologyIsTakenAsItIs(t *testing.T) {
	for _, content := range []string{"", "[", "- a", "config: [a]\nprocesses: {a: {modules: all}}"} {
		file, path, _, err := laid(t, content, map[string]any{"log.level": "warn"})
		if path != file || err == nil {
			t.Errorf("%q: %s, %v", content, path, err)
		}
	}
	if file, path, _, err := laid(t, "processes: {a: {modules: all}}", nil); path != file || err != nil {
		t.Errorf("without overrides: %s, %v", path, err)
	}
}
