package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"go.yaml.in/yaml/v3"

	"kerf/cmd/topology/console"
	"kerf/cmd/topology/layout"
	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/shape"
	"kerf/cmd/topology/status"
	"kerf/cmd/topology/supervise"
	"kerf/platform/atomicfile"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/process"
	"kerf/platform/rpc/localca"
	"kerf/platform/telemetry"
)

// topology is one that runs.
type topology struct {
	options
	layout  layout.Layout
	servers []*servers.Server
	self    string
	stdout  io.Writer
	console *console.Console
	log     *slog.Logger
	book    *ports.Book
	starter *supervise.Starter
	report  *report
	// broken gets what makes going on senseless.
	broken chan error
}

// run runs a topology until ctx ends or it cannot go on.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	t := &topology{options: o, stdout: stdout, book: ports.New(), broken: make(chan error, 1)}
	defer t.book.Close()
	var problems *shape.Problems
	terminal := console.New(stderr, nil).Terminal()
	if t.layout, problems, err = read(ctx, o, t.book, terminal); err != nil {
		return err
	}
	for _, name := range t.layout.Shape.Servers {
		if err := servers.Check(name); err != nil {
			problems.Add(t.layout.Shape.ServersLine(), "servers: %s", err)
		}
	}
	if err := errors.Join(problems.Err(), t.placed("-init", o.init), t.placed("-adopt", o.adopt)); err != nil {
		return err
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	lock := flock.New(filepath.Join(o.data, "topology.lock"))
	if held, err := lock.TryLock(); err != nil || !held {
		return fmt.Errorf("another topology runs with its data in %s", o.data)
	}
	defer func() { _ = lock.Unlock() }()

	t.console = console.New(stderr, t.names())
	if t.log, err = telemetry.NewLogger(t.console.Writer("topology"), telemetry.LogConfig{Level: "info", Format: format(terminal)}); err != nil {
		return err
	}
	t.warnOfVariables()
	if t.self, err = os.Executable(); err != nil {
		return err
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	t.starter = supervise.NewStarter()
	defer t.starter.Close()
	t.report = newReport(t)
	reporting, stopReporting := context.WithCancel(context.WithoutCancel(ctx))
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		t.report.run(reporting)
	}()
	defer func() {
		t.report.set("ended")
		stopReporting()
		<-reported
	}()
	return t.live(ctx)
}

func format(terminal bool) string {
	if terminal {
		return "text"
	}
	return "json"
}

// names are all that write to the console.
func (t *topology) names() []string {
	names := append([]string{"topology"}, t.layout.Shape.Servers...)
	for _, i := range t.layout.Instances {
		names = append(names, i.Name)
	}
	return names
}

// otherVariables are no keys of the configuration: tests read the first, deploy/servers the second.
var otherVariables = []string{"KERF_INSTANCES", "KERF_SERVERS_DATA"}

// warnOfVariables tells of variables that the monolith would take its configuration from. A topology's file alone says what its processes are.
func (t *topology) warnOfVariables() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "KERF_") && !strings.HasPrefix(name, "KERF_TEST_") && !slices.Contains(otherVariables, name) {
			t.log.Warn("a variable is not handed on to the processes: its key goes into the topology file's config", "variable", name)
		}
	}
}

// prepare makes what all children share, before there is one.
func (t *topology) prepare(ctx context.Context) error {
	if len(t.layout.Instances) > 0 {
		// The list of the domain clock is settled here; the processes read it.
		if _, err := clock.Open(filepath.Join(t.data, "clock.json"), t.speed); err != nil {
			return err
		}
	}
	for _, name := range t.layout.Shape.Servers {
		server, err := servers.New(ctx, name, servers.Options{
			Dir: filepath.Join(t.data, "servers", name), Ports: t.book, Self: t.self,
			Output: func(line string) { t.console.Line(name, line) },
		})
		if err != nil {
			return err
		}
		t.servers = append(t.servers, server)
	}
	return t.certify()
}

// certify gives each instance a certificate that names its modules, if the file asks for TLS.
func (t *topology) certify() error {
	if !t.layout.Shape.TLS {
		return nil
	}
	folder := filepath.Join(t.data, "ca")
	ca, err := localca.Open(folder)
	if err != nil {
		return err
	}
	for _, i := range t.layout.Instances {
		host, _, _ := net.SplitHostPort(i.Internal)
		cert, key := filepath.Join(i.Folder, "cert.pem"), filepath.Join(i.Folder, "key.pem")
		if err := os.MkdirAll(i.Folder, 0o700); err != nil {
			return err
		}
		hosts := slices.Compact([]string{"127.0.0.1", "localhost", host})
		if err := ca.IssueTo(cert, key, localca.Leaf{Modules: i.Modules, Hosts: hosts}); err != nil {
			return err
		}
		i.WithTLS(cert, key, localca.Path(folder))
	}
	return nil
}

// address is that of a server that was asked for, "" if it was not.
func (t *topology) address(names ...string) string {
	for _, server := range t.servers {
		if slices.Contains(names, server.Name) {
			return server.Address
		}
	}
	return ""
}

