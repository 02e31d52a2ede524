package layout

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/shape"
	"kerf/modules"
	"kerf/platform/config"
)

// Instance is a process that is to run: one replica of a process of the file.
type Instance struct {
	Name     string // the process's, with a number if there are several
	Process  string
	Replica  int // from 1
	Modules  []string
	Internal string // the internal listener's address
	Listen   string // the public one's, where the gateway is; else ""
	Folder   string // of its configuration, and of its certificate
	TLS      bool
	// Settings are the keys of its configuration.
	Settings map[string]any
}

// HasGateway tells whether the instance serves the public.
func (i Instance) HasGateway() bool { return slices.Contains(i.Modules, gateway) }

const gateway = "gateway"

// Layout is a topology whose addresses are known.
type Layout struct {
	Shape     shape.Shape
	Instances []Instance
	// Listen is the public address, "" if no process has the gateway. Where that has replicas, they listen elsewhere and the topology
	// forwards.
	Listen string
	// Kafka, AMQP and Postgres say whether what is to be started here is used.
	Kafka, AMQP, Postgres bool
}

// Forwards tells whether the public address leads to several instances.
func (l Layout) Forwards() bool {
	gateways := 0
	for _, i := range l.Instances {
		if i.HasGateway() {
			gateways++
		}
	}
	return gateways > 1
}

// Options are what a topology is started with.
type Options struct {
	Data   string // absolute; where everything is kept
	Listen string // the public address, "" for what the file or the default says
	// Port gives a free port of 127.0.0.1 as host:port, the same for the same name.
	Port func(name string) (string, error)
	// Text has processes log in text, as a terminal's reader wants, if the file does not say how.
	Text bool
	// Command is what config.Check is to know of the modules.
	Command config.Command
}

// defaultListen is the public address if nothing else is said.
const defaultListen = "127.0.0.1:8080"

// New lays a shape out. What cannot work is added to the problems; the error is that there are no ports.
func New(s shape.Shape, problems *shape.Problems, o Options) (Layout, error) {
	l := Layout{Shape: s}
	a := arranger{Options: o, shape: s, problems: problems, layout: &l, remotes: map[string][]string{}}
	if err := a.addresses(); err != nil {
		return l, err
	}
	a.check()
	for i := range l.Instances {
		a.settle(&l.Instances[i])
	}
	a.unusedServers()
	return l, nil
}

type arranger struct {
	Options
	shape    shape.Shape
	problems *shape.Problems
	layout   *Layout
	remotes  map[string][]string // by module
}

// of are a process's settings, with what it gets from those for all.
func (a *arranger) of(p shape.Process) shape.Settings {
	both := p.Config.Over(a.shape.Config)
	if !slices.Contains(p.Modules, gateway) && !p.Config.Has("listen") {
		delete(both.Values, "listen") // meant for the one that has the gateway
	}
	for _, module := range p.Modules {
		if !p.Config.Has("remotes." + module) {
			delete(both.Values, "remotes."+module) // meant for the others
		}
	}
	if !both.Has("bus.driver") {
		if driver := a.impliedBus(); driver != "" {
			both.Values["bus.driver"] = driver
		}
	}
	if !both.Has("database.driver") && a.has(servers.Postgres) {
		both.Values["database.driver"] = "postgres"
	}
	return both
}

func (a *arranger) has(server string) bool { return slices.Contains(a.shape.Servers, server) }

func (a *arranger) kafka() bool { return a.has(servers.Kfake) || a.has(servers.Kafka) }

// impliedBus is what the only broker among the servers carries.
func (a *arranger) impliedBus() string {
	switch {
	case a.kafka() && !a.has(servers.RabbitMQ):
		return "kafka"
	case !a.kafka() && a.has(servers.RabbitMQ):
		return "amqp"
	}
	return ""
}

// addresses gives each replica of each process its place.
func (a *arranger) addresses() error {
	for _, p := range a.shape.Processes {
		own := a.of(p)
		for replica := range p.Replicas {
			i := Instance{Name: p.Name, Process: p.Name, Replica: replica + 1, Modules: p.Modules, TLS: a.shape.TLS}
			if p.Replicas > 1 {
				i.Name = fmt.Sprintf("%s-%d", p.Name, replica+1)
			}
			i.Folder = filepath.Join(a.Data, "processes", i.Name)
			var err error
			if i.Internal = own.Text("internal.listen"); i.Internal == "" {
				if i.Internal, err = a.Port(i.Name); err != nil {
					return err
				}
			}
			if i.HasGateway() {
				if err := a.public(&i, p, own); err != nil {
					return err
				}
			}
			for _, module := range p.Modules {
				a.remotes[module] = append(a.remotes[module], i.Internal)
			}
			a.layout.Instances = append(a.layout.Instances, i)
		}
	}
	return nil
}

