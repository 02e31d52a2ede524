package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// edgeHere tells whether the module that serves the public is placed here.
func (l *loader) edgeHere() bool {
	return l.cmd.Modules.Edge == "" || l.cfg.Has(l.cmd.Modules.Edge)
}

// cut tells whether modules are placed elsewhere.
func (l *loader) cut() bool {
	placed := len(l.cfg.Placed(l.cmd.Modules.Names))
	return len(l.cfg.Modules) > 0 && !l.cfg.All() && placed < max(1, len(l.cmd.Modules.Names))
}

// isModule tells whether there is such a module, or complains.
func (l *loader) isModule(key, name string) bool {
	names := l.cmd.Modules.Names
	ok := len(names) == 0 || slices.Contains(names, name)
	if !ok {
		l.complain("%s: there is no module %s%s", l.where(key), name, suggest(name, names))
	}
	return ok
}

// validateModules looks at the names of those that are placed, and of those that flags say something of.
func (l *loader) validateModules() {
	cfg := l.cfg
	l.check(len(cfg.Modules) > 0, "modules", "want all, or a list of names")
	seen := map[string]bool{}
	for _, name := range cfg.Modules {
		switch {
		case name == all:
			l.check(len(cfg.Modules) == 1, "modules", "all stands alone")
		case !l.isModule("modules", name):
		default:
			l.check(!seen[name], "modules", name+" is named twice")
		}
		seen[name] = true
	}
	for _, flag := range []struct {
		name    string
		modules []string
	}{{"-init", cfg.Init}, {"-adopt", cfg.Adopt}} {
		for _, module := range flag.modules {
			switch {
			case !l.isModule(flag.name, module):
			case !cfg.Has(module):
				l.complain("%s: %s is not placed here", flag.name, module)
			case !slices.Contains(l.cmd.Modules.Stateful, module):
				l.complain("%s: %s has no schema", flag.name, module)
			}
		}
	}
	for _, module := range cfg.Adopt {
		l.check(!slices.Contains(cfg.Init, module), "-adopt", module+" is named by -init too")
	}
}

// validateRemotes looks at where modules are called that are not placed here, and how.
func (l *loader) validateRemotes() {
	cfg := l.cfg
	for _, module := range slices.Sorted(maps.Keys(cfg.Remotes)) {
		key := "remotes." + module
		if !l.isModule(key, module) {
			continue
		}
		l.check(!cfg.Has(module), key, "is placed in this process, and needs no address")
		l.check(len(cfg.Remotes[module]) > 0, key, "want an address")
		for _, address := range cfg.Remotes[module] {
			l.validateAddress(key, address)
		}
	}
	for _, module := range l.cmd.Modules.Names {
		var callers []string
		for _, caller := range cfg.Placed(l.cmd.Modules.Names) {
			if slices.Contains(l.cmd.Modules.Needs[caller], module) {
				callers = append(callers, caller)
			}
		}
		reached := cfg.Has(module) || l.isSet("remotes."+module) || len(cfg.Remotes[module]) > 0
		l.check(reached || len(callers) == 0, "remotes."+module,
			"is missing: "+module+" is not placed here, and called by "+strings.Join(callers, ", "))
	}
	l.validateCalls()
}

const dns = "dns:///"

func (l *loader) validateAddress(key, address string) {
	target, named := strings.CutPrefix(address, dns)
	switch {
	case !isAddress(target) || strings.HasSuffix(target, ":0"):
		l.complain("%s: want host:port or %shost:port", l.where(key), dns)
	case named && len(l.cfg.Remotes[strings.TrimPrefix(key, "remotes.")]) > 1:
		l.complain("%s: a name that stands for several addresses stands alone", l.where(key))
	case sameAddress(target, l.cfg.Internal.Listen):
		l.complain("%s: is this process itself, see internal.listen", l.where(key))
	case !l.cfg.Internal.TLS.On() && !isLoopback(target):
		l.complain("%s: is not on this machine, and without internal.tls no other believes who calls", l.where(key))
	}
}

// validateCalls looks at policies: a module's own is wrong only in what it states itself.
func (l *loader) validateCalls() {
	calls := l.cfg.Calls
	wrong := map[string]bool{}
	for _, err := range calls.Validate("calls") {
		key, problem, _ := strings.Cut(err.Error(), " ")
		wrong[strings.TrimPrefix(key, "calls.")] = true
		l.complain("%s: %s", l.where(key), problem)
	}
	for _, module := range slices.Sorted(maps.Keys(calls.Modules)) {
		section := "calls.modules." + module
		if !l.isModule(section, module) {
			continue
		}
		for _, err := range calls.For(module).Validate(section) {
			key, problem, _ := strings.Cut(err.Error(), " ")
			if !wrong[strings.TrimPrefix(key, section+".")] {
				l.complain("%s: %s", l.where(key), problem)
			}
		}
	}
}

