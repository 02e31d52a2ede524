package layout

import (
	"errors"
	"maps"
	"path/filepath"
	"strings"

	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/shape"
	"kerf/modules"
	"kerf/platform/config"
)

// own are keys that are not for a file to set, and who sets them.
var own = map[string]string{
	"modules":     "stands in processes",
	"data":        "is set by -data",
	"data_shared": "is set by the topology",
	"speed":       "is set by -speed",
}

// check looks at what only the topology as a whole can tell.
func (a *arranger) check() {
	for key, why := range own {
		if line := a.shape.Config.Lines[key]; line > 0 {
			a.problems.Add(line, "config.%s: %s", key, why)
		}
		for _, p := range a.shape.Processes {
			if line := p.Config.Lines[key]; line > 0 {
				a.problems.Add(line, "processes.%s.config.%s: %s", p.Name, key, why)
			}
		}
	}
	for _, p := range a.shape.Processes {
		settings := a.of(p)
		a.checkReplicas(p, settings)
		a.checkBus(p, settings)
		a.checkDatabase(p, settings)
	}
}

// checkReplicas refuses replicas of what one process alone can hold.
func (a *arranger) checkReplicas(p shape.Process, settings shape.Settings) {
	if p.Replicas == 1 {
		return
	}
	at := "processes." + p.Name + ".replicas"
	var held []string
	for _, module := range p.Modules {
		if module != gateway && driver(settings.Values, module) == "sqlite" {
			held = append(held, module)
		}
	}
	if len(held) > 0 {
		a.problems.Add(p.ReplicasLine, "%s: replicas share their data, and a file of SQLite (%s) is for one process: want database.driver postgres",
			at, strings.Join(held, ", "))
	}
	if settings.Has("internal.listen") {
		a.problems.Add(settings.Line("internal.listen"), "%s: internal.listen is one address", at)
	}
}

// checkBus looks whether events can get from one process to the other.
func (a *arranger) checkBus(p shape.Process, settings shape.Settings) {
	line, at := a.whence(p, "bus.driver")
	switch driver := settings.Text("bus.driver"); driver {
	case "", "memory":
		switch {
		case driver == "" && a.kafka() && a.has(servers.RabbitMQ):
			a.problems.Add(line, "%s: there are two brokers among the servers: want kafka or amqp", at)
		case len(a.shape.Processes) > 1 || p.Replicas > 1:
			a.problems.Add(line, "%s: memory carries events within one process: want kafka, with server kfake or kafka, or amqp, with server rabbitmq", at)
		}
	case "kafka":
		a.layout.Kafka = a.layout.Kafka || !settings.Has("bus.brokers")
		if !settings.Has("bus.brokers") && !a.kafka() {
			a.problems.Add(line, "%s: is kafka: want kfake or kafka among the servers, or bus.brokers", at)
		}
	case "amqp":
		a.layout.AMQP = a.layout.AMQP || !settings.Has("bus.url")
		if !settings.Has("bus.url") && !a.has(servers.RabbitMQ) {
			a.problems.Add(line, "%s: is amqp: want rabbitmq among the servers, or bus.url", at)
		}
	}
}

// checkDatabase looks whether modules on PostgreSQL have one.
func (a *arranger) checkDatabase(p shape.Process, settings shape.Settings) {
	var without []string
	for _, module := range p.Modules {
		if module == gateway || driver(settings.Values, module) != "postgres" {
			continue
		}
		if settings.Has("database.dsn") || settings.Has("database.modules."+module+".dsn") {
			continue
		}
		a.layout.Postgres = true
		without = append(without, module)
	}
	if len(without) > 0 && !a.has(servers.Postgres) {
		line, at := a.whence(p, "database.driver")
		a.problems.Add(line, "%s: is postgres for %s: want postgres among the servers, or database.dsn", at, strings.Join(without, ", "))
	}
}

// whence is where a process's key stands in the file, as a line and in words; the process itself if it stands nowhere.
func (a *arranger) whence(p shape.Process, key string) (line int, at string) {
	switch {
	case p.Config.Lines[key] > 0:
		return p.Config.Lines[key], "processes." + p.Name + ".config." + key
	case a.shape.Config.Lines[key] > 0:
		return a.shape.Config.Lines[key], "config." + key
	}
	return p.Line, "processes." + p.Name + ": " + key
}

// unusedServers complains of servers that no process would use. Without processes they are there for others.
func (a *arranger) unusedServers() {
	if len(a.shape.Processes) == 0 {
		return
	}
	used := map[string]bool{
		servers.Kfake: a.layout.Kafka, servers.Kafka: a.layout.Kafka, servers.RabbitMQ: a.layout.AMQP, servers.Postgres: a.layout.Postgres,
	}
	for _, name := range a.shape.Servers {
		if !used[name] {
			a.problems.Add(a.shape.ServersLine(), "servers: %s: no process uses it", name)
		}
	}
}

// trial has the configuration checked as the process will check it, with stand-ins for what is known only when the servers run, and says of
// each problem where in the file it comes from.
func (a *arranger) trial(i Instance, p shape.Process, explicit shape.Settings) {
	trial := i
	trial.Settings = maps.Clone(i.Settings)
	trial.WithBroker("127.0.0.1:1", "amqp://127.0.0.1:1/")
	for _, module := range i.Modules {
		if module != gateway {
			trial.WithDSN(module, "postgres://127.0.0.1:1/kerf")
		}
	}
	for _, module := range modules.Names {
		if len(a.remotes[module]) == 0 {
			trial.setUnlessSet("remotes."+module, list([]string{"127.0.0.1:1"}), true) // that it is nowhere was complained of
		}
	}
	for key := range own {
		if explicit.Has(key) {
			delete(trial.Settings, key) // was complained of
		}
	}
	trial.Settings["modules"], trial.Settings["data"] = i.Settings["modules"], a.Data
	if len(i.Modules) == 0 {
		return // was complained of
	}
	if driver, _ := trial.Settings["bus.driver"].(string); (driver == "" || driver == "memory") && (len(a.shape.Processes) > 1) {
		trial.Settings["bus.driver"], trial.Settings["bus.brokers"] = "kafka", "127.0.0.1:1" // was complained of
	}
	_, err := config.Check(shape.Nested(trial.Settings), filepath.Base(a.shape.Path), a.Command)
	var bad *config.Error
	if !errors.As(err, &bad) {
		return
	}
	for _, problem := range bad.Problems {
		a.report(problem, p, explicit)
	}
}

// report adds a problem of a process's configuration, which begins with its key.
func (a *arranger) report(problem string, p shape.Process, explicit shape.Settings) {
	source := filepath.Base(a.shape.Path)
	problem = strings.TrimPrefix(problem, source+": ")
	problem = strings.Replace(problem, " ("+source+")", "", 1)
	key, _, _ := strings.Cut(problem, ":")
	mine := "processes." + p.Name
	for _, place := range []struct {
		line   int
		prefix string
	}{
		{p.Config.Lines[key], mine + ".config."}, {a.shape.Config.Lines[key], "config."}, // the key itself
		{p.Config.Line(key), mine + ".config."}, {a.shape.Config.Line(key), "config."}, // a section that it is in
		{p.Line, mine + ": "},
	} {
		if place.line > 0 {
			a.problems.Add(place.line, "%s%s", place.prefix, problem)
			return
		}
	}
}
