package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flags are the parsed arguments.
type flags struct {
	config        string
	plan, version bool
	setup         string
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
	set.StringVar(&f.setup, "setup-database", "",
		"make a schema and a role for each placed module on the PostgreSQL server of this administrator's `DSN`, print the modules' DSNs, and end; "+
			"a role that is there keeps its password: ALTER ROLE \"<database>_<module>\" PASSWORD '…' sets a new one")
	for _, list := range []struct {
		name  string
		field *[]string
		usage string
	}{
		{"init", &f.init, "begin with an empty schema for these modules, whose own is missing; a `list` a,b"},
		{"adopt", &f.adopt, "take over the schemas of these modules, which were moved here; a `list` a,b"},
	} {
		set.Func(list.name, list.usage, func(value string) error {
			*list.field, _ = listOf(value)
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
	set.BoolFunc("demo", fmt.Sprintf("play a small demo city in an empty data folder (default %t)", cmd.Defaults.Demo), func(value string) error {
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
		key, value := strings.Replace(s.key, anyModule, "MODULE", 1), ""
		if !strings.Contains(s.key, anyModule) && !s.secret {
			value = fmt.Sprint(s.value.Interface())
		}
		fmt.Fprintln(&text, strings.TrimRight(fmt.Sprintf("  %-36s %-44s %s", key, variable(key), value), " "))
	}
	fmt.Fprintln(&text, "\nWhere a key has MODULE, it is set for that module and comes before the one that is for all.")
	_, _ = w.Write(text.Bytes())
}
