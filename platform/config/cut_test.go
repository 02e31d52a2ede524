package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/config"
	"kerf/platform/rpc"
)

// shop is a command with four modules: orders ask kitchen, and the gateway asks all.
var shop = config.Command{Name: "shop", Defaults: config.Default(), Modules: config.Modules{
	Names: []string{"kitchen", "orders", "tracking", "gateway"}, Stateful: []string{"kitchen", "orders", "tracking"}, Edge: "gateway",
	Needs: map[string][]string{"orders": {"kitchen"}, "gateway": {"kitchen", "orders", "tracking"}},
}}

// kitchenAlone is what a process needs that has the kitchen only.
const kitchenAlone = `
modules: [kitchen]
bus: {driver: kafka, brokers: [127.0.0.1:9092]}
`

func shopProblems(t *testing.T, file string, args, env []string) []string {
	t.Helper()
	_, err := config.Load(append([]string{"-config", write(t, file)}, args...), env, shop)
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v", err)
	}
	return bad.Problems
}

func TestAModuleIsPlacedByAFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cert.pem", "key.pem", "ca.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := strings.ReplaceAll(`
modules: orders
internal: {listen: "0.0.0.0:9090", protocol: connect, tls: {cert: DIR/cert.pem, key: DIR/key.pem, ca: DIR/ca.pem}}
remotes: {kitchen: [10.0.0.7:9092, 10.0.0.8:9092], tracking: "dns:///tracking.kerf.svc:9090"}
calls: {timeout: 3s, modules: {kitchen: {timeout: 1s, breaker: {calls: 7}}}}
bus: {driver: kafka, format: json, brokers: ["kafka:9092"], replication: 3, tls: {enabled: true, ca: DIR/ca.pem}, sasl: {mechanism: scram-sha-512, username: u, password: p}}
database: {driver: postgres, dsn: "postgres://kerf@db/kerf", modules: {orders: {pool: 9}, kitchen: {driver: sqlite, dir: elsewhere}}}
clock: {url: http://gateway/v1/clock}
identity: {jwks: https://issuer.example/jwks.json, issuer: https://issuer.example/, audience: shop}
installation: north-1
data_shared: true
speed: 60
`, "DIR", dir)

	got, err := config.Load([]string{"-config", write(t, file), "-adopt", "orders"}, nil, shop)
	if err != nil {
		t.Fatal(err)
	}

	if !got.Has("orders") || got.Has("kitchen") || got.All() || !slices.Equal(got.Placed(shop.Modules.Names), []string{"orders"}) {
		t.Errorf("modules = %v", got.Modules)
	}
	if diff := cmp.Diff(map[string][]string{"kitchen": {"10.0.0.7:9092", "10.0.0.8:9092"}, "tracking": {"dns:///tracking.kerf.svc:9090"}}, got.Remotes); diff != "" {
		t.Errorf("remotes (-want +got):\n%s", diff)
	}
	calls := rpc.DefaultPolicy()
	calls.Timeout = 3 * time.Second
	if diff := cmp.Diff(calls, got.Calls.For("tracking")); diff != "" {
		t.Errorf("calls to tracking (-want +got):\n%s", diff)
	}
	calls.Timeout, calls.Breaker.Calls = time.Second, 7
	if diff := cmp.Diff(calls, got.Calls.For("kitchen")); diff != "" {
		t.Errorf("calls to kitchen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.Schema{Driver: "postgres", Dir: "data", DSN: "postgres://kerf@db/kerf", Pool: 9}, got.Schema("orders")); diff != "" {
		t.Errorf("schema of orders (-want +got):\n%s", diff)
	}
	if got := got.Schema("kitchen"); got.Driver != "sqlite" || got.Dir != "elsewhere" {
		t.Errorf("schema of kitchen = %+v", got)
	}
	if got.Identity.LocalIssuer || got.Demo {
		t.Error("a process without the gateway, whose tokens come from elsewhere, makes tokens or plays the demo")
	}
	if !slices.Equal(got.Adopt, []string{"orders"}) || !got.DataShared || got.Installation != "north-1" {
		t.Errorf("config = %+v", got)
	}
}

