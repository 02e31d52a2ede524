package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"text/tabwriter"

	"kerf/cmd/topology/layout"
	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/shape"
	"kerf/modules"
)

// read reads the topology file, and lays it out on the ports of a book. All that is wrong is in the problems.
func read(ctx context.Context, o options, book *ports.Book, text bool) (layout.Layout, *shape.Problems, error) {
	s, problems := shape.Read(o.config, modules.Names)
	if at := slices.Index(s.Servers, servers.Kafka); o.kfake && at >= 0 {
		s.Servers[at] = servers.Kfake
	}
	free := func(string) (string, error) {
		port, err := book.Take(ctx)
		return ports.Address(port), err
	}
	if _, port, err := net.SplitHostPort(o.listen); err == nil && port == "0" {
		// It is chosen here, and stays the same when the process that has it is started again.
		host, _, _ := net.SplitHostPort(o.listen)
		address, err := free("")
		if err != nil {
			return layout.Layout{}, problems, err
		}
		_, port, _ = net.SplitHostPort(address)
		o.listen = net.JoinHostPort(host, port)
	}
	command := modules.Part().Command()
	l, err := layout.New(s, problems, layout.Options{Data: o.data, Listen: o.listen, Port: free, Text: text, Command: command})
	return l, problems, err
}

// writePlan prints what would run where, and who talks to whom. It starts nothing and writes nothing.
func writePlan(ctx context.Context, w io.Writer, o options) error {
	book := ports.New()
	defer book.Close()
	l, problems, err := read(ctx, o, book, false)
	if err != nil {
		return err
	}
	if err := problems.Err(); err != nil {
		return err
	}
	address := func(text string) string {
		if book.Gave(text) {
			return "a free port"
		}
		return text
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range l.Shape.Servers {
		state := "is here"
		if err := servers.Check(name); err != nil {
			state = err.Error()
		}
		fmt.Fprintf(table, "server %s\t%s\n", name, state)
	}
	if l.Listen != "" {
		fmt.Fprintf(table, "edge\t%s\n", address(l.Listen))
	}
	if len(l.Instances) > 0 {
		fmt.Fprintf(table, "\nprocess\tmodules\tinternal\tpublic\tbus\tdata\n")
	}
	for _, i := range l.Instances {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", i.Name, strings.Join(i.Modules, ", "), address(i.Internal)+security(i), orDash(address(i.Listen)),
			text(i.Settings["bus.driver"], "memory"), strings.Join(drivers(i), ", "))
	}
	if err := table.Flush(); err != nil || len(l.Instances) == 0 {
		return err
	}
	places := map[string]string{}
	for _, i := range l.Instances {
		for _, module := range i.Modules {
			places[module] = i.Process
		}
	}
	first := l.Instances[0].Settings
	fmt.Fprintln(w)
	return modules.WriteMap(w, modules.Map{
		Places: places, Protocol: text(first["internal.protocol"], "grpc"), Bus: text(first["bus.driver"], "memory"),
	})
}

func security(i layout.Instance) string {
	if i.TLS || i.CA() != "" {
		return ", mutual TLS"
	}
	return ""
}

// drivers are those that an instance's modules keep their data with.
func drivers(i layout.Instance) (names []string) {
	for _, module := range i.Modules {
		name := "sqlite"
		if i.Postgres(module) {
			name = "postgres"
		}
		if module != "gateway" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{"–"}
	}
	return names
}

func text(value any, otherwise string) string {
	if text, ok := value.(string); ok {
		return text
	}
	return otherwise
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
