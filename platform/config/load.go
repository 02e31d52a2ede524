package config

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
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
	l := &loader{cmd: cmd, cfg: cmd.Defaults.clone(), values: koanf.New("."), origin: map[string]string{}}
	for _, s := range settings(&l.cfg) {
		l.templates = append(l.templates, s.key)
	}
	l.readFile(cmp.Or(flags.config, valueOf(environ, fileVariable)))
	l.readEnvironment(environ)
	l.merge("", flags.values, func(key string) string { return "-" + flags.names[key] })
	l.decode()
	l.cfg.Plan, l.cfg.Version, l.cfg.Init, l.cfg.Adopt = flags.plan, flags.version, flags.init, flags.adopt
	l.cfg.Database.Dir = cmp.Or(l.cfg.Database.Dir, l.cfg.Data)
	l.cfg.Identity.Keys = l.cfg.KeysDir()
	l.validate()
	if len(l.problems) > 0 {
		return Config{}, &Error{Problems: l.problems}
	}
	return l.cfg, nil
}

const (
	fileVariable  = prefix + "CONFIG"
	testsVariable = prefix + "INSTANCES"
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
			if name == fileVariable || name == testsVariable {
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

// flags are the parsed arguments.
type flags struct {
	config        string
	plan, version bool
	init, adopt   []string
	values        map[string]any    // by key
	names         map[string]string // of the flags, by key
}

func parseFlags(args []string, cmd Command) (flags, error) {
	parsed := flags{values: map[string]any{}, names: map[string]string{}}
	set := newFlagSet(&parsed, cmd)
	set.SetOutput(io.Discard)
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return flags{}, err
	case err != nil:
		return flags{}, &Error{Problems: []string{err.Error() + suggestFlag(set, err)}}
	case set.NArg() > 0:
		return flags{}, &Error{Problems: []string{fmt.Sprintf("argument %q is not a flag", set.Arg(0))}}
	}
	return parsed, nil
}

// suggestFlag names the flag that was probably meant, if err is that there is none.
func suggestFlag(set *flag.FlagSet, err error) string {
	_, unknown, ok := strings.Cut(err.Error(), "not defined: -")
	if !ok {
		return ""
	}
	var names []string
	set.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if meant := suggest(unknown, names); meant != "" {
		return strings.Replace(meant, "mean ", "mean -", 1)
	}
	return ""
}

func newFlagSet(f *flags, cmd Command) *flag.FlagSet {
	set := flag.NewFlagSet(cmd.Name, flag.ContinueOnError)
	set.StringVar(&f.config, "config", "", "read the configuration from this YAML `file`")
	set.BoolVar(&f.plan, "plan", false, "print what would run where, and end")
	set.BoolVar(&f.version, "version", false, "print what this is, and end")
	for name, field := range map[string]*[]string{"init": &f.init, "adopt": &f.adopt} {
		usage := "make the schemas of these modules empty, which are recorded and not there; a `list` a,b"
		if name == "adopt" {
			usage = "take over the schemas of these modules, which were moved here; a `list` a,b"
		}
		set.Func(name, usage, func(value string) error {
			*field, _ = listOf(value)
			return nil
		})
	}
	for _, k := range []struct{ name, key, usage string }{
		{"modules", "modules", "place these modules in this process: all, or a `list` a,b"},
		{"listen", "listen", "serve the public API on this `address`"},
		{"internal", "internal.listen", "serve metrics, health and other processes on this `address`"},
		{"data", "data", "keep everything in this `folder`"},
		{"placement", "placement", "how modules reach each other: local, or for tests checked or wire; a `word`"},
		{"log-level", "log.level", "debug, info, warn or error: the `level` from which to log"},
		{"speed", "speed", "run domain time this `factor` times as fast as the wall's; 0 keeps the last one"},
	} {
		f.names[k.key] = k.name
		set.Func(k.name, k.usage, func(value string) error {
			f.values[k.key] = value
			return nil
		})
	}
	f.names["demo"] = "demo"
	set.BoolFunc("demo", "play a small demo city in an empty data folder (default true)", func(value string) error {
		f.values["demo"] = value
		return nil
	})
	return set
}

// WriteUsage explains the flags, and the keys with their variables and defaults.
func WriteUsage(w io.Writer, cmd Command) {
	var text bytes.Buffer
	set := newFlagSet(&flags{values: map[string]any{}, names: map[string]string{}}, cmd)
	set.SetOutput(&text)
	fmt.Fprintln(&text, "Flags:")
	set.PrintDefaults()
	fmt.Fprintln(&text, "\nKeys of the configuration file, their variables and defaults:")
	defaults := cmd.Defaults.clone()
	for _, s := range settings(&defaults) {
		key := strings.Replace(s.key, anyModule, "MODULE", 1)
		fmt.Fprintf(&text, "  %-32s %-38s %v\n", key, variable(key), s.value.Interface())
	}
	_, _ = w.Write(text.Bytes())
}