func TestKeysWithModulesHaveVariables(t *testing.T) {
	got, err := config.Load(nil, []string{
		"KERF_MODULES=orders,gateway", "KERF_REMOTES_KITCHEN=127.0.0.1:1,127.0.0.1:2", "KERF_REMOTES_TRACKING=127.0.0.1:3",
		"KERF_DATABASE_MODULES_ORDERS_DRIVER=postgres", "KERF_DATABASE_MODULES_ORDERS_DSN=postgres://orders@db/kerf",
		"KERF_CALLS_MODULES_KITCHEN_BULKHEAD_CALLS=3", "KERF_BUS_DRIVER=amqp", "KERF_BUS_URL=amqp://broker/", "KERF_REMOTES_ORDERS=",
	}, shop)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"kitchen": {"127.0.0.1:1", "127.0.0.1:2"}, "tracking": {"127.0.0.1:3"}}, got.Remotes); diff != "" {
		t.Errorf("remotes (-want +got):\n%s", diff)
	}
	if got.Schema("orders").DSN != "postgres://orders@db/kerf" || got.Calls.For("kitchen").Bulkhead.Calls != 3 {
		t.Errorf("config = %+v", got)
	}
	// Kept out of what another configuration has.
	if again, err := config.Load(nil, nil, shop); err != nil || len(again.Remotes)+len(again.Calls.Modules)+len(again.Database.Modules) > 0 {
		t.Errorf("the defaults were changed: %+v, %v", again, err)
	}
}

