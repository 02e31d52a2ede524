package layout_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/cmd/topology/layout"
	"kerf/cmd/topology/shape"
	"kerf/modules"
)

// lay reads a topology and lays it out; free ports are counted up from 20001.
func lay(t *testing.T, content, listen string) (layout.Layout, *shape.Problems) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s, problems := shape.Read(path, modules.Names)
	port := 20000
	l, err := layout.New(s, problems, layout.Options{
		Data: "/data", Listen: listen, Command: modules.Part().Command(),
		Port: func(string) (string, error) { port++; return fmt.Sprintf("127.0.0.1:%d", port), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, problems
}

func clean(t *testing.T, content, listen string) layout.Layout {
	t.Helper()
	l, problems := lay(t, content, listen)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

const halves = `
servers: [kfake]
processes:
  front: {modules: [gateway, tracking, orders, consumers, notifications]}
  back: {modules: [restaurants, kitchen, delivery, accounting]}
`

func TestEachProcessFindsTheOthers(t *testing.T) {
	l := clean(t, halves, "")
	front, back := l.Instances[0], l.Instances[1]
	front.WithBroker("127.0.0.1:9", "")
	front.WithTLS("c", "k", "ca")

	want := map[string]any{
		"modules": []any{"consumers", "orders", "notifications", "tracking", "gateway"}, "data": "/data", "data_shared": true, "demo": false,
		"internal.listen": "127.0.0.1:20001", "listen": "127.0.0.1:8080", "identity.keys": "/data/keys", "identity.local_issuer": true,
		"clock.file": "/data/clock.json", "bus.driver": "kafka", "bus.brokers": []any{"127.0.0.1:9"},
		"internal.tls.cert": "c", "internal.tls.key": "k", "internal.tls.ca": "ca",
		"remotes.restaurants": []any{"127.0.0.1:20002"}, "remotes.kitchen": []any{"127.0.0.1:20002"},
		"remotes.delivery": []any{"127.0.0.1:20002"}, "remotes.accounting": []any{"127.0.0.1:20002"},
	}
	if diff := cmp.Diff(want, front.Settings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if back.Settings["listen"] != nil || back.Listen != "" || !front.HasGateway() || back.HasGateway() {
		t.Errorf("back: %+v", back)
	}
	if l.Listen != "127.0.0.1:8080" || l.Forwards() || !l.Kafka || l.Postgres || l.AMQP {
		t.Errorf("%+v", l)
	}
}

func TestWhatTheFileSetsWins(t *testing.T) {
	l := clean(t, `
processes:
  orders:
    modules: [orders]
    config: {internal: {listen: "127.0.0.1:7001"}, remotes: {kitchen: ["127.0.0.1:7002"]}, database: {modules: {orders: {driver: postgres, dsn: postgres://x/y}}}}
  rest: {modules: [consumers, restaurants, kitchen, accounting, delivery, notifications, tracking, gateway]}
config:
  listen: 127.0.0.1:7000
  bus: {driver: kafka, brokers: ["127.0.0.1:7003"]}
  drain: 3s
  internal: {tls: {cert: /dev/null, key: /dev/null, ca: /dev/null}}
`, "")
	orders, rest := l.Instances[0], l.Instances[1]
	orders.WithBroker("127.0.0.1:9", "")
	orders.WithDSN("orders", "postgres://other")
	orders.WithTLS("c", "k", "ca")
	for key, want := range map[string]any{
		"internal.listen": "127.0.0.1:7001", "remotes.kitchen": []any{"127.0.0.1:7002"}, "remotes.delivery": []any{"127.0.0.1:20001"},
		"bus.brokers": []any{"127.0.0.1:7003"}, "database.modules.orders.dsn": "postgres://x/y", "internal.tls.cert": "/dev/null",
	} {
		if diff := cmp.Diff(want, orders.Settings[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if diff := cmp.Diff([]any{"127.0.0.1:7001"}, rest.Settings["remotes.orders"]); diff != "" {
		t.Error(diff)
	}
	if l.Listen != "127.0.0.1:7000" || orders.Settings["listen"] != nil || orders.Drain().Seconds() != 3 || orders.CA() != "/dev/null" {
		t.Errorf("%+v", l)
	}
	if l := clean(t, halves, "127.0.0.1:6000"); l.Listen != "127.0.0.1:6000" {
		t.Errorf("-listen does not win: %s", l.Listen)
	}
}

func TestReplicasAreCalledInTurnAndShareTheirData(t *testing.T) {
	l := clean(t, `
servers: [kfake, postgres]
processes:
  edge: {modules: [gateway], replicas: 2}
  rest: {modules: [consumers, restaurants, kitchen, accounting, delivery, orders, notifications, tracking], replicas: 2}
`, "")
	var names []string
	for _, i := range l.Instances {
		names = append(names, i.Name)
	}
	if diff := cmp.Diff([]string{"edge-1", "edge-2", "rest-1", "rest-2"}, names); diff != "" {
		t.Error(diff)
	}
	edge := l.Instances[1]
	if diff := cmp.Diff([]any{"127.0.0.1:20005", "127.0.0.1:20006"}, edge.Settings["remotes.orders"]); diff != "" {
		t.Error(diff)
	}
	if edge.Listen == l.Listen || edge.Settings["listen"] != edge.Listen || !l.Forwards() || edge.Folder != "/data/processes/edge-2" {
		t.Errorf("%+v", edge)
	}
	rest := l.Instances[2]
	rest.WithDSN("orders", "postgres://o")
	if !l.Postgres || rest.Settings["database.driver"] != "postgres" || rest.Settings["database.modules.orders.dsn"] != "postgres://o" {
		t.Errorf("%+v", rest.Settings)
	}
}

func TestAGatewayAloneMayHaveReplicasOnSQLite(t *testing.T) {
	clean(t, `
servers: [rabbitmq]
processes:
  edge: {modules: [gateway], replicas: 2}
  rest: {modules: [consumers, restaurants, kitchen, accounting, delivery, orders, notifications, tracking]}
`, "")
}

func TestWhatCannotWorkIsNamedWithItsLine(t *testing.T) {
	const two = "processes:\n  a: {modules: [gateway]}\n  b: {modules: [consumers, restaurants, kitchen, accounting, delivery, orders, notifications, tracking]}\n"
	for content, want := range map[string]string{
		"servers: [kfake]\n" + two + "config: {bus: {driver: memory}}": "5: config.bus.driver: memory carries events within one process",
		two:                                    "2: processes.a: bus.driver: memory carries events within one process",
		"servers: [kfake, rabbitmq]\n" + two:   "3: processes.a: bus.driver: there are two brokers",
		two + "config: {bus: {driver: kafka}}": "4: config.bus.driver: is kafka: want kfake or kafka among the servers",
		two + "config: {bus: {driver: amqp}}":  "4: config.bus.driver: is amqp: want rabbitmq among the servers",
		two + "config:\n  bus: {driver: kafka, brokers: [nowhere]}":                                           "5: config.bus.brokers: want host:port",
		"servers: [kfake, postgres]\n" + two + "config: {database: {driver: sqlite}}":                         "1: servers: postgres: no process uses it",
		"servers: [rabbitmq, kfake]\n" + two + "config: {bus: {driver: kafka}}":                               "1: servers: rabbitmq: no process uses it",
		"processes:\n  a: {modules: all, replicas: 2}\n":                                                      "2: processes.a.replicas: replicas share their data, and a file of SQLite (consumers, restaurants",
		"processes: {a: {modules: all}}\nconfig: {database: {driver: postgres}}":                              "2: config.database.driver: is postgres for consumers, restaurants",
		"processes: {a: {modules: all}}\nconfig:\n  database: {driver: oracle}":                               "3: config.database.driver: want sqlite or postgres",
		"processes: {a: {modules: all}}\nconfig:\n  lisen: x":                                                 "3: config.lisen: no such key, did you mean listen?",
		"processes:\n  a:\n    modules: all\n    config: {log: {level: loud}}":                                "4: processes.a.config.log.level: want debug, info",
		"processes: {a: {modules: all}}\nconfig: {data: x}":                                                   "2: config.data: is set by -data",
		"processes: {a: {modules: all, config: {speed: 2}}}":                                                  "1: processes.a.config.speed: is set by -speed",
		"processes: {a: {modules: all}}\nconfig: {modules: x}":                                                "2: config.modules: stands in processes",
		"servers: [postgres]\nprocesses: {a: {modules: all, replicas: 2, config: {internal: {listen: x:1}}}}": "2: processes.a.replicas: internal.listen is one address",
		"processes: {a: {modules: [gateway]}}\nconfig: {remotes: {orders: 127.0.0.1:1}}":                      "consumers, restaurants, kitchen, accounting, delivery, notifications, tracking is placed nowhere",
	} {
		_, problems := lay(t, content, "")
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n  %v\n  want %s", content, err, want)
		}
	}
}

// One mistake is one problem, however many processes suffer from it.
func TestAProblemIsNamedOnce(t *testing.T) {
	for _, content := range []string{
		strings.Replace(halves, "[kfake]", "[]", 1) + "config: {bus: {driver: memory}}",
		halves + "config: {log: {level: loud}}",
		strings.Replace(halves, "kitchen, ", "", 1),
		strings.Replace(halves, "[restaurants,", "[restaurants, restaurants,", 1),
	} {
		_, problems := lay(t, content, "")
		if err := problems.Err(); err == nil || strings.Contains(err.Error(), "problems") {
			t.Errorf("%s\n  %v", content, err)
		}
	}
}