// configure writes each instance's configuration, once the servers are there.
func (t *topology) configure(ctx context.Context) error {
	dsns := map[string]string{}
	if t.layout.Postgres {
		var owners []string
		for _, i := range t.layout.Instances {
			for _, module := range i.Modules {
				if i.Postgres(module) && module != "gateway" && !slices.Contains(owners, module) {
					owners = append(owners, module)
				}
			}
		}
		var err error
		if dsns, err = t.setUp(ctx, owners); err != nil {
			return err
		}
	}
	for _, i := range t.layout.Instances {
		i.WithBroker(t.address(servers.Kfake, servers.Kafka), t.address(servers.RabbitMQ))
		for _, module := range i.Modules {
			if dsn := dsns[module]; dsn != "" {
				i.WithDSN(module, dsn)
			}
		}
		content, err := yaml.Marshal(shape.Nested(i.Settings))
		if err != nil {
			return err
		}
		head := fmt.Sprintf("# Written by the topology of %s at its start; see cmd/topology. It may hold passwords.\n", t.config)
		if err := atomicfile.Write(configFile(i), append([]byte(head), content...), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func configFile(i layout.Instance) string { return filepath.Join(i.Folder, "kerf.yaml") }

// setUp makes the modules' schemas and roles. Their passwords are made once and kept, so that a process that was started by hand with a
// configuration from before goes on.
func (t *topology) setUp(ctx context.Context, owners []string) (map[string]string, error) {
	file := filepath.Join(t.data, "servers", servers.Postgres, "modules")
	passwords := map[string]string{}
	if content, err := os.ReadFile(file); err == nil {
		for line := range strings.Lines(string(content)) {
			module, dsn, _ := strings.Cut(strings.TrimSpace(line), " ")
			if u, err := url.Parse(dsn); err == nil && u.User != nil {
				passwords[module], _ = u.User.Password()
			}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// Setup would keep the password of a role that is there, and it is lost if a kill came before the file was written.
	for _, module := range owners {
		if passwords[module] == "" {
			passwords[module] = rand.Text()
		}
	}
	dsns, err := database.Setup(ctx, t.address(servers.Postgres), owners, passwords)
	if err != nil {
		return nil, err
	}
	return dsns, atomicfile.Write(file, []byte(database.SetupText(dsns)), 0o600)
}

// spec is the program of an instance: this one, as cmd/module.
func (t *topology) spec(i layout.Instance, ready func() <-chan struct{}) supervise.Spec {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "KERF_") {
			env = append(env, entry)
		}
	}
	return supervise.Spec{
		Name: i.Name,
		Command: func() *exec.Cmd {
			t.book.ReleaseAddress(i.Internal)
			t.book.ReleaseAddress(i.Listen)
			args := []string{"module", "-config", configFile(i)}
			select {
			case <-ready():
			default: // What is to be made or taken over is so once.
				args = append(args, t.take(i)...)
			}
			cmd := exec.Command(t.self, args...)
			cmd.Env = env
			return cmd
		},
		Output:  func(line string) { t.console.Line(i.Name, line) },
		Quiet:   true, // it says "ready URL", which here is the topology's to say
		Ready:   readiness(i),
		Grace:   i.Drain() + 5*time.Second,
		Misused: process.Misuse,
	}
}

// placed refuses a flag's list that names what no process has.
func (t *topology) placed(flag, list string) error {
	for _, name := range split(list) {
		if !slices.ContainsFunc(t.layout.Instances, func(i layout.Instance) bool { return slices.Contains(i.Modules, name) }) {
			return misuse{fmt.Errorf("%s: no process has the module %q", flag, name)}
		}
	}
	return nil
}

// split gives the names in a list with commas.
func split(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// take are the flags by which an instance makes or takes over schemas that the command line names.
func (t *topology) take(i layout.Instance) (args []string) {
	for _, f := range []struct{ name, list string }{{"-init", t.init}, {"-adopt", t.adopt}} {
		var mine []string
		for _, name := range split(f.list) {
			if slices.Contains(i.Modules, name) {
				mine = append(mine, name)
			}
		}
		if len(mine) > 0 {
			args = append(args, f.name, strings.Join(mine, ","))
		}
	}
	return args
}

// readiness asks an instance, at its internal listener, whether it is ready.
func readiness(i layout.Instance) func(ctx context.Context) error {
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	address := i.Internal
	if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	if ca := i.CA(); ca != "" {
		scheme = "https"
		pool := x509.NewCertPool()
		if pem, err := os.ReadFile(ca); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	}
	client := &http.Client{Transport: transport}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s is not ready: %s", i.Name, response.Status)
		}
		return nil
	}
}

// url is what the topology says when it is ready: the public API, or where to read about everything else.
func (t *topology) url() string {
	if t.layout.Listen != "" {
		return "http://" + t.layout.Listen
	}
	return "file://" + filepath.Join(t.data, status.File)
}
