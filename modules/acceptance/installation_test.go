package acceptance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kerf/cmd/topology/forward"
	"kerf/cmd/topology/kfake"
	"kerf/modules"
	"kerf/platform/clock"
	"kerf/platform/config"
	"kerf/platform/database"
	"kerf/platform/ids"
	"kerf/platform/rpc/localca"
)

// start runs the processes of a cut, each as it would run alone, with a port, a certificate and a database of its own. They share this
// program, so that a race between any two lines is found.
func (c cut) start(t *testing.T, speed float64) *server {
	t.Helper()
	c.skipUnlessThere(t)
	i := &running{cut: c, t: t, dir: t.TempDir(), id: "t" + strings.ReplaceAll(ids.New(), "-", "")[:20], server: &server{log: &journal{}}}
	if c.processes == nil {
		i.processes = [][]string{names}
	}
	if _, err := clock.Open(filepath.Join(i.dir, "clock.json"), speed); err != nil {
		t.Fatal(err)
	}
	common := map[string]any{
		"data": i.dir, "demo": false, "log": map[string]any{"level": "warn", "format": "text"},
		"clock": map[string]any{"file": filepath.Join(i.dir, "clock.json")},
		"bus":   i.openBus(), "database": i.openDatabases(),
	}
	if len(i.processes) > 1 {
		common["data_shared"] = true
	}
	i.reserve()
	t.Cleanup(i.stop)
	for p := range i.processes {
		for r := range i.replicas {
			i.launch(p, r, common)
		}
	}
	for _, edge := range i.edges {
		i.url = edge // the last one's, if there is no need to choose
	}
	if len(i.edges) > 1 {
		i.url = i.share(i.edges)
	}
	return i.server
}

// running is an installation of several processes.
type running struct {
	cut
	*server
	t   *testing.T
	dir string
	id  string // namespace of the bus, and name of the database

	addresses [][]string // of the internal listeners, by process and replica
	edges     []string   // URLs
	stops     []func()
}

// reserve finds ports for the internal listeners: everybody has to know them before anybody starts.
func (i *running) reserve() {
	var held []net.Listener
	for range i.processes {
		var replicas []string
		for range i.replicas {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				i.t.Fatal(err)
			}
			held = append(held, listener)
			replicas = append(replicas, listener.Addr().String())
		}
		i.addresses = append(i.addresses, replicas)
	}
	for _, listener := range held {
		if err := listener.Close(); err != nil {
			i.t.Fatal(err)
		}
	}
}

func (i *running) openBus() map[string]any {
	switch i.bus {
	case "memory":
		return map[string]any{"driver": "memory"}
	case "amqp":
		return map[string]any{"driver": "amqp", "format": i.format, "url": os.Getenv("KERF_TEST_AMQP"), "namespace": i.id}
	}
	broker := os.Getenv("KERF_TEST_KAFKA")
	if i.bus == "kfake" {
		broker = i.openKfake()
	}
	return map[string]any{"driver": "kafka", "format": i.format, "brokers": []any{broker}, "namespace": i.id}
}

// openKfake runs a broker that ends with the test, after the processes.
func (i *running) openKfake() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		i.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- kfake.Run(ctx, address, filepath.Join(i.dir, "kfake")) }()
	i.stops = append(i.stops, func() {
		cancel()
		if err := <-ended; err != nil {
			i.t.Errorf("kfake: %v", err)
		}
	})
	return address
}

// openDatabases makes a database of the installation's own on a server, with a role for each module.
func (i *running) openDatabases() map[string]any {
	if i.database == "sqlite" {
		return map[string]any{"driver": "sqlite"}
	}
	ctx, admin := context.Background(), os.Getenv("KERF_TEST_POSTGRES")
	i.administer("CREATE DATABASE " + i.id)
	i.stops = append(i.stops, func() { i.administer("DROP DATABASE " + i.id + " WITH (FORCE)") })
	stateful := names[:len(names)-1]
	dsns, err := database.Setup(ctx, admin[:strings.LastIndex(admin, "/")]+"/"+i.id, stateful, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	schemas := map[string]any{}
	for module, dsn := range dsns {
		schemas[module] = map[string]any{"dsn": dsn}
	}
	return map[string]any{"driver": "postgres", "modules": schemas}
}

func (i *running) administer(statement string) {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, os.Getenv("KERF_TEST_POSTGRES"))
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		i.t.Errorf("%s: %v", statement, err)
	}
}

