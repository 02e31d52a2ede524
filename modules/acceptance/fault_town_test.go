package acceptance

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	topologyfile "kerf/cmd/topology/shape"
	"kerf/cmd/topology/status"
	"kerf/modules"
	"kerf/platform/database"
)

// troubled is a topology that faults are inflicted on.
type troubled struct {
	name    string
	file    string   // of deploy/topologies: what its processes are
	servers []string // instead of those in the file
	bus     string
}

var troubledTopologies = []troubled{
	{"split", "split", []string{"kfake"}, "kafka"},
	{"split-kafka-postgres", "split-kafka-postgres", []string{"kafka", "postgres"}, "kafka"},
	{"replicas", "replicas", []string{"kafka", "postgres"}, "kafka"},
	{"halves-rabbitmq", "halves", []string{"rabbitmq"}, "amqp"},
}

// topologyBinary is cmd/topology, built once.
var topologyBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "topology")
	out, err := exec.Command("go", "build", "-o", path, "kerf/cmd/topology").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// startUp is how long a topology may take until it is ready: a broker on a busy machine takes its time.
const startUp = 3 * time.Minute

// layer is a running topology: the servers, or the processes.
type layer struct {
	*process
	dir string
}

// raise starts a topology from a file, and waits until it is ready.
func raise(t *testing.T, dir, file string, args ...string) layer {
	t.Helper()
	path, err := topologyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"-config", file, "-data", dir}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KERF_") })
	l := layer{execute(t, cmd), dir}
	if err := l.ready(startUp); err != nil {
		t.Fatal(err)
	}
	return l
}

// children are the processes and servers of the layer, as it tells of them.
func (l layer) children() (all []status.Child, err error) {
	s, err := status.Read(l.dir)
	for _, p := range s.Processes {
		all = append(all, p.Child)
	}
	for _, server := range s.Servers {
		all = append(all, server.Child)
	}
	return all, err
}

// town is an installation under test: its servers, its processes, and between all of them links.
//
// The servers are a topology of their own, because only then can there be links to them: the processes' configuration names the links, and
// what it names is not started by their topology.
type town struct {
	troubled
	t      *testing.T
	ground layer // the servers
	upper  layer // the processes
	links  []*link
	public *link // from the clients to the gateway
	admin  string
}

// found starts an installation with everything kept in dir.
func found(t *testing.T, what troubled, dir string, speed float64) *town {
	t.Helper()
	w := &town{troubled: what, t: t}
	w.ground = raise(t, filepath.Join(dir, "servers"), write(t, dir, "servers.yaml", map[string]any{"servers": what.servers}))
	upper := filepath.Join(dir, "processes")
	file := write(t, dir, "processes.yaml", w.processes(upper))
	w.public = w.link("edge", false, func() (string, error) {
		s, err := status.Read(upper)
		return strings.TrimPrefix(s.URL, "http://"), err
	})
	w.upper = raise(t, upper, file, "-listen", "127.0.0.1:0", "-speed", fmt.Sprint(speed))
	return w
}

func write(t *testing.T, dir, name string, content any) string {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (w *town) link(name string, redirects bool, to func() (string, error)) *link {
	l := connect(w.t, name, redirects, to)
	w.links = append(w.links, l)
	return l
}

// processes makes the topology file of the processes: those of a ready-made one, with a link wherever one talks to another or to a server.
func (w *town) processes(dir string) map[string]any {
	path := filepath.Join("..", "..", "deploy", "topologies", w.file+".yaml")
	s, problems := topologyfile.Read(path, modules.Names)
	if err := problems.Err(); err != nil {
		w.t.Fatal(err)
	}
	dsns := w.schemas()
	processes, remotes := map[string]any{}, map[string]any{}
	for _, p := range s.Processes {
		processes[p.Name] = map[string]any{"modules": p.Modules, "replicas": p.Replicas, "config": w.configOf(p, dsns)}
		var ways []string
		for replica := range p.Replicas {
			name := p.Name
			if p.Replicas > 1 {
				name = fmt.Sprintf("%s-%d", p.Name, replica+1)
			}
			ways = append(ways, w.link(name, false, func() (string, error) {
				s, err := status.Read(dir)
				p, _ := s.Find(name)
				return p.Internal, err
			}).address())
		}
		for _, module := range p.Modules {
			remotes[module] = ways
		}
	}
	return map[string]any{"processes": processes, "config": map[string]any{"remotes": remotes, "log": map[string]any{"level": "info"}}}
}

// configOf is what a process is told of the servers: each process has links of its own to them.
func (w *town) configOf(p topologyfile.Process, dsns map[string]string) map[string]any {
	broker := w.link(p.Name+" to the broker", w.bus == "kafka", func() (string, error) { return w.serverAt(w.servers[0]) }).address()
	config := map[string]any{"bus": map[string]any{"driver": "kafka", "brokers": []string{broker}}}
	if w.bus == "amqp" {
		config["bus"] = map[string]any{"driver": "amqp", "url": "amqp://guest:guest@" + broker + "/"}
	}
	var stateful []string
	for _, module := range p.Modules {
		if dsns[module] != "" {
			stateful = append(stateful, module)
		}
	}
	if len(stateful) == 0 {
		return config
	}
	database := w.link(p.Name+" to the database", false, func() (string, error) { return w.serverAt("postgres") }).address()
	schemas := map[string]any{}
	for _, module := range stateful {
		dsn, err := url.Parse(dsns[module])
		if err != nil {
			w.t.Fatal(err)
		}
		dsn.Host = database
		schemas[module] = map[string]any{"dsn": dsn.String()}
	}
	config["database"] = map[string]any{"driver": "postgres", "modules": schemas}
	return config
}

// schemas sets the database up, if there is one, and returns each module's DSN.
func (w *town) schemas() map[string]string {
	if !slices.Contains(w.servers, "postgres") {
		return nil
	}
	s, err := status.Read(w.ground.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, server := range s.Servers {
		if server.Name == "postgres" {
			w.admin = server.URL
		}
	}
	stateful := slices.DeleteFunc(slices.Clone(modules.Names), func(name string) bool { return name == "gateway" })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dsns, err := database.Setup(ctx, w.admin, stateful, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return dsns
}

func (w *town) serverAt(name string) (string, error) {
	s, err := status.Read(w.ground.dir)
	if err != nil {
		return "", err
	}
	for _, server := range s.Servers {
		if server.Name == name {
			return server.Address, nil
		}
	}
	return "", fmt.Errorf("there is no server %s", name)
}

// child is a process or a server, and the layer that it is in.
func (w *town) child(name string) (status.Child, error) {
	for _, l := range []layer{w.upper, w.ground} {
		children, err := l.children()
		if err != nil {
			return status.Child{}, err
		}
		if at := slices.IndexFunc(children, func(c status.Child) bool { return c.Name == name }); at >= 0 {
			return children[at], nil
		}
	}
	return status.Child{}, fmt.Errorf("there is no %s", name)
}

// processNames are the processes, each replica by itself.
func (w *town) processNames() (all []string) {
	children, err := w.upper.children()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range children {
		all = append(all, c.Name)
	}
	return all
}

// whole waits until every process and server runs and is ready.
func (w *town) whole(limit time.Duration) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var missing []string
		for _, l := range []layer{w.ground, w.upper} {
			children, err := l.children()
			if err != nil {
				return err
			}
			for _, c := range children {
				if c.State != "ready" {
					missing = append(missing, fmt.Sprintf("%s is %s", c.Name, c.State))
				}
			}
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("%s", strings.Join(missing, ", "))
		}
	}
}
