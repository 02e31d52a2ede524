package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// Command is what a command knows before it reads its configuration.
type Command struct {
	Name     string // as it is called
	Defaults Config // Default, or what differs for this command
	Modules  Modules
}

// Modules are those that there are. The zero value knows none, and then nothing is checked of their names.
type Modules struct {
	Names    []string            // of all, in the order of their dependencies
	Stateful []string            // those that have a schema
	Edge     string              // the one that serves the public, and keeps the domain clock
	Needs    map[string][]string // by module: those that it has to reach
}

// Load reads the configuration from a command's arguments, without its name, and
// its environment (KEY=value). The error is flag.ErrHelp if the arguments ask for
// help, which WriteUsage gives, and otherwise an *Error with all problems.
func Load(args, environ []string, cmd Command) (Config, error) {
	flags, err := parseFlags(args, cmd)
	if err != nil {
		return Config{}, err
	}
	l := newLoader(cmd)
	l.readFile(cmp.Or(flags.config, valueOf(environ, fileVariable)))
	l.readEnvironment(environ)
	l.merge("", flags.values, func(key string) string { return "-" + flags.names[key] })
	l.cfg.Plan, l.cfg.Version, l.cfg.Setup = flags.plan, flags.version, flags.setup
	l.cfg.Init, l.cfg.Adopt = flags.init, flags.adopt
	return l.finish()
}

// Check makes the configuration of values as a file holds them. Source names them in
// problems, each of which begins with the key.
func Check(values map[string]any, source string, cmd Command) (Config, error) {
	l := newLoader(cmd)
	read := koanf.New(".")
	if err := read.Load(confmap.Provider(values, ""), nil); err != nil {
		l.complain("%s: %s", source, err)
	}
	l.merge(source, read.All(), func(string) string { return source })
	return l.finish()
}

func newLoader(cmd Command) *loader {
	l := &loader{cmd: cmd, cfg: cmd.Defaults.clone(), values: koanf.New("."), origin: map[string]string{}}
	for _, s := range settings(&l.cfg) {
		l.templates = append(l.templates, s.key)
	}
	return l
}

// finish sets the fields, and those that depend on others, and checks the whole.
func (l *loader) finish() (Config, error) {
	l.decode()
	l.cfg.Database.Dir = cmp.Or(l.cfg.Database.Dir, l.cfg.Data)
	l.cfg.Identity.Keys = l.cfg.KeysDir()
	if l.cfg.Identity.JWKS != "" && !l.isSet("identity.local_issuer") {
		l.cfg.Identity.LocalIssuer = false
	}
	if !l.edgeHere() && !l.isSet("demo") {
		l.cfg.Demo = false
	}
	switch {
	case l.cfg.Version:
	case l.cfg.Setup != "":
		l.validateModules() // the rest is not there yet, or not looked at
	default:
		l.validate()
	}
	if len(l.problems) > 0 {
		return Config{}, &Error{Problems: l.problems}
	}
	return l.cfg, nil
}

const (
	fileVariable = prefix + "CONFIG"
	// Tests read these, and may run where a server is started.
	instancesVariable = prefix + "INSTANCES"
	testVariables     = prefix + "TEST_"
	serversVariable   = prefix + "SERVERS_DATA" // of deploy/servers
)

type loader struct {
	cmd       Command
	cfg       Config
	templates []string // the keys that there are
	values    *koanf.Koanf
	origin    map[string]string // by key: the flag, variable or file that set it last
	problems  []string
}

// known lists the keys that there are, for suggestions.
func (l *loader) known() (keys []string) {
	for _, template := range l.templates {
		if !strings.Contains(template, anyModule) {
			keys = append(keys, template)
			continue
		}
		for _, module := range l.cmd.Modules.Names {
			keys = append(keys, strings.Replace(template, anyModule, module, 1))
		}
	}
	return keys
}

func (l *loader) complain(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// isSet tells whether a file, a variable or a flag has the key.
func (l *loader) isSet(key string) bool { return l.origin[key] != "" }

// where names a key and, if it is not the default's, what set it.
func (l *loader) where(key string) string {
	if origin := l.origin[key]; origin != "" {
		return fmt.Sprintf("%s (%s)", key, origin)
	}
	return key
}

func (l *loader) readFile(path string) {
	if path == "" {
		return
	}
	read := koanf.New(".")
	if err := read.Load(file.Provider(path), yaml.Parser()); err != nil {
		l.complain("%s: %s", path, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	l.merge(path, read.All(), func(string) string { return path })
}

// merge takes over values by key; where names the source in problems. A key without
// a value is as if it were not there.
func (l *loader) merge(source string, values map[string]any, origin func(key string) string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := values[key]
		section, isSection := value.(map[string]any)
		switch {
		case value == nil, isSection && len(section) == 0:
			delete(values, key)
		case l.isKey(key):
			l.origin[key] = origin(key)
		case l.isSection(key):
			delete(values, key)
			l.complain("%s: %s: a section, with its keys below it", source, key)
		case l.keyAbove(key) != "":
			delete(values, key)
			l.complain("%s: %s: a value, with no keys below it", source, l.keyAbove(key))
		default:
			delete(values, key)
			l.complain("%s: %s: no such key%s", source, key, suggest(key, l.known()))
		}
	}
	if err := l.values.Load(confmap.Provider(values, "."), nil); err != nil {
		l.complain("%s: %s", source, err)
	}
}

func (l *loader) isKey(key string) bool {
	return slices.ContainsFunc(l.templates, func(t string) bool { _, ok := matches(t, key); return ok })
}

// keyAbove gives the key in whose value this one would be, or "".
func (l *loader) keyAbove(key string) string {
	for at := strings.LastIndexByte(key, '.'); at > 0; at = strings.LastIndexByte(key[:at], '.') {
		if l.isKey(key[:at]) {
			return key[:at]
		}
	}
	return ""
}

// isSection tells whether there are keys below this one.
func (l *loader) isSection(key string) bool {
	depth := strings.Count(key, ".") + 1
	return slices.ContainsFunc(l.templates, func(t string) bool {
		parts := strings.Split(t, ".")
		if len(parts) <= depth {
			return false
		}
		_, ok := matches(strings.Join(parts[:depth], "."), key)
		return ok
	})
}

func (l *loader) readEnvironment(environ []string) {
	read := koanf.New(".")
	err := read.Load(env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if name == fileVariable || name == instancesVariable || name == serversVariable || strings.HasPrefix(name, testVariables) {
				return "", nil
			}
			for _, template := range l.templates {
				if key, ok := keyOf(template, name); ok && value != "" {
					return key, value
				} else if ok {
					return "", nil
				}
			}
			variables := l.known()
			for i, key := range variables {
				variables[i] = variable(key)
			}
			l.complain("%s: no such variable%s", name, suggest(name, variables))
			return "", nil
		},
	}), nil)
	if err != nil {
		l.complain("environment: %s", err)
		return
	}
	l.merge("environment", read.All(), variable)
}

func valueOf(environ []string, name string) (value string) {
	for _, entry := range environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// decode sets the fields, in the order of the keys that there are.
func (l *loader) decode() {
	keys := slices.Sorted(maps.Keys(l.values.All()))
	for _, template := range l.templates {
		for _, key := range keys {
			if _, ok := matches(template, key); !ok {
				continue
			}
			if err := l.cfg.set(key, l.values.Get(key)); err != nil {
				l.complain("%s: %s", l.where(key), err)
			}
		}
	}
}