// launch starts one process, and waits until it is ready.
func (i *running) launch(process, replica int, common map[string]any) {
	i.t.Helper()
	own := i.processes[process]
	values := map[string]any{"modules": texts(own), "internal": map[string]any{
		"listen": i.addresses[process][replica], "protocol": i.protocol, "tls": i.certify(process, replica),
	}}
	for key, value := range common {
		values[key] = value
	}
	if len(i.processes) > 1 {
		remotes := map[string]any{}
		for p, modules := range i.processes {
			for _, module := range modules {
				if p != process {
					remotes[module] = texts(i.addresses[p])
				}
			}
		}
		values["remotes"] = remotes
	}
	values["database"] = i.databaseOf(own, common["database"].(map[string]any))
	edge := own[len(own)-1] == "gateway"
	if edge {
		values["listen"], values["identity"] = "127.0.0.1:0", map[string]any{"local_issuer": true}
	}
	title := i.title(process, replica)
	cfg, err := config.Check(values, title, modules.Part().Command())
	if err != nil {
		i.t.Fatal(err)
	}
	url := i.serve(title, cfg)
	if edge {
		i.edges = append(i.edges, url)
	}
}

// databaseOf leaves out the schemas of modules that are elsewhere.
func (i *running) databaseOf(own []string, all map[string]any) map[string]any {
	if i.database == "sqlite" {
		return all
	}
	schemas := map[string]any{}
	for _, module := range own {
		if schema, ok := all["modules"].(map[string]any)[module]; ok {
			schemas[module] = schema
		}
	}
	return map[string]any{"driver": all["driver"], "modules": schemas}
}

// certify gives a process its certificate, if the cut wants that.
func (i *running) certify(process, replica int) map[string]any {
	if !i.secure {
		return nil
	}
	dir := filepath.Join(i.dir, "ca")
	ca, err := localca.Open(dir)
	if err != nil {
		i.t.Fatal(err)
	}
	title := filepath.Join(i.dir, i.title(process, replica))
	if err := ca.IssueTo(title+".crt", title+".key", localca.Leaf{Modules: i.processes[process]}); err != nil {
		i.t.Fatal(err)
	}
	return map[string]any{"cert": title + ".crt", "key": title + ".key", "ca": localca.Path(dir)}
}

// serve runs a process until the installation stops, and returns where it answers.
func (i *running) serve(title string, cfg config.Config) string {
	i.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := modules.Serve(ctx, cfg, modules.Options{Version: "acceptance", Stdout: stdout, Stderr: i.log})
		ended <- err
		_ = stdout.CloseWithError(fmt.Errorf("%s ended: %w", title, err)) // never fails
	}()
	i.stops = append(i.stops, func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				i.t.Errorf("%s did not drain cleanly: %v", title, err)
			}
		case <-time.After(30 * time.Second):
			i.t.Errorf("%s does not end", title)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		i.t.Fatalf("no %s: %v\n%s", title, err, i.log)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "ready "))
}

// share gives several edges one address.
func (i *running) share(edges []string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	var replicas []string
	for _, edge := range edges {
		replicas = append(replicas, strings.TrimPrefix(edge, "http://"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := forward.New(listener, func() []string { return replicas }, slog.New(slog.DiscardHandler)).Run(ctx); err != nil {
			i.t.Errorf("forward: %v", err)
		}
	})
	i.stops = append(i.stops, func() {
		cancel()
		ended.Wait()
	})
	return "http://" + listener.Addr().String()
}

// stop ends everything, in the reverse order of its start: the gateway, which is last, before those that it asks.
func (i *running) stop() {
	for n := len(i.stops) - 1; n >= 0; n-- {
		i.stops[n]()
	}
	for _, line := range i.log.errors() {
		i.t.Errorf("logged: %s", line)
	}
	if i.t.Failed() {
		i.t.Logf("logged:\n%s", i.log)
	}
}

func texts(values []string) []any {
	list := make([]any, len(values))
	for n, value := range values {
		list[n] = value
	}
	return list
}
