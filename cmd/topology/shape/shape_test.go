package shape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/cmd/topology/shape"
)

var modules = []string{"kitchen", "orders", "gateway"}

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shape.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileIsRead(t *testing.T) {
	s, problems := shape.Read(write(t, `
# A comment.
servers: [kfake, postgres]
processes:
  edge: {modules: [gateway]}
  rest:
    modules: [orders, kitchen]
    replicas: 2
    config:
      log: {level: debug}
config:
  bus: {driver: kafka, brokers: [a:1, b:2]}
  bus.format: json
  database:
    pool: 3
    modules: {kitchen: {driver: postgres}}
`), modules)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kfake", "postgres"}, s.Servers); diff != "" {
		t.Error(diff)
	}
	if !s.TLS {
		t.Error("several processes talk without TLS, though the file does not say so")
	}
	rest := s.Processes[1]
	if diff := cmp.Diff([]string{"kitchen", "orders"}, rest.Modules); diff != "" || rest.Replicas != 2 || s.Processes[0].Replicas != 1 {
		t.Errorf("%+v", rest)
	}
	want := map[string]any{
		"bus.driver": "kafka", "bus.brokers": []any{"a:1", "b:2"}, "bus.format": "json", "database.pool": 3,
		"database.modules.kitchen.driver": "postgres", "log.level": "debug",
	}
	if diff := cmp.Diff(want, rest.Config.Over(s.Config).Values); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestTLSIsOnBetweenProcessesUnlessTheFileSaysOtherwise(t *testing.T) {
	for content, want := range map[string]bool{
		"processes: {a: {modules: all}}":                                                       false,
		"tls: true\nprocesses: {a: {modules: all}}":                                            true,
		"processes: {a: {modules: [orders, kitchen]}, b: {modules: [gateway]}}":                true,
		"tls: false\nprocesses: {a: {modules: [orders, kitchen]}, b: {modules: [gateway]}}":    false,
		"processes: {a: {modules: [gateway]}}\nconfig: {remotes: {orders: x:1, kitchen: y:1}}": false,
	} {
		s, problems := shape.Read(write(t, content), modules)
		if err := problems.Err(); err != nil || s.TLS != want {
			t.Errorf("%s: TLS %v, %v", content, s.TLS, err)
		}
	}
}

func TestEachProblemIsNamedWithItsLine(t *testing.T) {
	for content, want := range map[string]string{
		"":                                    "is empty: want processes, servers or both",
		"processes:\n":                        "1: want processes, servers or both",
		"- a":                                 "1: want the keys",
		"a: [":                                "did not find",
		"proceses: {}":                        "1: proceses: no such key",
		"tls: maybe\nservers: [kfake]":        "1: tls: want true or false",
		"servers: [kfak]":                     "1: servers: there is no server kfak; there are kfake, kafka, rabbitmq, postgres",
		"servers: [kfake, kfake]":             "1: servers: kfake is named twice",
		"servers: [kfake, kafka]":             "1: servers: kfake stands in for kafka",
		"servers: [[kfake]]":                  "1: servers: want a list of names",
		"processes: [a]":                      "1: processes: want names",
		"processes: {a: all}":                 "1: processes.a: want {modules: [...]}",
		"processes: {a: {}}":                  "1: processes.a: modules: is missing",
		"processes: {a: {modules: []}}":       "1: processes.a.modules: want all, or a list",
		"processes:\n  A_b: {modules: all}":   "2: processes.A_b: want a name of small letters",
		"processes:\n  kafka: {modules: all}": "2: processes.kafka: is the name of a server",
		"processes:\n  a: {modules: all}\n  a: {modules: all}":               "3: processes.a: is there twice",
		"processes:\n  a:\n    modules:\n    - orders\n    - kitchn":         "5: processes.a.modules: there is no module kitchn; there are kitchen, orders, gateway",
		"processes:\n  a: {modules: [orders, kitchen, orders, gateway]}":     "2: processes.a.modules: orders is named twice",
		"processes:\n  a: {modules: all}\n  b: {modules: [orders]}":          "3: processes.b.modules: orders is placed in a already",
		"processes:\n  a: {modules: [all, orders]}":                          "2: processes.a.modules: all stands alone",
		"processes:\n  a: {modules: [orders]}":                               "2: processes: kitchen, gateway is placed nowhere",
		"processes:\n  a: {modules: all, replicas: 0}":                       "2: processes.a.replicas: want 1 to 16",
		"processes:\n  a: {modules: all, replicas: two}":                     "2: processes.a.replicas: want 1 to 16",
		"processes:\n  a: {modules: all, replica: 2}":                        "2: processes.a.replica: no such key",
		"processes: {a: {modules: all}}\nconfig: [x]":                        "2: config: want keys with their values",
		"processes: {a: {modules: all}}\nconfig: &c\n  x: *c":                "config: is nested too deeply",
		"processes: {a: {modules: all}}\nconfig:\n  drain: !!timestamp nope": "3: config: drain:",
	} {
		_, problems := shape.Read(write(t, content), modules)
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n  %v\n  want %s", content, err, want)
		}
	}
}

func TestAllProblemsAreOneErrorInTheFilesOrder(t *testing.T) {
	path := write(t, "servers: [x]\nprocesses:\n  a: {modules: [orders, y]}\nz: 1\n")
	_, problems := shape.Read(path, modules)
	lines := strings.Split(problems.Err().Error(), "\n")
	if len(lines) != 5 || lines[0] != "topology: 4 problems" || !strings.HasPrefix(lines[1], "  "+path+":1: ") || !strings.HasPrefix(lines[4], "  "+path+":4: ") {
		t.Errorf("%q", lines)
	}
	if !problems.Usage() {
		t.Error("it is not taken for the user's to mend")
	}
}

func TestAFileThatIsNotThereIsOneLine(t *testing.T) {
	_, problems := shape.Read("none.yaml", modules)
	if got := problems.Err().Error(); got != "topology: none.yaml: no such file or directory" {
		t.Errorf("%q", got)
	}
}

func TestNestedIsTheReverseOfAFile(t *testing.T) {
	got := shape.Nested(map[string]any{"a": 1, "b.c": 2, "b.d.e": []any{"x"}})
	want := map[string]any{"a": 1, "b": map[string]any{"c": 2, "d": map[string]any{"e": []any{"x"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever a file holds, it is a shape or problems, never a panic.
func FuzzRead(f *testing.F) {
	f.Add("processes: {a: {modules: [orders], config: {a: {b: 1}}}}\nconfig: &a {x: *a}\n")
	f.Add("servers: kfake\ntls: 1\n? [x]\n: y\n")
	f.Fuzz(func(t *testing.T, content string) {
		_, problems := shape.Read(write(t, content), modules)
		_ = problems.Err()
	})
}
