package modules

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"kerf/platform/config"
)

// WritePlan prints what a process would run, where the other modules are, and who talks to whom over what: as text, and as a context map in
// Mermaid. It starts nothing and connects to nothing.
func WritePlan(w io.Writer, cfg config.Config) error {
	p := plan{cfg}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if cfg.Has("gateway") {
		fmt.Fprintf(table, "edge\t%s\n", cfg.Listen)
	}
	fmt.Fprintf(table, "internal\t%s (%s; health, metrics)\n", cfg.Internal.Listen, p.security())
	fmt.Fprintf(table, "events\t%s\n", p.events())
	fmt.Fprintf(table, "\nmodule\tplaced\tdata\tcalls\thears\n")
	for _, name := range Names {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, p.where(name), p.data(name), list(asked(name)), list(hears[name]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	places := map[string]string{}
	for _, name := range Names {
		places[name] = p.where(name)
	}
	fmt.Fprintln(w)
	return WriteMap(w, Map{Places: places, Protocol: cfg.Internal.Protocol, Bus: cfg.Bus.Driver})
}

// plan tells of a configuration what people ask first.
type plan struct{ cfg config.Config }

func (p plan) security() string {
	if p.cfg.Internal.TLS.On() {
		return "mutual TLS"
	}
	return "no TLS, this machine only"
}

func (p plan) events() string {
	switch b := p.cfg.Bus; b.Driver {
	case "kafka":
		return fmt.Sprintf("kafka at %s, %s", strings.Join(b.Brokers, ", "), b.Format)
	case "amqp":
		return fmt.Sprintf("amqp at %s, %s", hostOf(b.URL), b.Format)
	default:
		return b.Driver
	}
}

// hostOf leaves the password out.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "a server"
	}
	return u.Host
}

// where is "here", or the addresses of a module that is elsewhere.
func (p plan) where(module string) string {
	if p.cfg.Has(module) {
		if p.cfg.Placement != "local" {
			return "here, " + p.cfg.Placement
		}
		return "here"
	}
	if at := p.cfg.Remotes[module]; len(at) > 0 {
		return strings.Join(at, ", ")
	}
	return "elsewhere"
}

func (p plan) data(module string) string {
	if !p.cfg.Has(module) || module == "gateway" {
		return "–"
	}
	s := p.cfg.Schema(module)
	if s.Driver == "postgres" {
		return "postgres, schema " + module + " at " + hostOf(s.DSN)
	}
	return filepath.Join(s.Dir, module+".db")
}

// asked are the modules that a module calls in its own right.
func asked(caller string) (names []string) {
	for _, name := range Names {
		if asks[caller][name] != nil {
			names = append(names, name)
		}
	}
	return names
}

func list(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}

// Map is what a context map shows: modules in their places, and how those talk that are not in the same one.
type Map struct {
	// Places are the processes, or addresses, by module.
	Places map[string]string
	// Protocol of calls between places, and the Bus of events.
	Protocol, Bus string
}

// WriteMap draws the context map as Mermaid: a box for each place, an arrow for each call, a dotted one for each kind of event. U marks the
// upstream side, whose model the other one follows, and D the downstream side: who calls is downstream of whom it calls, and who hears is
// downstream of whom it hears.
func WriteMap(w io.Writer, m Map) error {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart LR\n")
	var order []string
	members := map[string][]string{}
	for _, name := range Names {
		place := m.Places[name]
		if members[place] == nil {
			order = append(order, place)
		}
		members[place] = append(members[place], name)
	}
	for i, place := range order {
		fmt.Fprintf(&b, "  subgraph p%d [%q]\n", i+1, place)
		for _, name := range members[place] {
			fmt.Fprintf(&b, "    %s\n", name)
		}
		b.WriteString("  end\n")
	}
	for _, caller := range Names {
		for _, owner := range asked(caller) {
			over := "in process"
			if m.Places[caller] != m.Places[owner] {
				over = m.Protocol
			}
			fmt.Fprintf(&b, "  %s -->|\"D calls U: %d, %s\"| %s\n", caller, len(asks[caller][owner]), over, owner)
		}
	}
	for _, listener := range Names {
		for _, publisher := range hears[listener] {
			fmt.Fprintf(&b, "  %s -.->|\"U tells D, %s\"| %s\n", publisher, m.Bus, listener)
		}
	}
	b.WriteString("```\n")
	_, err := io.WriteString(w, b.String())
	return err
}