// validateBus looks at the bus, and for keys that another one takes.
func (l *loader) validateBus() {
	bus := l.cfg.Bus
	l.choice(bus.Driver, "bus.driver", Buses)
	l.choice(bus.Format, "bus.format", Formats)
	why := "bus.driver is " + bus.Driver
	files := []pem{}
	if bus.TLS.CA != "" {
		files = append(files, pem{"ca", bus.TLS.CA})
	}
	if bus.TLS.Cert != "" || bus.TLS.Key != "" {
		files = append(files, pem{"cert", bus.TLS.Cert}, pem{"key", bus.TLS.Key})
	}
	switch bus.Driver {
	case "memory":
		l.check(!l.cut(), "bus.driver", "memory carries events within one process, and modules are left out: want kafka or amqp")
		for _, key := range []string{"bus.namespace", "bus.brokers", "bus.replication", "bus.url", "bus.tls.", "bus.sasl."} {
			l.unused(key, why)
		}
	case "kafka":
		l.unused("bus.url", why)
		l.check(len(bus.Brokers) > 0, "bus.brokers", "is missing: want host:port, one or more")
		for _, broker := range bus.Brokers {
			l.check(isAddress(broker), "bus.brokers", "want host:port, one or more")
		}
		l.check(bus.Replication >= 1 && bus.Replication <= maxReplication, "bus.replication", fmt.Sprintf("want 1 to %d", maxReplication))
		if !bus.TLS.Enabled {
			for _, key := range []string{"bus.tls.ca", "bus.tls.cert", "bus.tls.key", "bus.tls.server_name"} {
				l.unused(key, "bus.tls.enabled is false")
			}
			files = nil
		}
		l.files("bus.tls.", true, files)
		l.validateSASL()
	case "amqp":
		for _, key := range []string{"bus.brokers", "bus.replication", "bus.sasl.", "bus.tls.enabled"} {
			l.unused(key, why)
		}
		l.check(isURL(bus.URL, "amqp", "amqps"), "bus.url", "want a URL that begins with amqp:// or amqps://")
		if isURL(bus.URL, "amqp") {
			for _, key := range []string{"bus.tls.ca", "bus.tls.cert", "bus.tls.key", "bus.tls.server_name"} {
				l.unused(key, "bus.url does not begin with amqps://")
			}
			files = nil
		}
		l.files("bus.tls.", true, files)
	}
}

// maxReplication is far above what any cluster has.
const maxReplication = 100

func (l *loader) validateSASL() {
	sasl := l.cfg.Bus.SASL
	l.check(!outside(sasl.Mechanism, Mechanisms), "bus.sasl.mechanism", oneOf(Mechanisms[1:]))
	if sasl.Mechanism == "" {
		l.unused("bus.sasl.username", "bus.sasl.mechanism is empty")
		l.unused("bus.sasl.password", "bus.sasl.mechanism is empty")
		return
	}
	l.check(sasl.Username != "", "bus.sasl.username", "is missing")
	l.check(sasl.Password != "", "bus.sasl.password", "is missing")
}

// maxPool is more than a server gives to one module.
const maxPool = 100

// validateDatabase looks at where the modules that are placed here have their data, and for keys that another driver takes. What is said
// of modules elsewhere is theirs: a file may be for several processes.
func (l *loader) validateDatabase() {
	cfg := l.cfg
	l.choice(cfg.Database.Driver, "database.driver", Databases)
	l.check(cfg.Database.Pool >= 1 && cfg.Database.Pool <= maxPool, "database.pool", fmt.Sprintf("want 1 to %d", maxPool))
	for _, module := range slices.Sorted(maps.Keys(cfg.Database.Modules)) {
		section := "database.modules." + module
		if l.isModule(section, module) && !slices.Contains(l.cmd.Modules.Stateful, module) && len(l.cmd.Modules.Names) > 0 {
			l.complain("%s: %s has no schema", section, module)
		}
	}
	drivers := map[string]bool{cfg.Database.Driver: len(l.cmd.Modules.Stateful) == 0}
	for _, module := range cfg.Placed(l.cmd.Modules.Stateful) {
		drivers[cfg.Schema(module).Driver] = true
		l.validateSchema(module)
	}
	none := "no module that is placed here has its data in "
	if !drivers["postgres"] && !l.cut() {
		l.unused("database.dsn", none+"PostgreSQL")
		l.unused("database.pool", none+"PostgreSQL")
	}
	if !drivers["sqlite"] && !l.cut() {
		l.unused("database.dir", none+"SQLite")
	}
}

func (l *loader) validateSchema(module string) {
	own, schema := l.cfg.Database.Modules[module], l.cfg.Schema(module)
	section := "database.modules." + module + "."
	if own.Driver != "" {
		l.choice(own.Driver, section+"driver", Databases)
	}
	switch schema.Driver {
	case "sqlite":
		l.check(own.DSN == "", section+"dsn", "is not used: the driver is sqlite")
		l.check(own.Pool == 0, section+"pool", "is not used: the driver is sqlite")
	case "postgres":
		l.check(own.Dir == "", section+"dir", "is not used: the driver is postgres")
		l.check(own.Pool >= 0 && own.Pool <= maxPool, section+"pool", fmt.Sprintf("want 1 to %d", maxPool))
		key := section + "dsn"
		if own.DSN == "" && l.cfg.Database.DSN != "" {
			key = "database.dsn"
		}
		l.check(isURL(schema.DSN, "postgres", "postgresql"), key, "want a URL such as postgres://"+module+"@127.0.0.1:5432/kerf, for "+module)
	}
}
