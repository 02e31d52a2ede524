package stand

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/status"
	"kerf/platform/config"
)

// Facts are what the fairness sheet tells of the arm: the version, what runs, how what is acknowledged is kept, logs, traces, pools, certificates, formats
// and protocols, and how Go runs the processes. They are those at the start. What differs between processes has a fact for each: "log level of orders".
func (s *Stand) Facts() map[string]string { return maps.Clone(s.facts) }

// gathering is how long the facts may take. What does not answer by then is unknown.
const gathering = 5 * time.Second

// gateway is the module that has no data.
const gateway = "gateway"

// sheet gathers facts.
type sheet struct {
	facts map[string]string
	now   status.Topology
	// configs are the configurations of the processes, by name, as they took effect.
	configs map[string]config.Config
}

func (s *Stand) gather(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, gathering)
	defer cancel()
	sh := sheet{facts: map[string]string{}, configs: map[string]config.Config{}}
	var err error
	if sh.now, err = s.Status(); err != nil {
		return err
	}
	if err := sh.read(); err != nil {
		return err
	}
	sh.facts["version"] = versionOf(s.config.Launcher)
	sh.facts["processes"] = strconv.Itoa(len(sh.now.Processes))
	sh.facts["domain time"] = strconv.FormatFloat(cmp.Or(s.config.Speed, 1), 'g', -1, 64) + " times the wall's"
	sh.facts["data"] = "in a fresh folder for each run"
	sh.facts["CPU"] = "of modules, broker, database, topology and generator each on its own, none left out"
	if len(sh.configs) > 0 {
		sh.databases(ctx)
		sh.buses(filepath.Join(s.data, "servers"))
		sh.settings()
		sh.calls()
		sh.runtimes(ctx)
	}
	s.facts = sh.facts
	return nil
}

// read reads the configurations with which the processes were started.
func (sh *sheet) read() error {
	var known []string
	for _, p := range sh.now.Processes {
		known = append(known, p.Modules...)
	}
	stateful := slices.DeleteFunc(slices.Clone(known), func(module string) bool { return module == gateway })
	command := config.Command{Name: "module", Defaults: config.Default(), Modules: config.Modules{Names: known, Stateful: stateful}}
	for _, p := range sh.now.Processes {
		read, err := config.Load([]string{"-config", p.Config}, nil, command)
		if err != nil {
			return fmt.Errorf("the configuration of %s: %s", p.Name, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		sh.configs[p.Name] = read
	}
	return nil
}

// each notes a fact of each process that has it (it is not empty): once if it is the same for all of them.
func (sh *sheet) each(fact string, of func(status.Process, config.Config) string) {
	values := map[string]string{}
	for _, p := range sh.now.Processes {
		if value := of(p, sh.configs[p.Name]); value != "" {
			values[p.Name] = value
		}
	}
	all := slices.Compact(slices.Sorted(maps.Values(values)))
	if len(all) == 1 {
		sh.facts[fact] = all[0]
		return
	}
	for name, value := range values {
		sh.facts[fact+" of "+name] = value
	}
}

// versionOf is the commit, or module version, that a program was built from.
func versionOf(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "unknown"
	}
	version, changed := info.Main.Version, ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision" && version == "(devel)":
			version = setting.Value[:min(12, len(setting.Value))]
		case setting.Key == "vcs.modified" && setting.Value == "true" && !strings.HasSuffix(info.Main.Version, "+dirty"):
			changed = "+dirty"
		}
	}
	return version + changed
}

// has tells whether the topology started a server.
func (sh *sheet) has(name string) bool {
	return slices.ContainsFunc(sh.now.Servers, func(s status.Server) bool { return s.Name == name })
}

// databases tells where the data are and how they are kept.
func (sh *sheet) databases(ctx context.Context) {
	var used []string
	for _, p := range sh.now.Processes {
		for _, module := range p.Modules {
			if driver := sh.configs[p.Name].Schema(module).Driver; module != gateway && !slices.Contains(used, driver) {
				used = append(used, driver)
			}
		}
	}
	var names, kept []string
	if slices.Contains(used, "sqlite") {
		names = append(names, "SQLite, a file for each module")
		// See platform/database, where its test holds it.
		kept = append(kept, "SQLite: WAL, synchronous=FULL, the commands that wait are committed together")
	}
	if slices.Contains(used, "postgres") {
		names = append(names, "PostgreSQL, a schema for each module")
		kept = append(kept, sh.postgres(ctx))
	}
	sh.facts["database"], sh.facts["fsync of the database"] = strings.Join(names, "; "), strings.Join(kept, "; ")
}