// public gives an instance with the gateway its public address.
func (a *arranger) public(i *Instance, p shape.Process, own shape.Settings) (err error) {
	public := a.Listen
	if public == "" {
		public = own.Text("listen")
	}
	if public == "" {
		public = defaultListen
	}
	a.layout.Listen, i.Listen = public, public
	if p.Replicas > 1 {
		i.Listen, err = a.Port(i.Name + " edge")
	}
	return err
}

// settle makes an instance's configuration, and has it checked.
func (a *arranger) settle(i *Instance) {
	p := a.shape.Processes[slices.IndexFunc(a.shape.Processes, func(p shape.Process) bool { return p.Name == i.Process })]
	explicit := a.of(p)
	worked := map[string]any{
		"modules": list(i.Modules), "data": a.Data, "data_shared": true, "demo": false,
		"identity.local_issuer": !explicit.Has("identity.jwks"),
		"internal.listen":       i.Internal, "identity.keys": filepath.Join(a.Data, "keys"), "clock.file": filepath.Join(a.Data, "clock.json"),
	}
	if a.Text {
		worked["log.format"] = "text"
	}
	if i.HasGateway() {
		worked["listen"] = i.Listen
	}
	if explicit.Has("identity.jwks") {
		delete(worked, "identity.keys")
	}
	if explicit.Has("clock.url") {
		delete(worked, "clock.file")
	}
	for _, module := range modules.Names {
		if at := a.remotes[module]; len(at) > 0 && !slices.Contains(i.Modules, module) {
			worked["remotes."+module] = list(at)
		}
	}
	for key, value := range explicit.Values {
		if key != "listen" { // which is in it already, or is the forwarder's
			worked[key] = value
		}
	}
	i.Settings = worked
	a.trial(*i, p, explicit)
}

// WithBroker sets where an instance finds the broker that was started, if the file says nothing else.
func (i Instance) WithBroker(kafka, amqp string) {
	switch i.Settings["bus.driver"] {
	case "kafka":
		i.setUnlessSet("bus.brokers", list([]string{kafka}), kafka != "")
	case "amqp":
		i.setUnlessSet("bus.url", amqp, amqp != "")
	}
}

// WithDSN sets where a module's schema is, if the file says nothing else.
func (i Instance) WithDSN(module, dsn string) {
	if i.Postgres(module) && i.Settings["database.dsn"] == nil {
		i.setUnlessSet("database.modules."+module+".dsn", dsn, true)
	}
}

// Postgres tells whether a module of the instance has its schema in PostgreSQL.
func (i Instance) Postgres(module string) bool { return driver(i.Settings, module) == "postgres" }

// driver is that of a module's data.
func driver(settings map[string]any, module string) string {
	for _, key := range []string{"database.modules." + module + ".driver", "database.driver"} {
		if text, ok := settings[key].(string); ok {
			return text
		}
	}
	return "sqlite"
}

func (i Instance) setUnlessSet(key string, value any, ok bool) {
	if _, set := i.Settings[key]; ok && !set {
		i.Settings[key] = value
	}
}

// WithTLS sets the files of an instance's certificate, if the file does not name some.
func (i Instance) WithTLS(cert, key, ca string) {
	if _, set := i.Settings["internal.tls.cert"]; !set {
		maps.Copy(i.Settings, map[string]any{"internal.tls.cert": cert, "internal.tls.key": key, "internal.tls.ca": ca})
	}
}

// CA is the file with the authority that vouches for the instance, "" without TLS.
func (i Instance) CA() string {
	ca, _ := i.Settings["internal.tls.ca"].(string)
	return ca
}

// defaultDrain is how long a process may take to drain if its configuration does not say.
const defaultDrain = 10 * time.Second

// Drain is how long the instance may take to drain.
func (i Instance) Drain() time.Duration {
	text, _ := i.Settings["drain"].(string)
	if drain, err := time.ParseDuration(text); err == nil {
		return drain
	}
	return defaultDrain
}

// list is a list as a YAML file gives it.
func list(words []string) []any {
	all := make([]any, len(words))
	for i, word := range words {
		all[i] = word
	}
	return all
}