// Each case is a file, what is given with it, and all that is to be said of it.
func TestAMisplacedCutIsRefused(t *testing.T) {
	alone := func(more string) string { return kitchenAlone + more }
	for name, c := range map[string]struct {
		file string
		args []string
		env  []string
		want []string
	}{
		"everything at once": {
			file: `
modules: [orders, kitchn, orders, gateway]
remotes: {orders: [127.0.0.1:1], trackin: [127.0.0.1:2]}
bus: {brokers: ["x:1"]}
database: {dsn: postgres://x, modules: {gateway: {driver: sqlite}, oders: {driver: sqlite}, orders: {dsn: "postgres://y"}}}
calls: {attempts: 0, modules: {kitchen: {budget: 2}, kithen: {attempts: 1}}}
`,
			want: []string{
				"modules (F): there is no module kitchn, did you mean kitchen?",
				"modules (F): orders is named twice",
				"remotes.orders (F): is placed in this process, and needs no address",
				"remotes.trackin (F): there is no module trackin, did you mean tracking?",
				"remotes.kitchen: is missing: kitchen is not placed here, and called by orders, gateway",
				"remotes.tracking: is missing: tracking is not placed here, and called by gateway",
				"calls.attempts (F): must be 1 to 10",
				"calls.modules.kitchen.budget (F): must be more than 0 and at most 1",
				"calls.modules.kithen: there is no module kithen, did you mean kitchen?",
				"bus.driver: memory carries events within one process, and modules are left out: want kafka or amqp",
				"bus.brokers (F): is not used: bus.driver is memory",
				"database.modules.gateway: gateway has no schema",
				"database.modules.oders: there is no module oders, did you mean orders?",
				"database.modules.orders.dsn (F): is not used: the driver is sqlite",
			},
		},
		"keys that nothing uses": {
			file: `
bus: {url: amqp://x, replication: 3, sasl: {username: u}, tls: {ca: none}}
database: {dsn: postgres://x, pool: 3}
identity: {jwks: "https://issuer.example/jwks.json", local_issuer: true, keys: keys}
`,
			want: []string{
				"bus.url (F): is not used: bus.driver is memory",
				"bus.replication (F): is not used: bus.driver is memory",
				"bus.sasl.username (F): is not used: bus.driver is memory",
				"bus.tls.ca (F): is not used: bus.driver is memory",
				"database.dsn (F): is not used: no module that is placed here has its data in PostgreSQL",
				"database.pool (F): is not used: no module that is placed here has its data in PostgreSQL",
				"identity.keys (F): is not used: identity.jwks is set",
				"identity.local_issuer (F): its tokens are not those of identity.jwks",
			},
		},
		"no public edge": {
			file: alone("listen: 127.0.0.1:80\ndemo: true\nspeed: 60\n"),
			want: []string{
				"listen (F): is not used: gateway is not placed here",
				"demo (F): the demo city needs the public API in this process",
				"speed (F): other than 1 needs clock.file or clock.url: gateway, which keeps the domain clock, is not placed here",
			},
		},
		"two clocks": {
			file: alone("clock: {file: clock.json, url: gateway}\n"),
			want: []string{
				"clock.url (F): want a URL such as http://127.0.0.1:8080/v1/clock",
				"clock.url (F): is not needed beside clock.file",
			},
		},
		"open to the network": {
			file: `
modules: [orders]
internal: {listen: ":9090", protocol: soap}
remotes: {kitchen: [10.0.0.1:9090, "[::1]:1", "dns:///localhost:2", kitchen, "127.0.0.1:0"]}
bus: {driver: kafka, brokers: [127.0.0.1:9092]}
`,
			want: []string{
				"internal.listen (F): without internal.tls only a loopback address, since whoever reaches it is believed",
				"internal.protocol (F): want grpc, connect or json",
				"remotes.kitchen (F): is not on this machine, and without internal.tls no other believes who calls",
				"remotes.kitchen (F): a name that stands for several addresses stands alone",
				"remotes.kitchen (F): want host:port or dns:///host:port",
				"remotes.kitchen (F): want host:port or dns:///host:port",
			},
		},
		"calls itself": {
			file: "modules: [orders]\ninternal: {listen: '127.0.0.1:9'}\nremotes: {kitchen: '127.0.0.1:9'}\nbus: {driver: kafka, brokers: [127.0.0.1:9092]}\n",
			want: []string{"remotes.kitchen (F): is this process itself, see internal.listen"},
		},
		"half an identity": {
			file: alone("internal: {tls: {cert: /nowhere/cert.pem, ca: /}}\n"),
			want: []string{
				"internal.tls.cert (F): the file cannot be read: no such file or directory",
				"internal.tls.key: is missing",
			},
		},
		"Kafka without brokers": {
			file: "bus: {driver: kafka, replication: 0, url: amqp://x, tls: {ca: /none}, sasl: {mechanism: kerberos}}\n",
			want: []string{
				"bus.url (F): is not used: bus.driver is kafka",
				"bus.brokers: is missing: want host:port, one or more",
				"bus.replication (F): want 1 to 100",
				"bus.tls.ca (F): is not used: bus.tls.enabled is false",
				"bus.sasl.mechanism (F): want plain, scram-sha-256 or scram-sha-512",
				"bus.sasl.username: is missing",
				"bus.sasl.password: is missing",
			},
		},
		"Kafka with TLS": {
			file: "bus: {driver: kafka, brokers: [kafka], tls: {enabled: true, ca: /none, key: /none}, sasl: {username: u}}\n",
			want: []string{
				"bus.brokers (F): want host:port, one or more",
				"bus.tls.ca (F): the file cannot be read: no such file or directory",
				"bus.tls.cert: is missing",
				"bus.tls.key (F): the file cannot be read: no such file or directory",
				"bus.sasl.username (F): is not used: bus.sasl.mechanism is empty",
			},
		},
		"AMQP": {
			file: "bus: {driver: amqp, brokers: [x:1], format: xml}\n",
			want: []string{
				"bus.format (F): want protobuf or json",
				"bus.brokers (F): is not used: bus.driver is amqp",
				"bus.url: want a URL that begins with amqp:// or amqps://",
			},
		},
		"AMQP in the clear": {
			file: "bus: {driver: amqp, url: amqp://u:p@broker/, tls: {enabled: true, ca: /none}}\n",
			want: []string{
				"bus.tls.enabled (F): is not used: bus.driver is amqp",
				"bus.tls.ca (F): is not used: bus.url does not begin with amqps://",
			},
		},
		"PostgreSQL": {
			file: "database: {driver: postgres, dir: files, pool: 0, modules: {kitchen: {dsn: 'mysql://x'}, orders: {dir: d, pool: -1, driver: oracle}}}\n",
			want: []string{
				"database.pool (F): want 1 to 100",
				"database.modules.kitchen.dsn (F): want a URL such as postgres://kitchen@127.0.0.1:5432/kerf, for kitchen",
				"database.modules.orders.driver (F): want sqlite or postgres",
				"database.modules.tracking.dsn: want a URL such as postgres://tracking@127.0.0.1:5432/kerf, for tracking",
				"database.dir (F): is not used: no module that is placed here has its data in SQLite",
			},
		},
		"flags": {
			file: kitchenAlone,
			args: []string{"-init", "kitchen,orders,kitschen", "-adopt", "kitchen"},
			want: []string{
				"-init: orders is not placed here",
				"-init: there is no module kitschen, did you mean kitchen?",
				"-adopt: kitchen is named by -init too",
			},
		},
		"all and one": {file: "modules: [all, kitchen]\n", want: []string{"modules (F): all stands alone"}},
		"none":        {file: "modules: []\n", want: []string{"modules (F): want all, or a list of names"}},
		"plain http to an issuer elsewhere": {
			file: "identity: {jwks: 'http://issuer.example/jwks.json', issuer: ''}\n",
			want: []string{
				"identity.issuer (F): is empty",
				"identity.jwks (F): want a URL such as https://issuer.example/.well-known/jwks.json; http only on this machine",
			},
		},
		"names near and far": {
			file: "remotes: {kitchen: {address: x}}\ndatabase: {modules: {orders: {dns: x}}}\ncalls: {modules: {kitchen: 3}}\ninstallation: 'a b'\n",
			env:  []string{"KERF_REMOTE_KITCHEN=x", "KERF_DATABASE_MODULES_ORDERS_DSM=x", "KERF_CALLS_BREAKER_RAT=1"},
			want: []string{
				"F: calls.modules.kitchen: a section, with its keys below it",
				"F: database.modules.orders.dns: no such key, did you mean database.modules.orders.dir?",
				"F: remotes.kitchen: a value, with no keys below it",
				"KERF_REMOTE_KITCHEN: no such variable, did you mean KERF_REMOTES_KITCHEN?",
				"KERF_DATABASE_MODULES_ORDERS_DSM: no such variable, did you mean KERF_DATABASE_MODULES_ORDERS_DSN?",
				"KERF_CALLS_BREAKER_RAT: no such variable, did you mean KERF_CALLS_BREAKER_RATE?",
				"installation (F): want 1 to 64 letters, digits and hyphens",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := shopProblems(t, c.file, c.args, c.env)
			for i := range got {
				if at := strings.Index(got[i], "kerf.yaml"); at >= 0 {
					start := strings.LastIndexAny(got[i][:at], " (") + 1
					got[i] = got[i][:start] + "F" + got[i][at+len("kerf.yaml"):]
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneFileMayServeSeveralProcesses(t *testing.T) {
	file := write(t, `
remotes: {tracking: [127.0.0.1:1]}
bus: {driver: kafka, brokers: [127.0.0.1:9092]}
database: {driver: postgres, dsn: postgres://db/kerf, dir: files, pool: 2, modules: {kitchen: {driver: sqlite}, orders: {dsn: postgres://other/kerf}}}
calls: {modules: {orders: {timeout: 1s}}}
`)
	for _, modules := range []string{"kitchen", "kitchen,orders"} {
		if _, err := config.Load([]string{"-config", file, "-modules", modules}, nil, shop); err != nil {
			t.Errorf("%s: %v", modules, err)
		}
	}
}

func TestValuesAreCheckedWithoutAFile(t *testing.T) {
	got, err := config.Check(map[string]any{"modules": []any{"kitchen"}, "bus": map[string]any{"driver": "kafka", "brokers": "127.0.0.1:1"}}, "here", shop)
	if err != nil || !got.Has("kitchen") {
		t.Errorf("config = %+v, %v", got, err)
	}
	_, err = config.Check(map[string]any{"modules": "kitchn", "bus": map[string]any{"drivr": "kafka"}, "bus.format": "xml"}, "here", shop)
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatal(err)
	}
	for _, want := range []string{"modules (here): ", "here: bus.drivr: ", "bus.format (here): "} {
		if !slices.ContainsFunc(bad.Problems, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("none of %q begins with %q", bad.Problems, want)
		}
	}
}

func TestSettingUpADatabaseNeedsNothingElse(t *testing.T) {
	got, err := config.Load([]string{"-modules", "kitchen,orders", "-setup-database", "postgres://admin@db/kerf"}, nil, shop)
	if err != nil || got.Setup != "postgres://admin@db/kerf" {
		t.Errorf("config = %+v, %v", got, err)
	}
	if _, err := config.Load([]string{"-modules", "kitchn", "-setup-database", "postgres://admin@db/kerf"}, nil, shop); err == nil {
		t.Error("a module that does not exist is set up")
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	const secret = "hunter2"
	file := write(t, `
bus: {driver: amqp, url: "http://kerf:hunter2@broker", sasl: {password: hunter2}}
database: {driver: postgres, dsn: "postgres//kerf:hunter2@db", modules: {orders: {dsn: "kerf:hunter2@db"}}}
identity: {jwks: "ftp://kerf:hunter2@issuer"}
clock: {url: "kerf:hunter2@gateway"}
remotes: {tracking: "kerf:hunter2"}
`)
	for _, problem := range problems(t, []string{"-config", file}, nil) {
		if strings.Contains(problem, secret) {
			t.Error(problem)
		}
	}
	withSecrets := shop
	withSecrets.Defaults.Database.DSN, withSecrets.Defaults.Bus.URL, withSecrets.Defaults.Bus.SASL.Password = secret, secret, secret
	var help strings.Builder
	config.WriteUsage(&help, withSecrets)
	if strings.Contains(help.String(), secret) {
		t.Error(help.String())
	}
	for _, want := range []string{"-modules", "-init", "-adopt", "-setup-database", "remotes.MODULE", "KERF_DATABASE_MODULES_MODULE_DSN", "calls.breaker.rate"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("no %s in:\n%s", want, help.String())
		}
	}
}