// postgres asks the server that was started for what it was set to.
func (sh *sheet) postgres(ctx context.Context) string {
	at := slices.IndexFunc(sh.now.Servers, func(s status.Server) bool { return s.Name == servers.Postgres })
	if at < 0 {
		return "PostgreSQL: not started here, its settings are not known"
	}
	conn, err := pgx.Connect(ctx, sh.now.Servers[at].URL)
	if err != nil {
		return "PostgreSQL: its settings are not known"
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	set := make([]string, 0, 4)
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "shared_buffers"} {
		var value string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return "PostgreSQL: its settings are not known"
		}
		set = append(set, name+"="+value)
	}
	return "PostgreSQL: " + strings.Join(set, ", ") + ", the commands that wait are committed together"
}

// buses tells what carries events, and what an acknowledgement of it is worth.
func (sh *sheet) buses(folder string) {
	sh.each("bus", func(_ status.Process, c config.Config) string {
		switch {
		case c.Bus.Driver == "memory":
			return "memory, within the process"
		case c.Bus.Driver == "kafka" && sh.has(servers.Kfake):
			return "Kafka's protocol, served by kfake in place of Apache Kafka"
		case c.Bus.Driver == "kafka" && sh.has(servers.Kafka):
			return "Apache Kafka, one broker"
		case c.Bus.Driver == "amqp" && sh.has(servers.RabbitMQ):
			return "RabbitMQ, one node"
		}
		return c.Bus.Driver + ", on a broker that was not started here and is not counted"
	})
	sh.each("bus format", func(_ status.Process, c config.Config) string {
		if c.Bus.Driver == "memory" {
			return ""
		}
		return c.Bus.Format
	})
	switch {
	case sh.has(servers.Kafka):
		flush := "flushed when the system does (log.flush.interval.messages is not set)"
		if content, err := os.ReadFile(filepath.Join(folder, servers.Kafka, "server.properties")); err != nil || strings.Contains(string(content), "log.flush.interval") {
			flush = "flushed as server.properties says"
		}
		sh.facts["fsync of the broker"] = "Apache Kafka: acks=all, " + flush
	case sh.has(servers.Kfake):
		sh.facts["fsync of the broker"] = "kfake: acks=all, written to files, flushed when the system does"
	case sh.has(servers.RabbitMQ):
		sh.facts["fsync of the broker"] = "RabbitMQ: durable queues, persistent messages, publisher confirms"
	}
}

// settings tells what the configuration says of logs, traces and pools.
func (sh *sheet) settings() {
	sh.each("log level", func(_ status.Process, c config.Config) string { return c.Log.Level })
	sh.each("log format", func(_ status.Process, c config.Config) string {
		if c.Log.Format == "auto" {
			return "json" // it is not a terminal that they write to
		}
		return c.Log.Format
	})
	sh.facts["log"] = "through a pipe to the topology, which writes it to a file"
	sh.each("traces", func(_ status.Process, c config.Config) string {
		if c.Telemetry.Traces == "off" {
			return "off"
		}
		return fmt.Sprintf("%s, %g %% of requests", c.Telemetry.Traces, 100*c.Telemetry.Sample)
	})
	sh.each("pools", func(p status.Process, c config.Config) string {
		if slices.Equal(p.Modules, []string{gateway}) {
			return "" // it has no data
		}
		return fmt.Sprintf("one writer and %d readers for each module", c.Database.Pool)
	})
}

// calls tells how modules in several processes call each other.
func (sh *sheet) calls() {
	if len(sh.now.Processes) < 2 {
		sh.facts["calls between processes"] = "none, there is one process"
	} else {
		sh.each("calls between processes", func(_ status.Process, c config.Config) string { return c.Internal.Protocol })
		sh.each("TLS between processes", func(_ status.Process, c config.Config) string {
			if c.Internal.TLS.On() {
				return "mutual, TLS 1.3"
			}
			return "none"
		})
	}
	sh.facts["TLS of the public API"] = "none"
	sh.facts["keep-alive"] = "connections stay open: the generator's, those between processes, to broker and database"
}
