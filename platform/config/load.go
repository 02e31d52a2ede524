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

// Load reads the configuration from a command's arguments, without its name, and
// its environment (KEY=value). The error is flag.ErrHelp if the arguments ask for
// help, which WriteUsage gives, and otherwise an *Error with all problems.
func Load(args, environ []string) (Config, error) {
	flags, err := parseFlags(args)
	if err != nil {
		return Config{}, err
	}
	l := &loader{cfg: Default(), values: koanf.New("."), origin: map[string]string{}}
	for _, s := range settings(&l.cfg) {
		l.known = append(l.known, s.key)
	}
	l.readFile(cmp.Or(flags.config, valueOf(environ, fileVariable)))
	l.readEnvironment(environ)
	l.merge("", flags.values, func(key string) string { return "-" + flags.names[key] })
	l.decode()
	l.cfg.Plan, l.cfg.Version = flags.plan, flags.version
	l.cfg.Database.Dir = cmp.Or(l.cfg.Database.Dir, l.cfg.Data)
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
	cfg      Config
	known    []string
	values   *koanf.Koanf
	origin   map[string]string // by key: the flag, variable or file that set it last
	problems []string
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
		case slices.Contains(l.known, key):
			l.origin[key] = origin(key)
		case l.isSection(key):
			delete(values, key)
			l.complain("%s: %s: a section, with its keys below it", source, key)
		default:
			delete(values, key)
			l.complain("%s: %s: no such key%s", source, key, suggest(key, l.known))
		}
	}
	if err := l.values.Load(confmap.Provider(values, "."), nil); err != nil {
		l.complain("%s: %s", source, err)
	}
}

func (l *loader) isSection(key string) bool {
	return slices.ContainsFunc(l.known, func(k string) bool { return strings.HasPrefix(k, key+".") })
}

func (l *loader) readEnvironment(environ []string) {
	keys := map[string]string{}
	for _, key := range l.known {
		keys[variable(key)] = key
	}
	read := koanf.New(".")
	err := read.Load(env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key, ok := keys[name]
			switch {
			case name == fileVariable, name == testsVariable, ok && value == "":
				return "", nil
			case !ok:
				l.complain("%s: no such variable%s", name, suggest(name, slices.Sorted(maps.Keys(keys))))
				return "", nil
			}
			return key, value
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

func (l *loader) decode() {
	for _, s := range settings(&l.cfg) {
		if !l.values.Exists(s.key) {
			continue
		}
		if err := s.set(l.values.Get(s.key)); err != nil {
			l.complain("%s: %s", l.where(s.key), err)
		}
	}
}

// flags are the parsed arguments.
type flags struct {
	config        string
	plan, version bool
	values        map[string]any    // by key
	names         map[string]string // of the flags, by key
}

func parseFlags(args []string) (flags, error) {
	parsed := flags{values: map[string]any{}, names: map[string]string{}}
	set := newFlagSet(&parsed)
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

func newFlagSet(f *flags) *flag.FlagSet {
	set := flag.NewFlagSet("kerf", flag.ContinueOnError)
	set.StringVar(&f.config, "config", "", "read the configuration from this YAML `file`")
	set.BoolVar(&f.plan, "plan", false, "print what would run where, and end")
	set.BoolVar(&f.version, "version", false, "print what this is, and end")
	for _, k := range []struct{ name, key, usage string }{
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
func WriteUsage(w io.Writer) {
	var text bytes.Buffer
	set := newFlagSet(&flags{values: map[string]any{}, names: map[string]string{}})
	set.SetOutput(&text)
	fmt.Fprintln(&text, "Flags:")
	set.PrintDefaults()
	fmt.Fprintln(&text, "\nKeys of the configuration file, their variables and defaults:")
	defaults := Default()
	for _, s := range settings(&defaults) {
		fmt.Fprintf(&text, "  %-20s %-26s %v\n", s.key, variable(s.key), s.field.Interface())
	}
	_, _ = w.Write(text.Bytes())
}
